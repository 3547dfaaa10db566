/** A folder on a disk, through Node's synchronous file calls. */
import {
  close,
  closeSync,
  existsSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import {
  FileError,
  type FileErrorKind,
  type FileFolder,
  type FileHandle,
} from '../../platform/files.ts';
import { type FolderLock, LOCK_FILE, lockFolder } from './lock.ts';

/**
 * Opens the folder at `path`, which is created when it does not exist. `label` is the absolute path. Take its lock
 * before using it.
 *
 * @example
 * const folder = openNodeFolder('./data/node-1');
 * folder.lock();
 */
export function openNodeFolder(path: string): FileFolder {
  const absolute = resolve(path);
  guard(absolute, () => createFolder(absolute));
  return new NodeFolder(absolute);
}

/** Creates a folder and its missing parents; each new name is synced in its parent (rule D7). */
function createFolder(path: string): void {
  if (existsSync(path)) return;
  const parent = dirname(path);
  createFolder(parent);
  try {
    // Not `recursive`: that never ends where a folder cannot be made though its parent is there (/proc).
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another node of this machine was faster.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  syncDirectory(parent);
}

class NodeFolder implements FileFolder {
  readonly label: string;
  #lock: FolderLock | null = null;

  constructor(path: string) {
    this.label = path;
  }

  open(name: string, options: { create: boolean }): FileHandle {
    const path = this.#path(name);
    return guard(path, () => {
      const fd = openExisting(path) ?? (options.create ? openSync(path, 'wx+', 0o600) : null);
      if (fd === null) throw new FileError('not-found', `${path} does not exist`);
      return new NodeFile(fd, path);
    });
  }

  list(): string[] {
    return guard(this.label, () => {
      const files = readdirSync(this.label, { withFileTypes: true });
      return files
        .filter((file) => file.isFile() && file.name !== LOCK_FILE)
        .map((file) => file.name)
        .sort();
    });
  }

  exists(name: string): boolean {
    return existsSync(this.#path(name));
  }

  rename(from: string, to: string): void {
    guard(this.#path(from), () => renameSync(this.#path(from), this.#path(to)));
  }

  remove(name: string): void {
    guard(this.#path(name), () => rmSync(this.#path(name)));
  }

  syncFolder(): void {
    guard(this.label, () => syncDirectory(this.label));
  }

  lock(): void {
    if (this.#lock !== null) {
      throw new FileError('locked', `${this.label} is in use by another node of this process`);
    }
    this.#lock = guard(this.label, () => lockFolder(this.label));
  }

  unlock(): void {
    this.#lock?.release();
    this.#lock = null;
  }

  #path(name: string): string {
    return join(this.label, name);
  }
}

class NodeFile implements FileHandle {
  readonly #fd: number;
  readonly #path: string;
  #closed = false;
  /** Syncs on the thread pool: the descriptor must outlive them. */
  #syncs = 0;

  constructor(fd: number, path: string) {
    this.#fd = fd;
    this.#path = path;
  }

  size(): number {
    return guard(this.#path, () => fstatSync(this.#open()).size);
  }

  read(out: Uint8Array, position: number): number {
    try {
      return readSync(this.#open(), out, 0, out.length, position);
    } catch (error) {
      throw fileError(this.#path, error);
    }
  }

  write(bytes: Uint8Array, position: number): number {
    try {
      return writeSync(this.#open(), bytes, 0, bytes.length, position);
    } catch (error) {
      throw fileError(this.#path, error);
    }
  }

  truncate(size: number): void {
    guard(this.#path, () => ftruncateSync(this.#open(), size));
  }

  sync(): void {
    try {
      fdatasyncSync(this.#open());
    } catch (error) {
      throw fileError(this.#path, error);
    }
  }

  syncAsync(done: (error: FileError | null) => void): void {
    const fd = this.#open();
    this.#syncs++;
    fdatasync(fd, (error) => {
      this.#syncs--;
      if (this.#closed && this.#syncs === 0) close(fd, ignore);
      done(error === null ? null : fileError(this.#path, error));
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#syncs === 0) guard(this.#path, () => closeSync(this.#fd));
  }

  #open(): number {
    if (this.#closed) throw new FileError('closed', `${this.#path} is closed`);
    return this.#fd;
  }
}

function ignore(): void {}

function openExisting(path: string): number | null {
  try {
    return openSync(path, 'r+');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** Syncs the names in a folder. Windows has no such call and orders its metadata itself. */
function syncDirectory(path: string): void {
  if (process.platform === 'win32') return;
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function guard<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw fileError(path, error);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

const KINDS: Readonly<Record<string, FileErrorKind>> = {
  ENOENT: 'not-found',
  ENOSPC: 'no-space',
  EDQUOT: 'no-space',
  EFBIG: 'no-space',
};

function fileError(path: string, error: unknown): FileError {
  if (error instanceof FileError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new FileError(KINDS[codeOf(error)] ?? 'io', `${path}: ${message}`, error);
}
