/** Writes the file of a new checkpoint, slice by slice. */
import type { FileHandle } from '../../platform/files.ts';
import type { CheckpointCut } from '../contract.ts';
import { CHECKPOINT_BLOCK_BYTES, CHECKPOINT_SYNC_BYTES } from '../limits.ts';
import type { CheckpointFiles } from './checkpoint-files.ts';
import { openContent } from './content.ts';
import { writeGeneration } from './generation.ts';
import type { GenerationFile, Manifest } from './manifest.ts';
import { cutSource, mergedSource } from './source.ts';

/**
 * Writes file `name` from `cut`: a delta to `base`, or with `merge` (or without a base) a base of its own. Yields to
 * pause; a yielded handle wants to be synced. Releases the cut as soon as it is written. Returns the files of the new
 * checkpoint; nothing names them yet.
 */
export function* writeCheckpoint(
  files: CheckpointFiles,
  name: string,
  cut: CheckpointCut,
  base: Manifest | null,
  merge: boolean,
): Generator<FileHandle | void, GenerationFile[]> {
  let handle: FileHandle | null = null;
  let written: GenerationFile;
  try {
    handle = files.folder.open(name, { create: true });
    try {
      written = yield* writeFile(files, handle, name, cut, merge ? base : null);
    } finally {
      cut.release();
    }
    yield handle;
  } catch (error) {
    if (handle === null) cut.release();
    throw error;
  } finally {
    handle?.close();
  }
  const kept = merge ? [] : (base?.files ?? []);
  return [...kept, written];
}

/** Writes the content; `merged` is the checkpoint that goes into it. */
function* writeFile(
  files: CheckpointFiles,
  handle: FileHandle,
  name: string,
  cut: CheckpointCut,
  merged: Manifest | null,
): Generator<FileHandle | void, GenerationFile> {
  // Checked again as it is read: rot must not pass into a file with new checksums.
  const old = merged === null ? null : openContent(files.folder, merged, { check: true });
  try {
    const source = old === null ? cutSource(cut) : mergedSource(cut, old);
    const work = writeGeneration(handle, name, source);
    for (let slices = 1; ; slices++) {
      const next = work.next();
      if (next.done === true) return next.value;
      // Syncing now and then keeps the last sync, and everybody else's, short.
      if (slices % (CHECKPOINT_SYNC_BYTES / CHECKPOINT_BLOCK_BYTES) === 0) yield handle;
      yield;
    }
  } finally {
    old?.close();
  }
}
