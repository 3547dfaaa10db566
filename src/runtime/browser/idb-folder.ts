/**
 * A folder of files that are kept in memory and in IndexedDB: reading and writing cannot wait, so what is synced is
 * queued, in order, and durable with the database's next flush. For checkpoints, whose owner waits for that flush.
 */
import { FileError, type FileFolder, type FileHandle } from '../../platform/files.ts';
import type { IdbDatabase } from './idb-database.ts';

/** Bytes of a row. */
const BLOCK_BYTES = 256 * 1024;
const ROW_BYTES = 128;

interface Stored {
  readonly number: number;
  readonly size: number;
}

/** A file, with or without a name. */
interface Kept {
  readonly number: number;
  size: number;
  readonly blocks: Uint8Array<ArrayBuffer>[];
  readonly dirty: Set<number>;
}

/** Reads the folder in `database`. Rejects with `STORAGE_FAILED`. */
export async function openIdbFolder(database: IdbDatabase): Promise<FileFolder> {
  const names = new Map<string, Kept>();
  const byNumber = new Map<number, Kept>();
  for (const [name, value] of await database.all('files')) {
    const { number, size } = value as Stored;
    const file: Kept = { number, size, blocks: [], dirty: new Set() };
    names.set(String(name), file);
    byNumber.set(number, file);
  }
  for (const [key, value] of await database.all('blocks')) {
    const [number, block] = key as [number, number];
    const file = byNumber.get(number);
    // Rows of a file that never got its name, or behind the end of one.
    if (file === undefined || block * BLOCK_BYTES >= file.size) database.delete('blocks', key);
    else blockOf(file, block).set(value as Uint8Array);
  }
  return new IdbFolder(database, names);
}

function blockOf(file: Kept, block: number): Uint8Array<ArrayBuffer> {
  for (let next = file.blocks.length; next <= block; next++) {
    file.blocks.push(new Uint8Array(BLOCK_BYTES));
  }
  return file.blocks[block]!;
}

class IdbFolder implements FileFolder {
  readonly label: string;
  readonly #database: IdbDatabase;
  readonly #names: Map<string, Kept>;
  /** Names as they are stored, or are about to be. */
  readonly #stored: Map<string, Stored>;
  #numbers: number;

  constructor(database: IdbDatabase, names: Map<string, Kept>) {
    this.label = database.label;
    this.#database = database;
    this.#names = names;
    this.#stored = new Map([...names].map(([name, { number, size }]) => [name, { number, size }]));
    this.#numbers = Math.max(0, ...[...names.values()].map(({ number }) => number));
  }

