/** Whole reads and writes over `FileHandle`, and the errors of this room. */
import { FileError, type FileFolder, type FileHandle } from '../platform/files.ts';
import { type Outcome, QuorliteError } from '../wire/error.ts';

/** Writes all of `bytes` at `position`, continuing after short writes. Throws `FileError` when nothing more goes in. */
export function writeFully(handle: FileHandle, bytes: Uint8Array, position: number): void {
  let written = handle.write(bytes, position);
  while (written < bytes.length) {
    const more = handle.write(bytes.subarray(written), position + written);
    if (more <= 0) throw new FileError('io', `a write stopped after ${written} bytes`);
    written += more;
  }
}

/** Reads up to `out.length` bytes at `position`, continuing after short reads; returns how many there were. */
export function readFully(handle: FileHandle, out: Uint8Array, position: number): number {
  let read = 0;
  while (read < out.length) {
    const more = handle.read(read === 0 ? out : out.subarray(read), position + read);
    if (more <= 0) break;
    read += more;
  }
  return read;
}

/** The whole content of a file of at most `limit` bytes; null when it is longer. */
export function readWhole(folder: FileFolder, name: string, limit: number): Uint8Array | null {
  const handle = folder.open(name, { create: false });
  try {
    const size = handle.size();
    if (size > limit) return null;
    const bytes = new Uint8Array(size);
    return bytes.subarray(0, readFully(handle, bytes, 0));
  } finally {
    handle.close();
  }
}

/**
 * Replaces a small file atomically and durably: temp → sync → rename → folder sync (rule S1). After a crash the file
 * holds the old bytes or the new ones.
 */
export function replaceFile(folder: FileFolder, name: string, bytes: Uint8Array): void {
  const temp = `${name}.tmp`;
  const handle = folder.open(temp, { create: true });
  try {
    handle.truncate(0);
    writeFully(handle, bytes, 0);
    handle.sync();
  } finally {
    handle.close();
  }
  folder.rename(temp, name);
  folder.syncFolder();
}

/** Turns a failure of the file layer into the error that the node shows. */
export function storageFailed(label: string, error: FileError, outcome: Outcome): QuorliteError {
  const hint =
    error.kind === 'no-space'
      ? 'free space on this disk, then start the node again; nothing acknowledged is lost'
      : 'check the disk and its file system, then start the node again';
  return new QuorliteError('STORAGE_FAILED', `${label}: ${error.message}`, {
    outcome,
    hint,
    cause: error,
  });
}

/** Bytes on the medium that were once good and are not any more. */
export function corruptFile(file: string, offset: number, what: string): QuorliteError {
  return new QuorliteError('CORRUPT', `${file} at offset ${offset}: ${what}`, {
    outcome: 'unknown',
    hint:
      'this data was synced once, so it must not be cut off: keep a copy of the folder, then move it away and start ' +
      'the node with an empty one, it rejoins as a new replica and is filled by its peers',
  });
}
