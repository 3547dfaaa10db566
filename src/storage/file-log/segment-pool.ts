/**
 * Files for segments: filled with zeros and synced before use, so that a later sync has no metadata to write; kept and
 * reused when the log no longer needs them. A file's name says nothing (rule D7): order and identity are in its records.
 */
import type { TimerHandle, Timers } from '../../platform/contract.ts';
import type { FileFolder, FileHandle } from '../../platform/files.ts';
import { writeFully } from '../file-io.ts';
import { LOG_SPARES_MAX, ZERO_SLICE_BYTES } from '../limits.ts';

/** A segment's file. */
export interface SegmentFile {
  readonly name: string;
  readonly handle: FileHandle;
  readonly bytes: number;
}

/** A file that is being filled with zeros. */
interface Preparation {
  readonly file: SegmentFile;
  filled: number;
  syncing: boolean;
}

const ZEROS = new Uint8Array(ZERO_SLICE_BYTES);

/** Keeps spare files ready, in the background. */
export class SegmentPool {
  readonly #folder: FileFolder;
  readonly #timers: Timers;
  readonly #prefix: string;
  readonly #segmentBytes: number;
  readonly #spares: SegmentFile[] = [];
  #nextNumber = 1;
  #preparation: Preparation | null = null;
  #timer: TimerHandle | null = null;
  #closed = false;

  constructor(folder: FileFolder, timers: Timers, prefix: string, segmentBytes: number) {
    this.#folder = folder;
    this.#timers = timers;
    this.#prefix = prefix;
    this.#segmentBytes = segmentBytes;
  }

  /** Names of all segment files in the folder, in a fixed order. */
  list(): string[] {
    const names = this.#folder.list().filter((name) => this.#numberOf(name) !== null);
    names.sort((a, b) => this.#numberOf(a)! - this.#numberOf(b)!);
    for (const name of names) {
      this.#nextNumber = Math.max(this.#nextNumber, this.#numberOf(name)! + 1);
    }
    return names;
  }

  /**
   * A file of at least `bytes` bytes, zeroed or recycled, durable. Takes a spare; without one it fills a file on the
   * spot, which blocks. Throws `FileError` (`no-space`) and leaves nothing behind.
   */
  take(bytes: number): SegmentFile {
    if (bytes <= this.#segmentBytes) {
      const spare = this.#spares.pop();
      if (spare !== undefined) return spare;
      if (this.#preparation !== null) return this.#finishNow(this.#preparation);
    }
    return this.#finishNow(this.#start(Math.max(bytes, this.#segmentBytes)));
  }

  /** Takes a file that the log no longer needs. */
  give(file: SegmentFile): void {
    if (file.bytes === this.#segmentBytes && this.#spares.length < LOG_SPARES_MAX) {
      this.#spares.push(file);
    } else {
      this.discard(file);
    }
  }

  /** Removes a file. */
  discard(file: SegmentFile): void {
    file.handle.close();
    this.#folder.remove(file.name);
  }

  /** Starts to prepare a spare in slices when there is none. A full disk is no error until the file is needed. */
  prepare(): void {
    if (this.#closed || this.#spares.length > 0 || this.#preparation !== null) return;
    if (this.#timer !== null) return;
    this.#timer = this.#timers.after(0, () => {
      this.#timer = null;
      if (this.#closed || this.#spares.length > 0 || this.#preparation !== null) return;
      try {
        this.#preparation = this.#start(this.#segmentBytes);
      } catch {
        return;
      }
      this.#slice(this.#preparation);
    });
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) this.#timers.cancel(this.#timer);
    const preparation = this.#preparation;
    this.#preparation = null;
    // A sync in flight still uses its handle; its callback closes it.
    if (preparation !== null && !preparation.syncing) preparation.file.handle.close();
    for (const spare of this.#spares) spare.handle.close();
    this.#spares.length = 0;
  }

  #start(bytes: number): Preparation {
    const name = `${this.#prefix}-${this.#nextNumber++}.seg`;
    const handle = this.#folder.open(name, { create: true });
    return { file: { name, handle, bytes }, filled: 0, syncing: false };
  }

  #fill(preparation: Preparation): void {
    const left = preparation.file.bytes - preparation.filled;
    const count = Math.min(left, ZEROS.length);
    writeFully(preparation.file.handle, ZEROS.subarray(0, count), preparation.filled);
    preparation.filled += count;
  }

  #slice(preparation: Preparation): void {
    if (this.#preparation !== preparation) return;
    try {
      if (preparation.filled < preparation.file.bytes) {
        this.#fill(preparation);
        this.#timers.soon(() => this.#slice(preparation));
        return;
      }
      preparation.syncing = true;
      preparation.file.handle.syncAsync((error) => this.#prepared(preparation, error));
    } catch {
      this.#abandon(preparation);
    }
  }

  #prepared(preparation: Preparation, error: Error | null): void {
    preparation.syncing = false;
    if (this.#preparation !== preparation) {
      // Taken or closed meanwhile; `#finishNow` has synced for itself.
      if (this.#closed) preparation.file.handle.close();
      return;
    }
    this.#preparation = null;
    try {
      if (error !== null) throw error;
      this.#folder.syncFolder();
      this.#spares.push(preparation.file);
    } catch {
      this.#abandon(preparation);
    }
  }

  #finishNow(preparation: Preparation): SegmentFile {
    if (this.#preparation === preparation) this.#preparation = null;
    try {
      while (preparation.filled < preparation.file.bytes) this.#fill(preparation);
      preparation.file.handle.sync();
      this.#folder.syncFolder();
      return preparation.file;
    } catch (error) {
      this.#abandon(preparation);
      throw error;
    }
  }

  #abandon(preparation: Preparation): void {
    if (this.#preparation === preparation) this.#preparation = null;
    try {
      this.discard(preparation.file);
    } catch {
      // The disk is failing already; the file is a spare without records, which the next open removes.
    }
  }

  #numberOf(name: string): number | null {
    const { length } = this.#prefix;
    if (!name.startsWith(`${this.#prefix}-`) || !name.endsWith('.seg')) return null;
    const digits = name.slice(length + 1, -4);
    return /^[0-9]{1,15}$/.test(digits) ? Number(digits) : null;
  }
}
