/**
 * A lock on a folder that the kernel holds: it refuses a second process and a second node of this process, and it is
 * gone when the process is, also after `kill -9`.
 *
 * Node has no call for file locks, so:
 *
 *  - Linux: the process listens on an abstract socket named after the folder's device and inode. Binding is atomic and
 *    needs no cleaning. Such names end at the border of a network namespace, and Bun's are a byte shorter than those of
 *    Node and Deno; so, where the system has `flock(1)`, it also locks the lock file through a descriptor that it inherits:
 *    such a lock belongs to the open file, which is ours.
 *  - macOS, the BSDs and Windows: the flag `O_EXLOCK` of open(2), which libuv has on Windows too, takes the lock.
 */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  ftruncateSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { FileError } from '../../platform/files.ts';

/** Name of the lock file; it stays behind, empty of meaning once nobody holds it. */
export const LOCK_FILE = 'LOCK';

/** A lock that is held. */
export interface FolderLock {
  release(): void;
}

const O_EXLOCK_BSD = 0x20;
const O_NONBLOCK_BSD = 0x4;
const O_EXLOCK_WINDOWS = 0x10000000;
/** What `flock -n` ends with when somebody else holds the lock. */
const FLOCK_CONFLICT = 1;

/**
 * Characters of the socket's name behind its first zero. Node 20 fills the kernel's 108 bytes with zeros while newer ones
 * and Deno bind the name as it is: only a name that fills them is the same to all. Bun takes one byte less.
 */
const NAME_CHARS = 'bun' in process.versions ? 106 : 107;

/** Locks the folder at `path`; throws `FileError('locked')` when another node has it. */
export function lockFolder(path: string): FolderLock {
  return process.platform === 'linux' ? lockOnLinux(path) : lockByFlag(path);
}

function lockOnLinux(path: string): FolderLock {
  const { dev, ino } = statSync(path, { bigint: true });
  const server = listen('\0' + `quorlite-lock-${dev}-${ino}-`.padEnd(NAME_CHARS, '-'));
  if (server === null) throw inUse(path);
  try {
    const fd = openSync(join(path, LOCK_FILE), 'a+', 0o600);
    if (!flock(fd)) {
      closeSync(fd);
      throw inUse(path);
    }
    writeHolder(fd);
    return {
      release() {
        closeSync(fd);
        server.close();
      },
    };
  } catch (error) {
    server.close();
    throw error;
  }
}

/** Binds a name of the abstract namespace; null when it is taken. */
function listen(name: string): Server | null {
  const server = createServer((socket) => socket.destroy());
  // The error comes later; whether it listens is known at once.
  server.on('error', () => {});
  server.listen({ path: name, exclusive: true });
  if (!server.listening) return null;
  server.unref();
  return server;
}

/** False when another process holds the lock; true also where `flock` does not exist. */
function flock(fd: number): boolean {
  const { status } = spawnSync('flock', ['-n', '-x', '3'], {
    stdio: ['ignore', 'ignore', 'ignore', fd],
  });
  return status !== FLOCK_CONFLICT;
}

function lockByFlag(path: string): FolderLock {
  const windows = process.platform === 'win32';
  const lock = windows ? O_EXLOCK_WINDOWS : O_EXLOCK_BSD | O_NONBLOCK_BSD;
  try {
    const flags = constants.O_RDWR | constants.O_CREAT | lock;
    const fd = openSync(join(path, LOCK_FILE), flags, 0o600);
    writeHolder(fd);
    return { release: () => closeSync(fd) };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === 'EAGAIN' || code === 'EBUSY') throw inUse(path);
    throw error;
  }
}

/** Notes who holds the lock, for people; nothing decides by it. */
function writeHolder(fd: number): void {
  ftruncateSync(fd, 0);
  writeSync(fd, `${process.pid}\n`);
}

function inUse(path: string): FileError {
  const pid = holder(path);
  const who = pid === '' ? 'another node' : `another node (process ${pid})`;
  return new FileError(
    'locked',
    `${path} is in use by ${who}; stop it, or give this node a folder of its own (dataDir)`,
  );
}

function holder(path: string): string {
  try {
    return readFileSync(join(path, LOCK_FILE), 'utf8').trim();
  } catch {
    return '';
  }
}
