/** Names, pins and removal of the files of a snapshot store. */
import { FileError, type FileFolder } from '../../platform/files.ts';
import { assert } from '../../wire/assert.ts';
import type { CheckpointContent } from '../contract.ts';
import { readWhole, writeFully } from '../file-io.ts';
import { MANIFEST_BYTES_MAX } from '../limits.ts';
import { openContent } from './content.ts';
import { decodeManifest, type Manifest } from './manifest.ts';

/** A manifest in the folder; null when it is damaged. */
export interface FoundManifest {
  readonly number: number;
  readonly manifest: Manifest | null;
}

/** The files of one store. */
export class CheckpointFiles {
  readonly folder: FileFolder;
  readonly #prefix: string;
  #nextNumber = 1;
  /** How many readers need a file. */
  readonly #pins = new Map<string, number>();
  /** Files that nobody names any more but somebody reads. */
  readonly #doomed = new Set<string>();
  /** Data files that no manifest names yet. */
  readonly #fresh = new Set<string>();
  /** Data files whose checksums this process has seen hold. */
  readonly #checked = new Set<string>();

  constructor(folder: FileFolder, prefix: string) {
    this.folder = folder;
    this.#prefix = prefix;
  }

  get label(): string {
    return this.folder.label;
  }

  /** All manifests in the folder, read and decoded. A read that fails is damage as well. */
  manifests(): FoundManifest[] {
    const found: FoundManifest[] = [];
    for (const name of this.folder.list()) {
      const number = this.#numberOf(name, '.manifest');
      if (number !== null) found.push({ number, manifest: this.#readManifest(name) });
      this.#nextNumber = Math.max(this.#nextNumber, (this.#numberOf(name, '.data') ?? 0) + 1);
    }
    return found;
  }

  #readManifest(name: string): Manifest | null {
    try {
      const bytes = readWhole(this.folder, name, MANIFEST_BYTES_MAX);
      return bytes === null ? null : decodeManifest(bytes);
    } catch (error) {
      if (error instanceof FileError) return null;
      throw error;
    }
  }

  /** A name that no data file has, for one that is about to be written. */
  newName(): string {
    const name = `${this.#prefix}-${this.#nextNumber++}.data`;
    this.#fresh.add(name);
    return name;
  }

  /** Name of part `file` of the snapshot `id` while it is received. */
  partName(id: string, file: number): string {
    return `${this.#prefix}-${id}-${file}.part`;
  }

  /** Opens a checkpoint, pins its files, and checks those that were not checked before. */
  verified(manifest: Manifest): CheckpointContent {
    const unpin = this.pin(manifest);
    try {
      const content = openContent(this.folder, manifest, { check: false, onClose: unpin });
      try {
        for (const layer of content.layers) {
          if (this.#checked.has(layer.file.name)) continue;
          layer.verify();
          this.#checked.add(layer.file.name);
        }
        return content;
      } catch (error) {
        content.close();
        throw error;
      }
    } catch (error) {
      unpin();
      throw error;
    }
  }

  /** Keeps the files of a checkpoint until the returned function is called. */
  pin(manifest: Manifest): () => void {
    return this.pinNames(manifest.files.map(({ name }) => name));
  }

  /** Keeps files until the returned function is called. */
  pinNames(names: readonly string[]): () => void {
    for (const name of names) this.#pins.set(name, (this.#pins.get(name) ?? 0) + 1);
    let pinned = true;
    return () => {
      if (!pinned) return;
      pinned = false;
      for (const name of names) this.#unpin(name);
    };
  }

  #unpin(name: string): void {
    const left = (this.#pins.get(name) ?? 0) - 1;
    assert(left >= 0, 'a pin is released once');
    if (left > 0) {
      this.#pins.set(name, left);
      return;
    }
    this.#pins.delete(name);
    if (this.#doomed.delete(name)) this.forget(name);
  }

  /**
   * Puts a manifest in place, durably. Throws `FileError`; when it is unknown whether the new one is in force,
   * `onUnknown` is called first.
   */
  putManifest(number: number, bytes: Uint8Array, onUnknown: (error: FileError) => void): void {
    const name = `${this.#prefix}-${number}.manifest`;
    const temp = `${name}.tmp`;
    const handle = this.folder.open(temp, { create: true });
    try {
      handle.truncate(0);
      writeFully(handle, bytes, 0);
      handle.sync();
    } finally {
      handle.close();
    }
    // The data files' names must not come later than the manifest that needs them.
    this.folder.syncFolder();
    try {
      this.folder.rename(temp, name);
      this.folder.syncFolder();
    } catch (error) {
      if (error instanceof FileError) onUnknown(error);
      throw error;
    }
  }

  /** Removes everything of this store but what `kept` needs, what is being written, and the parts that `keepPart` keeps. */
  keepOnly(kept: readonly Manifest[], keepPart: (name: string) => boolean): void {
    const names = new Set<string>();
    for (const { sequence, files } of kept) {
      names.add(`${this.#prefix}-${sequence}.manifest`);
      for (const { name } of files) {
        names.add(name);
        this.#fresh.delete(name);
      }
    }
    let listed: string[];
    try {
      listed = this.folder.list();
    } catch (error) {
      if (error instanceof FileError) return;
      throw error;
    }
    // Manifests first: one without its files would be damage.
    const ours = listed.filter((name) => this.#isOurs(name) && !names.has(name));
    ours.sort((a, b) => Number(b.endsWith('.manifest')) - Number(a.endsWith('.manifest')));
    for (const name of ours) {
      if (this.#fresh.has(name) || (name.endsWith('.part') && keepPart(name))) continue;
      if (this.#pins.has(name)) this.#doomed.add(name);
      else this.forget(name);
    }
  }

  /** Removes a file if it is there; a failure costs space only. */
  forget(name: string): void {
    this.#checked.delete(name);
    this.#fresh.delete(name);
    try {
      if (this.folder.exists(name)) this.folder.remove(name);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
    }
  }

  /** Takes note that a file's checksums were seen to hold. */
  checked(name: string): void {
    this.#checked.add(name);
  }

  #isOurs(name: string): boolean {
    return name.startsWith(`${this.#prefix}-`) && /\.(data|manifest|part|tmp)$/.test(name);
  }

  #numberOf(name: string, ending: string): number | null {
    if (!name.startsWith(`${this.#prefix}-`) || !name.endsWith(ending)) return null;
    const digits = name.slice(this.#prefix.length + 1, -ending.length);
    return /^[0-9]{1,15}$/.test(digits) ? Number(digits) : null;
  }
}
