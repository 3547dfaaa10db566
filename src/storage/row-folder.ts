/**
 * A folder of files in rows of a SQL storage such as a Durable Object's: a file is a name and chunks of equal size.
 * Checkpoints and the identity live here as they do on disks.
 *
 * There is nothing to sync: all statements of one turn of the event loop are one atomic write, turns are kept in their
 * order, and nothing leaves the object before what it knows is safe (output gates).
 */
import { FileError, type FileFolder, type FileHandle } from '../platform/files.ts';
import { assert } from '../wire/assert.ts';
import { ROW_CHUNK_BYTES } from './limits.ts';
import type { RowParam, RowStorage } from './page-backing/rows.ts';
import { blobOf, type FoundRow, numberOf } from './row-storage.ts';

/** Chunks that a file may have: 1 TiB. */
const CHUNKS_MAX = 2 ** 24;

/** How such a folder is made. */
export interface RowFolderOptions {
  /** For messages. Default `rows`. */
  readonly label?: string | undefined;
  /** Runs a callback later, never at once: how `syncAsync` completes. Default: a microtask. */
  readonly later?: ((callback: () => void) => void) | undefined;
}

/**
 * Opens the folder in `storage`, whose tables `files` and `file_chunks` are this folder's. Throws `FileError`.
 *
 * @example
 * const folder = openRowFolder(ctx.storage.sql);
 */
export function openRowFolder(storage: RowStorage, options: RowFolderOptions = {}): FileFolder {
  return new RowFolder(storage, options);
}

interface RowFile {
  readonly id: number;
  size: number;
  opens: number;
  named: boolean;
}

class RowFolder implements FileFolder {
  readonly label: string;
  readonly #rows: Rows;
  readonly #later: (callback: () => void) => void;
  readonly #files = new Map<string, RowFile>();
  #nextId = 1;
  #locked = false;

  constructor(storage: RowStorage, options: RowFolderOptions) {
    this.label = options.label ?? 'rows';
    this.#later = options.later ?? ((callback) => queueMicrotask(callback));
    this.#rows = new Rows(storage, this.label);
    this.#rows.createTables();
    for (const { name, id, size } of this.#rows.files()) {
      this.#files.set(name, { id, size, opens: 0, named: true });
      this.#nextId = Math.max(this.#nextId, id + 1);
    }
  }

