/**
 * A folder in the origin private file system, with the synchronous access that only workers have. Opening, renaming and
 * removing files is asynchronous there and this layer is not: so a pool of files is kept open, and an index says which
 * name each of them has. Names are durable with `syncFolder`; a file that loses its name keeps its bytes until then.
 */
import { FileError, type FileFolder, type FileHandle } from '../../platform/files.ts';
import { fileError } from './opfs-errors.ts';
import { OpfsIndex } from './opfs-index.ts';

/** How such a folder is opened. */
export interface OpfsFolderOptions {
  /** Files that can be created before the pool has to grow, which takes a turn of the event loop. Default 16. */
  readonly spares?: number | undefined;
}

/** One open file of the pool. */
interface Pooled {
  readonly number: number;
  readonly access: FileSystemSyncAccessHandle;
  /** Handles on it. */
  opens: number;
}

const INDEX_FILE = 'index';
const SPARES = 16;

/**
 * Opens the folder at `directory`, which belongs to it alone, for this worker alone. Rejects with `FileError`, kind
 * `locked`, while another worker or tab has it. `unlock` lets go of it.
 *
 * @example
 * const root = await navigator.storage.getDirectory();
 * const folder = await openOpfsFolder(await root.getDirectoryHandle('node-1', { create: true }));
 */
export async function openOpfsFolder(
  directory: FileSystemDirectoryHandle,
  options: OpfsFolderOptions = {},
): Promise<FileFolder> {
  const label = `opfs:${directory.name}`;
  const opened: FileSystemSyncAccessHandle[] = [];
  const open = async (name: string): Promise<FileSystemSyncAccessHandle> => {
    const file = await directory.getFileHandle(name, { create: true });
    const access = await file.createSyncAccessHandle();
    opened.push(access);
    return access;
  };
  try {
    // The index first: who has it has the folder.
    const index = new OpfsIndex(await open(INDEX_FILE), label);
    const pool = new Map<number, Pooled>();
    for await (const name of directory.keys()) {
      if (!/^\d+$/.test(name)) continue;
      pool.set(Number(name), { number: Number(name), access: await open(name), opens: 0 });
    }
    const folder = new OpfsFolder(label, index, pool, open, options.spares ?? SPARES);
    await folder.grow();
    return folder;
  } catch (error) {
    for (const access of opened) access.close();
    throw fileError(label, error);
  }
}

class OpfsFolder implements FileFolder {
  readonly label: string;
  readonly #index: OpfsIndex;
  readonly #names = new Map<string, Pooled>();
  /** All files by number. */
  readonly #pool: Map<number, Pooled>;
  /** Files without name and content. */
  readonly #spares: Pooled[] = [];
  /** Files whose names are gone, but maybe not durably, or that are still open. */
  #nameless: Pooled[] = [];
  readonly #wanted: number;
  readonly #create: (name: string) => Promise<FileSystemSyncAccessHandle>;
  #growing: Promise<void> | null = null;
  /** Why the pool did not grow. */
  #problem: unknown = null;
  #locked = false;
  #closed = false;

  constructor(
    label: string,
    index: OpfsIndex,
    pool: Map<number, Pooled>,
    create: (name: string) => Promise<FileSystemSyncAccessHandle>,
    wanted: number,
  ) {
    this.label = label;
    this.#index = index;
    this.#pool = pool;
    this.#create = create;
    this.#wanted = wanted;
    const free = new Map(pool);
    for (const [name, number] of index.load()) {
      const file = free.get(number);
      if (file === undefined) continue;
      free.delete(number);
      this.#names.set(name, file);
    }
    for (const file of free.values()) this.#empty(file);
  }

