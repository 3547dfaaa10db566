/**
 * A folder in memory that behaves like one on a disk: what was not synced may be lost. The virtual runtime, the
 * simulator and the tests run log and checkpoints on it.
 *
 * Each file has two contents: what reads see, and what is on the medium. `sync` brings the second up to the first. Names
 * are kept twice as well, and `syncFolder` does the same for them. `crash` throws the first of each away after a chooser
 * has decided, write by write and sector by sector, what of the rest had reached the medium anyway.
 */
import { FileError, type FileFolder, type FileHandle } from '../platform/files.ts';
import { assert, must } from '../wire/assert.ts';

/** Bytes that a disk writes as a whole. */
export const SECTOR_BYTES = 512;

/** Something that was done and not synced when the crash came. */
export type Unsynced =
  | {
      readonly type: 'write';
      readonly file: string;
      readonly position: number;
      readonly bytes: Uint8Array;
    }
  | { readonly type: 'truncate'; readonly file: string; readonly size: number }
  | { readonly type: 'link'; readonly name: string }
  | { readonly type: 'rename'; readonly from: string; readonly to: string }
  | { readonly type: 'remove'; readonly name: string };

/** What of it survives: all, nothing, or, of a write, the sectors (counted from its first) that the function keeps. */
export type Survival = boolean | ((sector: number) => boolean);

/** How a folder in memory is made. */
export interface MemoryFolderOptions {
  /** Default `memory`. */
  readonly label?: string | undefined;
  /** Runs a callback later, never at once: how `syncAsync` completes. Default: a microtask. */
  readonly later?: ((callback: () => void) => void) | undefined;
  /** False keeps no second content to crash to: half the memory, for storage that ends with its process. Default true. */
  readonly crashable?: boolean | undefined;
}

/** A folder in memory. */
export interface MemoryFolder extends FileFolder {
  /**
   * The machine loses power: open handles and the lock are gone. Asks `survives` about every unsynced operation, per
   * file in the order in which they were done, then about names. Without a chooser nothing unsynced survives.
   */
  crash(survives?: (operation: Unsynced) => Survival): void;
  /** The process dies and the machine stays up (`kill -9`): handles and lock are gone, everything written is there. */
  kill(): void;
  /** Changes bytes on the medium and in the cache alike: rot. `change` gets the file's content. */
  damage(name: string, change: (content: Uint8Array) => void): void;
  /** The bytes of a file, as reads see them: a copy. */
  contentOf(name: string): Uint8Array;
}

/** Makes an empty one. */
export function createMemoryFolder(options: MemoryFolderOptions = {}): MemoryFolder {
  const later = options.later ?? ((callback: () => void) => queueMicrotask(callback));
  return new Folder(options.label ?? 'memory', later, options.crashable ?? true);
}

type Pending =
  | { readonly type: 'write'; readonly position: number; readonly bytes: Uint8Array }
  | { readonly type: 'truncate'; readonly size: number };

type NameChange =
  | { readonly type: 'link'; readonly name: string; readonly file: Inode }
  | { readonly type: 'rename'; readonly from: string; readonly to: string; readonly file: Inode }
  | { readonly type: 'remove'; readonly name: string };

/** Bytes that grow by doubling. */
class Content {
  #bytes: Uint8Array = new Uint8Array(0);
  size = 0;

  view(): Uint8Array {
    return this.#bytes.subarray(0, this.size);
  }

  write(bytes: Uint8Array, position: number): void {
    this.resize(Math.max(this.size, position + bytes.length));
    this.#bytes.set(bytes, position);
  }

  resize(size: number): void {
    if (size > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(size, this.#bytes.length * 2));
      grown.set(this.view());
      this.#bytes = grown;
    } else if (size < this.size) {
      this.#bytes.fill(0, size, this.size);
    }
    this.size = size;
  }

  copyFrom(other: Content): void {
    this.#bytes = other.view().slice();
    this.size = other.size;
  }
}

/** A file without its name. */
class Inode {
  readonly seen: Content = new Content();
  readonly durable: Content = new Content();
  readonly #crashable: boolean;
  pending: Pending[] = [];

  constructor(crashable: boolean) {
    this.#crashable = crashable;
  }

  write(bytes: Uint8Array, position: number): void {
    this.seen.write(bytes, position);
    if (this.#crashable) this.pending.push({ type: 'write', position, bytes: bytes.slice() });
  }

  truncate(size: number): void {
    this.seen.resize(size);
    if (this.#crashable) this.pending.push({ type: 'truncate', size });
  }

  /** Makes the first `count` unsynced operations durable. */
  sync(count: number): void {
    for (const operation of this.pending.splice(0, count)) this.settle(operation, true);
  }

  settle(operation: Pending, survives: Survival): void {
    if (survives === false) return;
    if (operation.type === 'truncate') {
      this.durable.resize(operation.size);
    } else if (survives === true) {
      this.durable.write(operation.bytes, operation.position);
    } else {
      this.#settleSectors(operation.bytes, operation.position, survives);
    }
  }

  #settleSectors(bytes: Uint8Array, position: number, keep: (sector: number) => boolean): void {
    const first = Math.floor(position / SECTOR_BYTES);
    const end = position + bytes.length;
    for (let sector = first; sector * SECTOR_BYTES < end; sector++) {
      if (!keep(sector - first)) continue;
      const from = Math.max(position, sector * SECTOR_BYTES);
      const to = Math.min(end, (sector + 1) * SECTOR_BYTES);
      this.durable.write(bytes.subarray(from - position, to - position), from);
    }
  }
}

class Folder implements MemoryFolder {
  readonly label: string;
  readonly #later: (callback: () => void) => void;
  #seen = new Map<string, Inode>();
  #durable = new Map<string, Inode>();
  #pending: NameChange[] = [];
  #locked = false;
  readonly #crashable: boolean;
  /** Grows with each crash: handles of earlier lives are dead. */
  life = 0;