  open(name: string, { create }: { create: boolean }): FileHandle {
    let file = this.#files.get(name);
    if (file === undefined) {
      if (!create) throw new FileError('not-found', `${this.label}/${name} does not exist`);
      file = { id: this.#nextId++, size: 0, opens: 0, named: true };
      this.#rows.putName(file.id, name);
      this.#files.set(name, file);
    }
    file.opens++;
    return new RowHandle(file, this.#rows, this.#later, () => this.#closed(file));
  }

  list(): string[] {
    return [...this.#files.keys()];
  }

  exists(name: string): boolean {
    return this.#files.has(name);
  }

  rename(from: string, to: string): void {
    const file = this.#files.get(from);
    if (file === undefined)
      throw new FileError('not-found', `${this.label}/${from} does not exist`);
    if (from === to) return;
    if (this.#files.has(to)) this.remove(to);
    this.#rows.putName(file.id, to);
    this.#files.delete(from);
    this.#files.set(to, file);
  }

  remove(name: string): void {
    const file = this.#files.get(name);
    if (file === undefined)
      throw new FileError('not-found', `${this.label}/${name} does not exist`);
    this.#rows.removeName(file.id);
    this.#files.delete(name);
    file.named = false;
    if (file.opens === 0) this.#rows.cutChunks(file.id, 0);
  }

  syncFolder(): void {}

  lock(): void {
    if (this.#locked) throw new FileError('locked', `${this.label} is in use by another node`);
    this.#locked = true;
  }

  unlock(): void {
    this.#locked = false;
  }

  /** A file without a name is kept until nobody has it open, as on disks. */
  #closed(file: RowFile): void {
    file.opens--;
    if (!file.named && file.opens === 0) this.#rows.cutChunks(file.id, 0);
  }
}

class RowHandle implements FileHandle {
  readonly #file: RowFile;
  readonly #rows: Rows;
  readonly #later: (callback: () => void) => void;
  readonly #onClose: () => void;
  #open = true;

  constructor(
    file: RowFile,
    rows: Rows,
    later: (callback: () => void) => void,
    onClose: () => void,
  ) {
    this.#file = file;
    this.#rows = rows;
    this.#later = later;
    this.#onClose = onClose;
  }

  size(): number {
    this.#check();
    return this.#file.size;
  }

  read(out: Uint8Array, position: number): number {
    this.#check();
    const { id, size } = this.#file;
    const count = Math.max(0, Math.min(out.length, size - position));
    for (let done = 0; done < count; ) {
      const { chunk, from, length } = placeOf(position + done, count - done);
      out.set(this.#rows.read(id, chunk, from, length), done);
      done += length;
    }
    return count;
  }

  write(bytes: Uint8Array, position: number): number {
    this.#check();
    if (position > this.#file.size) this.#extend(position);
    for (let done = 0; done < bytes.length; ) {
      const { chunk, from, length } = placeOf(position + done, bytes.length - done);
      this.#writeChunk(chunk, from, bytes.subarray(done, done + length));
      done += length;
      this.#file.size = Math.max(this.#file.size, position + done);
    }
    return bytes.length;
  }

  truncate(size: number): void {
    this.#check();
    if (size >= this.#file.size) {
      this.#extend(size);
      return;
    }
    const { chunk, from } = placeOf(size, 1);
    const kept = from === 0 ? null : this.#rows.read(this.#file.id, chunk, 0, from);
    this.#rows.cutChunks(this.#file.id, chunk);
    if (kept !== null) this.#rows.put(this.#file.id, chunk, kept);
    this.#file.size = size;
  }

  sync(): void {
    this.#check();
  }

  syncAsync(done: (error: FileError | null) => void): void {
    this.#check();
    this.#later(() => done(null));
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#onClose();
  }

  /** Zeros up to `size`: every chunk but the last is whole. */
  #extend(size: number): void {
    const file = this.#file;
    while (file.size < size) {
      const { chunk, from, length } = placeOf(file.size, size - file.size);
      this.#writeChunk(chunk, from, new Uint8Array(length));
      file.size += length;
    }
  }

  #writeChunk(chunk: number, from: number, bytes: Uint8Array): void {
    const { id, size } = this.#file;
    const there = Math.max(0, Math.min(ROW_CHUNK_BYTES, size - chunk * ROW_CHUNK_BYTES));
    if (from === 0 && bytes.length >= there) {
      this.#rows.put(id, chunk, bytes);
      return;
    }
    const whole = new Uint8Array(Math.max(there, from + bytes.length));
    whole.set(this.#rows.read(id, chunk, 0, there));
    whole.set(bytes, from);
    this.#rows.put(id, chunk, whole);
  }

  #check(): void {
    if (!this.#open) throw new FileError('closed', 'this file is closed');
  }
}

/** The chunk that byte `position` is in, and how many of `bytes` are in the same one. */
function placeOf(position: number, bytes: number): { chunk: number; from: number; length: number } {
  const chunk = Math.floor(position / ROW_CHUNK_BYTES);
  const from = position - chunk * ROW_CHUNK_BYTES;
  assert(chunk < CHUNKS_MAX, 'a file in rows has at most 1 TiB');
  return { chunk, from, length: Math.min(bytes, ROW_CHUNK_BYTES - from) };
}

/** The statements. */
class Rows {
  readonly #storage: RowStorage;
  readonly #label: string;

  constructor(storage: RowStorage, label: string) {
    this.#storage = storage;
    this.#label = label;
  }

  /** Chunks of files that had no name when the object ended are nobody's. */
  createTables(): void {
    this.#exec('CREATE TABLE IF NOT EXISTS files (id INTEGER PRIMARY KEY, name TEXT NOT NULL)');
    this.#exec(
      'CREATE TABLE IF NOT EXISTS file_chunks (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL)',
    );
    const known = this.#exec('SELECT id FROM files ORDER BY id').map(({ id }) => numberOf(id));
    let from = 0;
    for (const id of [...known, CHUNKS_MAX]) {
      this.#exec(
        'DELETE FROM file_chunks WHERE id >= ? AND id < ?',
        from * CHUNKS_MAX,
        id * CHUNKS_MAX,
      );
      from = id + 1;
    }
  }

  files(): { id: number; name: string; size: number }[] {
    return this.#exec('SELECT id, name FROM files ORDER BY id').map((row) => {
      const id = numberOf(row['id']);
      const [last] = this.#exec(
        'SELECT id, length(bytes) AS bytes FROM file_chunks WHERE id >= ? AND id < ? ORDER BY id DESC LIMIT 1',
        id * CHUNKS_MAX,
        (id + 1) * CHUNKS_MAX,
      );
      const chunk = last === undefined ? 0 : numberOf(last['id']) - id * CHUNKS_MAX;
      const size = last === undefined ? 0 : chunk * ROW_CHUNK_BYTES + numberOf(last['bytes']);
      return { id, name: String(row['name']), size };
    });
  }

  putName(id: number, name: string): void {
    this.#exec('INSERT OR REPLACE INTO files (id, name) VALUES (?, ?)', id, name);
  }

  removeName(id: number): void {
    this.#exec('DELETE FROM files WHERE id = ?', id);
  }

  read(file: number, chunk: number, from: number, length: number): Uint8Array {
    const [row] = this.#exec(
      'SELECT substr(bytes, ?, ?) AS bytes FROM file_chunks WHERE id = ?',
      from + 1,
      length,
      file * CHUNKS_MAX + chunk,
    );
    const bytes = blobOf(row?.['bytes']);
    if (bytes?.length !== length) {
      throw new FileError('io', `${this.#label}: chunk ${chunk} of file ${file} is damaged`);
    }
    return bytes;
  }

  put(file: number, chunk: number, bytes: Uint8Array): void {
    this.#exec(
      'INSERT OR REPLACE INTO file_chunks (id, bytes) VALUES (?, ?)',
      file * CHUNKS_MAX + chunk,
      bytes,
    );
  }

  /** Removes chunk `from` and those behind it. */
  cutChunks(file: number, from: number): void {
    this.#exec(
      'DELETE FROM file_chunks WHERE id >= ? AND id < ?',
      file * CHUNKS_MAX + from,
      (file + 1) * CHUNKS_MAX,
    );
  }

  #exec(sql: string, ...params: RowParam[]): FoundRow[] {
    try {
      return [...this.#storage.exec(sql, ...params)];
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const kind = /\bfull\b|SQLITE_FULL/i.test(message) ? 'no-space' : 'io';
      throw new FileError(kind, `${this.#label}: ${message}`, error);
    }
  }
}
