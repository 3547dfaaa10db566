/**
 * The file system that SQLite sees: one database file, `main.db`, whose pages are a page store; no journals, no
 * temporary files. One writer per instance of the writer's kind, any number of readers in an instance of theirs.
 */
import { assert } from '../../src/wire/assert.ts';
import { PAGE_SIZE, type PageStore, type Pin } from '../page-store.ts';
import { SQLITE } from './codes.ts';
import { WORD } from './control.ts';
import { IO_METHODS, type Pointer, VFS_METHODS } from './exports.ts';
import type { Callbacks, Instance } from './instance.ts';

/** Name of the only file there is. */
export const DATABASE_NAME = 'main.db';

const OPEN_READONLY = 0x1;
const OPEN_MAIN_DB = 0x100;
const FILE_BYTES = 64;
const FILE_LOCKED = 12;
const FILE_EPOCH = 16;

interface ReaderFile {
  readonly pointer: Pointer;
  pin: Pin | null;
}

/** Joins an instance to a page store. */
export class PageFiles {
  readonly #store: PageStore;
  readonly #instance: Instance;
  readonly #ioMethods: Pointer;
  readonly #readers = new Map<number, ReaderFile>();
  readonly #unsubscribe: (() => void)[] = [];
  readonly #writable: boolean;
  #writerFile = 0;
  #nextId = 1;

  /** Registers itself as the only VFS of `instance`. `writable` instances open the writer, others readers. */
  constructor(instance: Instance, store: PageStore, writable: boolean) {
    assert(store.pageSize === PAGE_SIZE, () => `a page store of ${store.pageSize}-byte pages`);
    this.#instance = instance;
    this.#store = store;
    this.#writable = writable;
    this.#ioMethods = this.#register();
    if (writable) return;
    this.#unsubscribe.push(store.onBeforeCommit(() => this.#pinReaders()));
    this.#unsubscribe.push(store.onCommit(() => this.#publish()));
    this.#publish();
  }

  /** The trampolines' imports that concern files. `files` is asked late, since the instance is made first. */
  static callbacks(
    files: () => PageFiles,
  ): Pick<Callbacks, 'read' | 'write' | 'truncate' | 'size' | 'commit' | 'open' | 'close'> {
    return {
      read: (to, bytes, offset, epoch) => files().#read(to, bytes, offset, epoch),
      write: (from, bytes, offset, lo, hi) => files().#write(from, bytes, offset, lo, hi),
      truncate: (bytes) => files().#truncate(bytes),
      size: () => files().#store.pendingPageCount * PAGE_SIZE,
      commit: () => files().#commit(),
      open: (name, file, flags, out) => files().#open(name, file, flags, out),
      close: (id) => files().#close(id),
    };
  }

  /** Lets go of the store; nothing inside the instance is touched, so it is safe after a crash. */
  detach(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#unsubscribe.length = 0;
    for (const file of this.#readers.values()) file.pin?.release();
    this.#readers.clear();
  }

  /** Epoch that the reader file at `pointer` shows: the one it is locked on, else the newest. */
  epochOf(pointer: Pointer): number {
    const { i32, f64 } = this.#instance;
    const locked = i32[(pointer + FILE_LOCKED) >> 2] === 1;
    return locked ? f64[(pointer + FILE_EPOCH) >> 3]! : this.#store.epoch;
  }

  /** Address of the file opened last. */
  get lastOpened(): Pointer {
    return [...this.#readers.values()].at(-1)?.pointer ?? 0;
  }

  #register(): Pointer {
    const instance = this.#instance;
    const { x } = instance;
    const io = instance.allocate(4 + 4 * IO_METHODS.length);
    const name = instance.allocateText('pages').pointer;
    const vfs = instance.allocate(24 + 4 * VFS_METHODS.length + 12);
    instance.i32[io >> 2] = 1;
    IO_METHODS.forEach((method, i) => {
      instance.i32[(io >> 2) + 1 + i] = instance.callback(method);
    });
    const head = [2, FILE_BYTES, 64, 0, name, 0];
    head.forEach((word, i) => {
      instance.i32[(vfs >> 2) + i] = word;
    });
    VFS_METHODS.forEach((method, i) => {
      instance.i32[(vfs >> 2) + 6 + i] = instance.callback(method);
    });
    for (let other = x.sqlite3_vfs_find(0); other !== 0; other = x.sqlite3_vfs_find(0)) {
      x.sqlite3_vfs_unregister(other);
    }
    assert(x.sqlite3_vfs_register(vfs, 1) === 0, 'the VFS was not registered');
    return io;
  }

  #read(to: Pointer, bytes: number, offset: number, epoch: number): number {
    const out = this.#instance.u8.subarray(to, to + bytes);
    return this.#store.read(epoch, offset, out) ? SQLITE.OK : SQLITE.IOERR_SHORT_READ;
  }

