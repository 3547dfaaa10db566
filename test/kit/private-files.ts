/**
 * The origin private file system as far as the drivers use it, in memory: one synchronous handle per file, writes that
 * last when flushed. Browsers run the same suites over the real one.
 */

class File {
  bytes: Uint8Array = new Uint8Array(0);
  durable: Uint8Array = new Uint8Array(0);
  open = false;
}

function domException(name: string): Error {
  return Object.assign(new Error(name), { name });
}

class Access {
  readonly #file: File;
  readonly #disk: PrivateFiles;
  #closed = false;

  constructor(file: File, disk: PrivateFiles) {
    this.#file = file;
    this.#disk = disk;
  }

  #live(): File {
    if (this.#closed || this.#disk.dead(this)) throw domException('InvalidStateError');
    return this.#file;
  }

  getSize(): number {
    return this.#live().bytes.length;
  }

  read(out: Uint8Array, { at }: { at: number }): number {
    const part = this.#live().bytes.subarray(at, at + out.length);
    out.set(part);
    return part.length;
  }

  write(bytes: Uint8Array, { at }: { at: number }): number {
    const file = this.#live();
    if (this.#disk.full) throw domException('QuotaExceededError');
    if (at + bytes.length > file.bytes.length) this.truncate(at + bytes.length);
    file.bytes.set(bytes, at);
    return bytes.length;
  }

  truncate(size: number): void {
    const file = this.#live();
    const resized = new Uint8Array(size);
    resized.set(file.bytes.subarray(0, size));
    file.bytes = resized;
  }

  flush(): void {
    const file = this.#live();
    file.durable = file.bytes.slice();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#file.open = false;
  }
}

/** A directory. */
export class PrivateFiles {
  full = false;
  readonly #files = new Map<string, File>();
  #accesses = new Set<Access>();
  #life = 0;

  dead(access: Access): boolean {
    return !this.#accesses.has(access);
  }

  /** What the drivers take; of no use any more to a worker that was killed. */
  get handle(): FileSystemDirectoryHandle {
    const life = this.#life;
    const alive = <T>(work: () => T): Promise<T> =>
      Promise.resolve().then(() => (life === this.#life ? work() : new Promise<never>(() => {})));
    const files = this.#files;
    const directory = {
      name: 'node-1',
      getFileHandle: (name: string) =>
        alive(() => {
          const file = files.get(name) ?? new File();
          files.set(name, file);
          return { createSyncAccessHandle: () => alive(() => this.#access(file)) };
        }),
      async *keys(): AsyncIterableIterator<string> {
        yield* [...files.keys()];
      },
    };
    return directory as unknown as FileSystemDirectoryHandle;
  }

  #access(file: File): Access {
    if (file.open) throw domException('NoModificationAllowedError');
    file.open = true;
    const access = new Access(file, this);
    this.#accesses.add(access);
    return access;
  }

  /** The worker ends; the machine too, when `lost`: then what was not flushed is gone. */
  kill(lost: boolean): void {
    this.#accesses = new Set();
    this.#life++;
    for (const file of this.#files.values()) {
      file.open = false;
      if (lost) file.bytes = file.durable.slice();
    }
  }
}
