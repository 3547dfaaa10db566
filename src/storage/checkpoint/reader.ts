/** A checkpoint pinned and opened file by file, for streaming (rule S8). */
import { FileError, type FileHandle } from '../../platform/files.ts';
import { assert } from '../../wire/assert.ts';
import type { SnapshotReader } from '../contract.ts';
import { readFully, storageFailed } from '../file-io.ts';
import type { CheckpointFiles } from './checkpoint-files.ts';
import { encodeManifest, type Manifest } from './manifest.ts';

/** Pins the checkpoint of `manifest`. `read` throws `STORAGE_FAILED` when the disk does. */
export function openReader(files: CheckpointFiles, manifest: Manifest): SnapshotReader {
  const unpin = files.pin(manifest);
  const handles: (FileHandle | undefined)[] = [];
  return {
    meta: manifest.meta,
    files: manifest.files.map(({ name, bytes }) => ({ name, bytes })),
    manifest: encodeManifest(manifest),
    read(file, offset, length) {
      const { name, bytes } = manifest.files[file]!;
      assert(offset + length <= bytes, () => `${name} has ${bytes} bytes`);
      const out = new Uint8Array(length);
      try {
        handles[file] ??= files.folder.open(name, { create: false });
        const count = readFully(handles[file], out, offset);
        if (count < length) throw new FileError('io', `${name} ends too early`);
        return out;
      } catch (error) {
        if (error instanceof FileError) throw storageFailed(files.label, error, 'unknown');
        throw error;
      }
    },
    close() {
      for (const handle of handles) handle?.close();
      handles.length = 0;
      unpin();
    },
  };
}
