/**
 * Receives the files of a snapshot as parts. Every block is checked when it is complete; what is there survives a broken
 * connection, and a restart up to the last good block (rule S8). Parts become a checkpoint in one switch (rule S4).
 */
import { FileError, type FileHandle } from '../../platform/files.ts';
import { assert } from '../../wire/assert.ts';
import { crc32c } from '../../wire/crc32c.ts';
import { QuorliteError } from '../../wire/error.ts';
import type { CheckpointMeta, SnapshotReceiver } from '../contract.ts';
import { readFully, storageFailed, writeFully } from '../file-io.ts';
import { CHECKPOINT_BLOCK_BYTES } from '../limits.ts';
import type { CheckpointFiles } from './checkpoint-files.ts';
import { openContent } from './content.ts';
import type { GenerationFile, Manifest } from './manifest.ts';

/** One file on its way. */
interface Part {
  readonly file: GenerationFile;
  readonly name: string;
  readonly handle: FileHandle;
  /** Bytes that are there. */
  filled: number;
  /** Checksum of those of them behind the last block's edge. */
  sum: number;
}

type Done = (error: Error | null) => void;
/** Puts what a receiver prepared in place. */
type Install = (receiver: Receiver, done: Done) => void;

/** One snapshot on its way in. */
export class Receiver implements SnapshotReceiver {
  readonly meta: CheckpointMeta;
  /** Names the snapshot: parts of another one are not mixed up with it. */
  readonly id: string;
  readonly #files: CheckpointFiles;
  readonly #bytes: Uint8Array;
  readonly #manifest: Manifest;
  readonly #install: Install;
  readonly #parts: Part[] = [];
  #state: 'open' | 'finishing' | 'ended' = 'open';

  constructor(files: CheckpointFiles, bytes: Uint8Array, manifest: Manifest, install: Install) {
    this.meta = manifest.meta;
    this.id = crc32c(bytes).toString(16).padStart(8, '0');
    this.#files = files;
    this.#bytes = bytes.slice();
    this.#manifest = manifest;
    this.#install = install;
    try {
      for (let i = 0; i < manifest.files.length; i++) this.#parts.push(this.#openPart(i));
    } catch (error) {
      this.leave();
      throw error;
    }
  }

  /** Whether this receiver, still open, is for the snapshot with these manifest bytes. */
  takes(bytes: Uint8Array): boolean {
    if (this.#state !== 'open' || bytes.length !== this.#bytes.length) return false;
    return bytes.every((byte, i) => byte === this.#bytes[i]);
  }

  /** Whether a part file is one of this receiver's. */
  owns(name: string): boolean {
    return this.#state !== 'ended' && this.#parts.some((part) => part.name === name);
  }

  next(): { file: number; offset: number } | null {
    const file = this.#parts.findIndex((part) => part.filled < part.file.bytes);
    return file < 0 ? null : { file, offset: this.#parts[file]!.filled };
  }

  write(file: number, offset: number, bytes: Uint8Array): void {
    const next = this.next();
    const part = this.#parts[file];
    assert(this.#state === 'open', 'a receiver that ended takes nothing');
    assert(next?.file === file && next.offset === offset && part, 'chunks come in order');
    if (offset + bytes.length > part.file.bytes) {
      throw new QuorliteError('BAD_REQUEST', 'a snapshot has more bytes than its manifest says');
    }
    for (let at = 0; at < bytes.length; ) {
      const room = CHECKPOINT_BLOCK_BYTES - (part.filled % CHECKPOINT_BLOCK_BYTES);
      const count = Math.min(room, bytes.length - at);
      this.#add(part, bytes.subarray(at, at + count));
      at += count;
    }
  }

  finish(done: Done): void {
    assert(
      this.#state === 'open' && this.next() === null,
      'a snapshot is finished once, when whole',
    );
    this.#state = 'finishing';
    this.#install(this, done);
  }

  abort(): void {
    if (this.#state === 'ended') return;
    this.leave();
    for (const { name } of this.#parts) this.#files.forget(name);
  }

  /** Closes the parts and keeps them for another try. */
  leave(): void {
    this.#state = 'ended';
    for (const { handle } of this.#parts) handle.close();
  }

  /** Syncs the parts, checks that they are a checkpoint, and gives them their names. Returns the files. */
  *prepare(): Generator<FileHandle | void, GenerationFile[]> {
    for (const part of this.#parts) yield part.handle;
    const names = new Map(this.#parts.map(({ file, name }) => [file, name]));
    const nameOf = (file: GenerationFile): string => names.get(file)!;
    openContent(this.#files.folder, this.#manifest, { check: false, nameOf }).close();
    this.leave();
    return this.#parts.map(({ file, name }) => {
      const own = this.#files.newName();
      this.#files.folder.rename(name, own);
      this.#files.checked(own);
      return { ...file, name: own };
    });
  }

  #openPart(number: number): Part {
    const file = this.#manifest.files[number]!;
    const name = this.#files.partName(this.id, number);
    const handle = this.#files.folder.open(name, { create: true });
    const part = { file, name, handle, filled: 0, sum: 0 };
    const block = new Uint8Array(CHECKPOINT_BLOCK_BYTES);
    for (const sum of file.blocks) {
      const want = block.subarray(0, Math.min(block.length, file.bytes - part.filled));
      if (readFully(handle, want, part.filled) < want.length || crc32c(want) !== sum) break;
      part.filled += want.length;
    }
    return part;
  }

  #add(part: Part, bytes: Uint8Array): void {
    try {
      writeFully(part.handle, bytes, part.filled);
    } catch (error) {
      if (error instanceof FileError) throw storageFailed(this.#files.label, error, 'unknown');
      throw error;
    }
    const block = Math.floor(part.filled / CHECKPOINT_BLOCK_BYTES);
    part.sum = crc32c(bytes, 0, bytes.length, part.sum);
    part.filled += bytes.length;
    if (part.filled % CHECKPOINT_BLOCK_BYTES !== 0 && part.filled < part.file.bytes) return;
    const good = part.sum === part.file.blocks[block];
    part.sum = 0;
    if (good) return;
    part.filled = block * CHECKPOINT_BLOCK_BYTES;
    throw new QuorliteError('CORRUPT', 'a block of a snapshot fails its checksum on arrival', {
      outcome: 'unknown',
      retryable: true,
    });
  }
}
