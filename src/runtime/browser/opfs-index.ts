/**
 * Which name belongs to which file of a pool, kept in a file of its own. Two copies take turns, so that a write that does
 * not end leaves the one before it: a change of names is atomic.
 *
 * Each copy: u32 magic `QLOP`, u32 length and u32 CRC-32C of what follows, JSON `[sequence, [[name, number], …]]`.
 */
import { FileError } from '../../platform/files.ts';
import { crc32c } from '../../wire/crc32c.ts';
import { fileError } from './opfs-errors.ts';

const MAGIC = 0x504f4c51;
const HEADER_BYTES = 12;
const COPY_BYTES = 64 * 1024;
const COPIES = 2;

/** The index of a pool. */
export class OpfsIndex {
  readonly #access: FileSystemSyncAccessHandle;
  readonly #label: string;
  #sequence = 0;

  constructor(access: FileSystemSyncAccessHandle, label: string) {
    this.#access = access;
    this.#label = label;
  }

  /** The names as they were saved last; empty at first. */
  load(): Map<string, number> {
    let names = new Map<string, number>();
    for (let copy = 0; copy < COPIES; copy++) {
      const found = this.#read(copy);
      if (found === null || found.sequence < this.#sequence) continue;
      this.#sequence = found.sequence;
      names = found.names;
    }
    return names;
  }

  /** Saves the names; they are durable when this returns. */
  save(names: ReadonlyMap<string, number>): void {
    const sequence = this.#sequence + 1;
    const text = new TextEncoder().encode(JSON.stringify([sequence, [...names]]));
    const bytes = new Uint8Array(HEADER_BYTES + text.length);
    if (bytes.length > COPY_BYTES) {
      throw new FileError('no-space', `${this.#label}: too many files`);
    }
    const view = new DataView(bytes.buffer);
    view.setUint32(0, MAGIC, true);
    view.setUint32(4, text.length, true);
    view.setUint32(8, crc32c(text), true);
    bytes.set(text, HEADER_BYTES);
    try {
      const at = (sequence % COPIES) * COPY_BYTES;
      const written = this.#access.write(bytes, { at });
      if (written < bytes.length)
        throw new FileError('io', `a write stopped after ${written} bytes`);
      this.#access.flush();
    } catch (error) {
      throw fileError(`${this.#label}/index`, error);
    }
    this.#sequence = sequence;
  }

  close(): void {
    this.#access.close();
  }

  #read(copy: number): { sequence: number; names: Map<string, number> } | null {
    const bytes = new Uint8Array(COPY_BYTES);
    const count = this.#access.read(bytes, { at: copy * COPY_BYTES });
    const view = new DataView(bytes.buffer);
    const length = view.getUint32(4, true);
    if (view.getUint32(0, true) !== MAGIC || HEADER_BYTES + length > count) return null;
    const text = bytes.subarray(HEADER_BYTES, HEADER_BYTES + length);
    if (crc32c(text) !== view.getUint32(8, true)) return null;
    const [sequence, names] = JSON.parse(new TextDecoder().decode(text)) as [
      number,
      [string, number][],
    ];
    return { sequence, names: new Map(names) };
  }
}