  constructor(label: string, later: (callback: () => void) => void, crashable: boolean) {
    this.label = label;
    this.#later = later;
    this.#crashable = crashable;
  }

  open(name: string, options: { create: boolean }): FileHandle {
    let file = this.#seen.get(name);
    if (file === undefined) {
      if (!options.create) throw notFound(name);
      file = new Inode(this.#crashable);
      this.#seen.set(name, file);
      this.#pending.push({ type: 'link', name, file });
    }
    return new Handle(this, name, file, this.#later);
  }

  list(): string[] {
    return [...this.#seen.keys()].sort();
  }

  exists(name: string): boolean {
    return this.#seen.has(name);
  }

  rename(from: string, to: string): void {
    const file = this.#seen.get(from);
    if (file === undefined) throw notFound(from);
    this.#seen.delete(from);
    this.#seen.set(to, file);
    this.#pending.push({ type: 'rename', from, to, file });
  }

  remove(name: string): void {
    if (!this.#seen.delete(name)) throw notFound(name);
    this.#pending.push({ type: 'remove', name });
  }

  syncFolder(): void {
    if (this.#crashable) this.#durable = new Map(this.#seen);
    this.#pending = [];
  }

  lock(): void {
    if (this.#locked) throw new FileError('locked', `${this.label} is in use by another node`);
    this.#locked = true;
  }

  unlock(): void {
    this.#locked = false;
  }

  crash(survives: (operation: Unsynced) => Survival = () => false): void {
    assert(this.#crashable, 'only a crashable folder can crash');
    this.life++;
    this.#locked = false;
    for (const [name, file] of this.#filesInOrder()) {
      for (const operation of file.pending) {
        file.settle(operation, survives({ ...operation, file: name }));
      }
      file.pending = [];
    }
    for (const change of this.#pending) this.#settleName(change, survives);
    this.#pending = [];
    this.#seen = new Map(this.#durable);
    for (const file of this.#seen.values()) file.seen.copyFrom(file.durable);
  }

  kill(): void {
    this.life++;
    this.#locked = false;
  }

  damage(name: string, change: (content: Uint8Array) => void): void {
    const file = must(this.#seen.get(name), `no file ${name}`);
    assert(file.pending.length === 0, 'rot is tried on synced files');
    change(file.seen.view());
    if (this.#crashable) file.durable.copyFrom(file.seen);
  }

  contentOf(name: string): Uint8Array {
    return must(this.#seen.get(name), `no file ${name}`).seen.view().slice();
  }

  /** All files, also those without a name any more, in a fixed order. */
  #filesInOrder(): [string, Inode][] {
    const files = new Map<Inode, string>();
    for (const [name, file] of this.#durable) files.set(file, name);
    for (const [name, file] of this.#seen) files.set(file, name);
    const sorted = [...files].map(([file, name]): [string, Inode] => [name, file]);
    return sorted.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  }

  #settleName(change: NameChange, survives: (operation: Unsynced) => Survival): void {
    if (change.type === 'link') {
      if (survives({ type: 'link', name: change.name }))
        this.#durable.set(change.name, change.file);
    } else if (change.type === 'rename') {
      const { from, to } = change;
      if (!survives({ type: 'rename', from, to })) return;
      this.#durable.delete(from);
      this.#durable.set(to, change.file);
    } else if (survives({ type: 'remove', name: change.name })) {
      this.#durable.delete(change.name);
    }
  }
}

class Handle implements FileHandle {
  readonly #folder: Folder;
  readonly #name: string;
  readonly #file: Inode;
  readonly #life: number;
  readonly #later: (callback: () => void) => void;
  #closed = false;

  constructor(folder: Folder, name: string, file: Inode, later: (callback: () => void) => void) {
    this.#folder = folder;
    this.#name = name;
    this.#file = file;
    this.#life = folder.life;
    this.#later = later;
  }

  size(): number {
    return this.#alive().seen.size;
  }

  read(out: Uint8Array, position: number): number {
    const content = this.#alive().seen.view();
    if (position >= content.length) return 0;
    const count = Math.min(out.length, content.length - position);
    out.set(content.subarray(position, position + count));
    return count;
  }

  write(bytes: Uint8Array, position: number): number {
    this.#alive().write(bytes, position);
    return bytes.length;
  }

  truncate(size: number): void {
    this.#alive().truncate(size);
  }

  sync(): void {
    const file = this.#alive();
    file.sync(file.pending.length);
  }

  syncAsync(done: (error: FileError | null) => void): void {
    const file = this.#alive();
    const count = file.pending.length;
    this.#later(() => {
      if (this.#folder.life !== this.#life) return;
      // A blocking sync may have come in between and left less.
      file.sync(Math.min(count, file.pending.length));
      done(null);
    });
  }

  close(): void {
    this.#closed = true;
  }

  #alive(): Inode {
    if (this.#closed || this.#folder.life !== this.#life) {
      throw new FileError('closed', `${this.#name} is closed`);
    }
    return this.#file;
  }
}

function notFound(name: string): FileError {
  return new FileError('not-found', `${name} does not exist`);
}
