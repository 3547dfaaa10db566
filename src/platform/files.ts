/**
 * The file layer under log and checkpoints: one flat folder of files with synchronous access, which Node, Deno, Bun and
 * OPFS all have. Faults are injected here in tests; the virtual runtime implements it with unsynced writes that a crash
 * may keep, lose, tear or reorder.
 *
 * Every method may throw `FileError`. After a failed `sync` the file's state is unknown: the node stops (rule D3).
 */

/** Why a file operation failed. */
export type FileErrorKind = 'not-found' | 'no-space' | 'io' | 'locked' | 'closed';

/** A failed file operation; the operating system's own error is its `cause`. */
export class FileError extends Error {
  override readonly name = 'FileError';
  readonly kind: FileErrorKind;
  constructor(kind: FileErrorKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
  }
}

/** An open file. */
export interface FileHandle {
  size(): number;
  /** Reads up to `out.length` bytes at `position`; returns how many were there. */
  read(out: Uint8Array, position: number): number;
  /** Writes at `position`; returns how many bytes were written (a short write is not an error of its own). */
  write(bytes: Uint8Array, position: number): number;
  truncate(size: number): void;
  /** Blocks until data and size are on the medium. */
  sync(): void;
  /** The same on a thread, where the runtime has one; calls back exactly once, never before returning. */
  syncAsync(done: (error: FileError | null) => void): void;
  close(): void;
}

/** A folder that belongs to one node. */
export interface FileFolder {
  /** A name for messages, such as the path. */
  readonly label: string;
  open(name: string, options: { create: boolean }): FileHandle;
  list(): string[];
  exists(name: string): boolean;
  rename(from: string, to: string): void;
  remove(name: string): void;
  /** Makes creations, renames and removals durable. */
  syncFolder(): void;
  /** Takes the folder for this process until `unlock`; throws `FileError('locked')` when another one has it. */
  lock(): void;
  unlock(): void;
}