  #write(from: Pointer, bytes: number, offset: number, lo: number, hi: number): number {
    const page = offset / PAGE_SIZE + 1;
    this.#store.write(page, this.#instance.u8.subarray(from, from + bytes), lo, hi);
    return SQLITE.OK;
  }

  #truncate(bytes: number): number {
    this.#store.truncate(Math.ceil(bytes / PAGE_SIZE));
    return SQLITE.OK;
  }

  #commit(): number {
    this.#store.commit();
    return SQLITE.OK;
  }

  #open(name: Pointer, file: Pointer, flags: number, out: Pointer): number {
    const reader = (flags & OPEN_READONLY) !== 0;
    if ((flags & OPEN_MAIN_DB) === 0) return SQLITE.CANTOPEN;
    if (this.#instance.text(name) !== DATABASE_NAME) return SQLITE.CANTOPEN;
    if (reader === this.#writable || (!reader && this.#writerFile !== 0)) return SQLITE.CANTOPEN;
    const id = this.#nextId++;
    const { u8, i32 } = this.#instance;
    u8.fill(0, file, file + FILE_BYTES);
    i32[file >> 2] = this.#ioMethods;
    i32[(file >> 2) + 1] = id;
    i32[(file >> 2) + 2] = reader ? 1 : 0;
    if (out !== 0) i32[out >> 2] = flags;
    if (reader) this.#readers.set(id, { pointer: file, pin: null });
    else this.#writerFile = id;
    return SQLITE.OK;
  }

  #close(id: number): void {
    if (id === this.#writerFile) {
      this.#writerFile = 0;
      this.#store.abort();
    }
    this.#readers.get(id)?.pin?.release();
    this.#readers.delete(id);
  }

  /** Before a commit may free versions: what readers hold by their locks becomes pins. */
  #pinReaders(): void {
    if (this.#readers.size === 0) return;
    const { i32, f64 } = this.#instance;
    for (const file of this.#readers.values()) {
      const locked = i32[(file.pointer + FILE_LOCKED) >> 2] === 1;
      const epoch = f64[(file.pointer + FILE_EPOCH) >> 3]!;
      if (file.pin !== null && (!locked || file.pin.epoch !== epoch)) {
        file.pin.release();
        file.pin = null;
      }
      if (!locked || file.pin !== null) continue;
      file.pin = this.#store.pin();
      assert(file.pin.epoch === epoch, () => `a reader is locked on epoch ${epoch}, which is gone`);
    }
  }

  /** Tells the readers' instance which commit is the newest. */
  #publish(): void {
    const { i32, f64, u8, control } = this.#instance;
    const { epoch, pageCount } = this.#store;
    const bytes = pageCount * PAGE_SIZE;
    const words = control >> 2;
    const header = control + 4 * WORD.header;
    f64[(control >> 3) + WORD.epoch / 2] = epoch;
    i32[words + WORD.bytes] = bytes | 0;
    i32[words + WORD.bytes + 1] = Math.floor(bytes / 4_294_967_296);
    this.#store.read(epoch, 24, u8.subarray(header, header + 16));
    i32[words + WORD.header] = epoch | 0;
  }
}
