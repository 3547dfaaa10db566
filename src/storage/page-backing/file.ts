/** A page backing in a file: place after place. It is emptied when it is opened and removed when it is closed. */
import { PAGE_SIZE, type PageBacking } from '../../../wasm/page-store.ts';
import { FileError, type FileFolder, type FileHandle } from '../../platform/files.ts';
import { readFully, storageFailed, writeFully } from '../file-io.ts';
import { GATHER_PAGES, SCRATCH_FILE } from '../limits.ts';

/**
 * Opens the backing in `folder`, whose lock the caller holds. Throws `STORAGE_FAILED`.
 *
 * @example
 * const backing = openFileBacking(folder);
 */
export function openFileBacking(folder: FileFolder, name: string = SCRATCH_FILE): PageBacking {
  return guarded(`${folder.label}/${name}`, () => {
    const handle = folder.open(name, { create: true });
    handle.truncate(0);
    return new FileBacking(folder, name, handle);
  });
}

/** Removes what a process that died has left; a failure costs space only. */
export function removeFileBacking(folder: FileFolder, name: string = SCRATCH_FILE): void {
  try {
    if (folder.exists(name)) folder.remove(name);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
  }
}

class FileBacking implements PageBacking {
  readonly #folder: FileFolder;
  readonly #name: string;
  readonly #handle: FileHandle;
  readonly #label: string;
  /** Pages whose places follow each other, on their way into one write. */
  readonly #gather: Uint8Array = new Uint8Array(GATHER_PAGES * PAGE_SIZE);

  constructor(folder: FileFolder, name: string, handle: FileHandle) {
    this.#folder = folder;
    this.#name = name;
    this.#handle = handle;
    this.#label = `${folder.label}/${name}`;
  }

  read(place: number, out: Uint8Array): void {
    guarded(this.#label, () => {
      const count = readFully(this.#handle, out, place * PAGE_SIZE);
      if (count < out.length) throw new FileError('io', `there is no page at place ${place}`);
    });
  }

  write(places: Int32Array, pages: readonly Uint8Array[], count: number): void {
    guarded(this.#label, () => {
      for (let from = 0; from < count; ) {
        const length = runLength(places, from, count);
        writeFully(this.#handle, this.#joined(pages, from, length), places[from]! * PAGE_SIZE);
        from += length;
      }
    });
  }

  truncate(places: number): void {
    guarded(this.#label, () => this.#handle.truncate(places * PAGE_SIZE));
  }

  close(): void {
    try {
      // Where files without names are kept for a while, too, the room is given back now.
      this.#handle.truncate(0);
      this.#handle.close();
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
    }
    removeFileBacking(this.#folder, this.#name);
  }

  #joined(pages: readonly Uint8Array[], from: number, length: number): Uint8Array {
    if (length === 1) return pages[from]!;
    for (let i = 0; i < length; i++) this.#gather.set(pages[from + i]!, i * PAGE_SIZE);
    return this.#gather.subarray(0, length * PAGE_SIZE);
  }
}

/** How many places follow each other from `from` on, as far as they fit into one write. */
function runLength(places: Int32Array, from: number, count: number): number {
  const most = Math.min(count - from, GATHER_PAGES);
  let length = 1;
  while (length < most && places[from + length] === places[from]! + length) length++;
  return length;
}

function guarded<T>(label: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof FileError) throw storageFailed(label, error, 'unknown');
    throw error;
  }
}