  open(name: string, options: { create: boolean }): FileHandle {
    this.#alive();
    let file = this.#names.get(name);
    if (file === undefined) {
      if (!options.create) throw new FileError('not-found', `${this.label}/${name} does not exist`);
      file = this.#spares.pop();
      if (file === undefined) {
        throw new FileError('io', `${this.label}: no file is ready for ${name}`, this.#problem);
      }
      this.#names.set(name, file);
      void this.grow();
    }
    file.opens++;
    return new OpfsFile(`${this.label}/${name}`, file);
  }

  list(): string[] {
    return [...this.#names.keys()].sort();
  }

  exists(name: string): boolean {
    return this.#names.has(name);
  }

  rename(from: string, to: string): void {
    const file = this.#named(from);
    if (from === to) return;
    const old = this.#names.get(to);
    if (old !== undefined) this.#nameless.push(old);
    this.#names.delete(from);
    this.#names.set(to, file);
  }

  remove(name: string): void {
    this.#nameless.push(this.#named(name));
    this.#names.delete(name);
  }

  syncFolder(): void {
    this.#alive();
    this.#index.save(new Map([...this.#names].map(([name, { number }]) => [name, number])));
    const nameless = this.#nameless;
    this.#nameless = nameless.filter(({ opens }) => opens > 0);
    for (const file of nameless) if (file.opens === 0) this.#empty(file);
  }

  /** Nobody else has it: that was settled when it was opened. */
  lock(): void {
    this.#alive();
    if (this.#locked) throw new FileError('locked', `${this.label} is in use by another node`);
    this.#locked = true;
  }

  unlock(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { access } of this.#pool.values()) access.close();
    this.#index.close();
  }

  /** Adds files until enough are ready. A failure shows when none is left. */
  grow(): Promise<void> {
    this.#growing ??= this.#grow().finally(() => {
      this.#growing = null;
    });
    return this.#growing;
  }

  async #grow(): Promise<void> {
    try {
      while (!this.#closed && this.#spares.length < this.#wanted) {
        const number = Math.max(0, ...this.#pool.keys()) + 1;
        const access = await this.#create(String(number));
        if (this.#closed) {
          access.close();
          return;
        }
        const file = { number, access, opens: 0 };
        this.#pool.set(number, file);
        this.#spares.push(file);
      }
      this.#problem = null;
    } catch (error) {
      this.#problem = error;
    }
  }

  #empty(file: Pooled): void {
    file.access.truncate(0);
    this.#spares.push(file);
  }

  #named(name: string): Pooled {
    this.#alive();
    const file = this.#names.get(name);
    if (file === undefined)
      throw new FileError('not-found', `${this.label}/${name} does not exist`);
    return file;
  }

  #alive(): void {
    if (this.#closed) throw new FileError('closed', `${this.label} is closed`);
  }
}

class OpfsFile implements FileHandle {
  readonly #path: string;
  readonly #file: Pooled;
  #closed = false;

  constructor(path: string, file: Pooled) {
    this.#path = path;
    this.#file = file;
  }

  size(): number {
    return this.#do((access) => access.getSize());
  }

  read(out: Uint8Array, position: number): number {
    return this.#do((access) => access.read(out, { at: position }));
  }

  write(bytes: Uint8Array, position: number): number {
    return this.#do((access) => access.write(bytes, { at: position }));
  }

  truncate(size: number): void {
    this.#do((access) => access.truncate(size));
  }

  sync(): void {
    this.#do((access) => access.flush());
  }

  /** There is no thread for it: it blocks like `sync`, and calls back later. */
  syncAsync(done: (error: FileError | null) => void): void {
    let failure: FileError | null = null;
    try {
      this.sync();
    } catch (error) {
      failure = fileError(this.#path, error);
    }
    queueMicrotask(() => done(failure));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#file.opens--;
  }

  #do<T>(work: (access: FileSystemSyncAccessHandle) => T): T {
    if (this.#closed) throw new FileError('closed', `${this.#path} is closed`);
    try {
      return work(this.#file.access);
    } catch (error) {
      throw fileError(this.#path, error);
    }
  }
}