  open(name: string, options: { create: boolean }): FileHandle {
    let file = this.#names.get(name);
    if (file === undefined) {
      if (!options.create) throw this.#missing(name);
      file = { number: ++this.#numbers, size: 0, blocks: [], dirty: new Set() };
      this.#names.set(name, file);
    }
    return new IdbFile(this, `${this.label}/${name}`, file);
  }

  list(): string[] {
    return [...this.#names.keys()].sort();
  }

  exists(name: string): boolean {
    return this.#names.has(name);
  }

  rename(from: string, to: string): void {
    const file = this.#names.get(from);
    if (file === undefined) throw this.#missing(from);
    this.#names.delete(from);
    this.#names.set(to, file);
  }

  remove(name: string): void {
    if (!this.#names.delete(name)) throw this.#missing(name);
  }

  syncFolder(): void {
    this.alive();
    const used = new Set([...this.#names.values()].map(({ number }) => number));
    for (const [name, { number }] of this.#stored) {
      if (!this.#names.has(name)) {
        this.#database.delete('files', name);
        this.#stored.delete(name);
      }
      if (!used.has(number)) {
        this.#database.delete('blocks', IDBKeyRange.bound([number, 0], [number, Infinity]));
      }
    }
    for (const [name, file] of this.#names) this.#store(name, file);
  }

  /** Nobody else has it: the database's owner holds a lock of the origin. */
  lock(): void {
    this.alive();
  }

  unlock(): void {}

  /** Queues what was written to a file. */
  sync(file: Kept): void {
    this.alive();
    for (const block of file.dirty) {
      const bytes = (): Uint8Array =>
        blockOf(file, block).slice(0, Math.max(0, file.size - block * BLOCK_BYTES));
      this.#database.put('blocks', [file.number, block], BLOCK_BYTES, bytes);
    }
    file.dirty.clear();
    for (const [name, { number }] of this.#stored) {
      if (number === file.number) this.#store(name, file);
    }
  }

  flush(done: (error: FileError | null) => void): void {
    this.#database.flush((error) => {
      done(error === null ? null : new FileError('io', error.message, error));
    });
  }

  /** Throws when the database has failed. */
  alive(): void {
    const { failure } = this.#database;
    if (failure !== null) throw new FileError('io', failure.message, failure);
  }

  #store(name: string, { number, size }: Kept): void {
    const stored = this.#stored.get(name);
    if (stored?.number === number && stored.size === size) return;
    const value: Stored = { number, size };
    this.#stored.set(name, value);
    this.#database.put('files', name, ROW_BYTES, () => value);
  }

  #missing(name: string): FileError {
    return new FileError('not-found', `${this.label}/${name} does not exist`);
  }
}

class IdbFile implements FileHandle {
  readonly #folder: IdbFolder;
  readonly #path: string;
  readonly #file: Kept;
  #closed = false;

  constructor(folder: IdbFolder, path: string, file: Kept) {
    this.#folder = folder;
    this.#path = path;
    this.#file = file;
  }

  size(): number {
    return this.#open().size;
  }

  read(out: Uint8Array, position: number): number {
    const file = this.#open();
    const count = Math.min(out.length, file.size - position);
    if (count <= 0) return 0;
    for (let done = 0; done < count; ) {
      const at = position + done;
      const start = at % BLOCK_BYTES;
      const length = Math.min(count - done, BLOCK_BYTES - start);
      const block = blockOf(file, Math.floor(at / BLOCK_BYTES));
      out.set(block.subarray(start, start + length), done);
      done += length;
    }
    return count;
  }

  write(bytes: Uint8Array, position: number): number {
    const file = this.#open();
    for (let done = 0; done < bytes.length; ) {
      const at = position + done;
      const number = Math.floor(at / BLOCK_BYTES);
      const start = at % BLOCK_BYTES;
      const length = Math.min(bytes.length - done, BLOCK_BYTES - start);
      // A gap is zero; rows that a truncation left are overwritten.
      for (let gap = file.blocks.length; gap < number; gap++) file.dirty.add(gap);
      blockOf(file, number).set(bytes.subarray(done, done + length), start);
      file.dirty.add(number);
      done += length;
    }
    file.size = Math.max(file.size, position + bytes.length);
    return bytes.length;
  }

  truncate(size: number): void {
    const file = this.#open();
    const kept = Math.ceil(size / BLOCK_BYTES);
    // Blocks that come back are zero; rows behind the end are overwritten then.
    file.blocks.splice(kept);
    const last = file.blocks[kept - 1];
    if (last !== undefined && size < kept * BLOCK_BYTES) {
      last.fill(0, size - (kept - 1) * BLOCK_BYTES);
      file.dirty.add(kept - 1);
    }
    for (const block of [...file.dirty]) if (block >= kept) file.dirty.delete(block);
    for (let block = file.blocks.length; block < kept; block++) {
      blockOf(file, block);
      file.dirty.add(block);
    }
    file.size = size;
  }

  sync(): void {
    this.#folder.sync(this.#open());
  }

  syncAsync(done: (error: FileError | null) => void): void {
    try {
      this.sync();
    } catch (error) {
      queueMicrotask(() => done(error as FileError));
      return;
    }
    this.#folder.flush(done);
  }

  close(): void {
    this.#closed = true;
  }

  #open(): Kept {
    if (this.#closed) throw new FileError('closed', `${this.#path} is closed`);
    this.#folder.alive();
    return this.#file;
  }
}
