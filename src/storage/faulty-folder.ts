/**
 * Faults under the storage rooms: wraps any folder and asks before each operation what shall happen to it. No
 * randomness of its own; a test or a simulator decides by operation, or by its number.
 */
import {
  FileError,
  type FileErrorKind,
  type FileFolder,
  type FileHandle,
} from '../platform/files.ts';

/** Kinds of operation that a fault can hit. */
export type FileOperationKind =
  | 'open'
  | 'read'
  | 'write'
  | 'truncate'
  | 'sync'
  | 'rename'
  | 'remove'
  | 'syncFolder';

/** One operation that is about to happen. */
export interface FileOperation {
  readonly kind: FileOperationKind;
  /** The file, or the old name of a rename; '' for the folder. */
  readonly file: string;
  /** Where a read, write or truncate starts; else 0. */
  readonly position: number;
  /** Bytes of a read or write; else 0. */
  readonly length: number;
  /** Operations before this one on this folder. */
  readonly number: number;
}

/**
 * What happens instead: an error before anything is done; a write that stops after `bytes` bytes; a read that gives fewer;
 * a flipped bit (counted from the operation's first) in what is read or written; a sync on a thread that never ends; the end of the
 * process (`SimulatedCrash` here and in every later operation).
 */
export type Fault =
  | { readonly type: 'error'; readonly kind: FileErrorKind }
  | { readonly type: 'short'; readonly bytes: number }
  | { readonly type: 'flip'; readonly bit: number }
  | { readonly type: 'hang' }
  | { readonly type: 'crash' };

/** Decides about one operation; null lets it happen. */
export type FaultPlan = (operation: FileOperation) => Fault | null;

/** Thrown in place of the operation at which the simulated process died. */
export class SimulatedCrash extends Error {
  override readonly name = 'SimulatedCrash';
}

/** A folder whose operations `plan` may spoil. */
export function createFaultyFolder(inner: FileFolder, plan: FaultPlan): FileFolder {
  const faults = new Faults(plan);
  return {
    label: inner.label,
    open(name, options) {
      faults.check('open', name);
      return new FaultyHandle(inner.open(name, options), name, faults);
    },
    list: () => inner.list(),
    exists: (name) => inner.exists(name),
    rename(from, to) {
      faults.check('rename', from);
      inner.rename(from, to);
    },
    remove(name) {
      faults.check('remove', name);
      inner.remove(name);
    },
    syncFolder() {
      faults.check('syncFolder', '');
      inner.syncFolder();
    },
    lock: () => inner.lock(),
    unlock: () => inner.unlock(),
  };
}

class Faults {
  readonly #plan: FaultPlan;
  #number = 0;
  #dead = false;

  constructor(plan: FaultPlan) {
    this.#plan = plan;
  }

  /** Throws what the plan wants thrown; returns what the operation has to do itself. */
  check(
    kind: FileOperationKind,
    file: string,
    position = 0,
    length = 0,
  ): Exclude<Fault, { type: 'error' | 'crash' }> | null {
    if (this.#dead) throw new SimulatedCrash('the process is dead');
    const fault = this.#plan({ kind, file, position, length, number: this.#number++ });
    if (fault === null) return null;
    if (fault.type === 'error') {
      throw new FileError(fault.kind, `${kind} of ${file || 'the folder'} failed (${fault.kind})`);
    }
    if (fault.type === 'crash') {
      this.#dead = true;
      throw new SimulatedCrash(`died at ${kind} of ${file}`);
    }
    return fault;
  }
}

class FaultyHandle implements FileHandle {
  readonly #inner: FileHandle;
  readonly #name: string;
  readonly #faults: Faults;

  constructor(inner: FileHandle, name: string, faults: Faults) {
    this.#inner = inner;
    this.#name = name;
    this.#faults = faults;
  }

  size(): number {
    return this.#inner.size();
  }

  read(out: Uint8Array, position: number): number {
    const fault = this.#faults.check('read', this.#name, position, out.length);
    if (fault?.type === 'short') {
      return this.#inner.read(out.subarray(0, Math.max(1, fault.bytes)), position);
    }
    const count = this.#inner.read(out, position);
    if (fault?.type === 'flip') flip(out.subarray(0, count), fault.bit);
    return count;
  }

  write(bytes: Uint8Array, position: number): number {
    const fault = this.#faults.check('write', this.#name, position, bytes.length);
    if (fault?.type === 'short') {
      return fault.bytes === 0 ? 0 : this.#inner.write(bytes.subarray(0, fault.bytes), position);
    }
    if (fault?.type === 'flip') {
      const changed = bytes.slice();
      flip(changed, fault.bit);
      return this.#inner.write(changed, position);
    }
    return this.#inner.write(bytes, position);
  }

  truncate(size: number): void {
    this.#faults.check('truncate', this.#name, size);
    this.#inner.truncate(size);
  }

  sync(): void {
    this.#faults.check('sync', this.#name);
    this.#inner.sync();
  }

  syncAsync(done: (error: FileError | null) => void): void {
    let failure: FileError | null = null;
    try {
      if (this.#faults.check('sync', this.#name)?.type === 'hang') return;
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      failure = error;
    }
    this.#inner.syncAsync((error) => done(failure ?? error));
  }

  close(): void {
    this.#inner.close();
  }
}

function flip(bytes: Uint8Array, bit: number): void {
  const at = Math.floor(bit / 8);
  if (at < bytes.length) bytes[at] = bytes[at]! ^ (1 << (bit % 8));
}
