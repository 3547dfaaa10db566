/** The page images of a checkpoint, read in place by a page store that is larger than memory. */
import type { OpenPageImages, PageImages } from '../../../wasm/page-store.ts';
import { FileError } from '../../platform/files.ts';
import { storageFailed } from '../file-io.ts';
import type { CheckpointFiles } from './checkpoint-files.ts';
import { GenerationReader } from './generation.ts';
import type { GenerationFile, Manifest } from './manifest.ts';

/** The files of a checkpoint, oldest first. Each is kept from deletion while somebody has it open. */
export function checkpointImages(files: CheckpointFiles, manifest: Manifest): PageImages[] {
  return manifest.files.map((file) => ({ name: file.name, open: () => openImages(files, file) }));
}

function openImages(files: CheckpointFiles, file: GenerationFile): OpenPageImages {
  const unpin = files.pinNames([file.name]);
  let reader: GenerationReader;
  try {
    reader = new GenerationReader(files.folder, file, false);
  } catch (error) {
    unpin();
    throw failed(files, error);
  }
  return {
    pageCount: reader.pageCount,
    index: () => guarded(files, () => reader.index()),
    read: (image, out) => guarded(files, () => reader.readImageInPlace(image, out)),
    close: () => {
      try {
        guarded(files, () => reader.close());
      } finally {
        unpin();
      }
    },
  };
}

function guarded<T>(files: CheckpointFiles, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw failed(files, error);
  }
}

function failed(files: CheckpointFiles, error: unknown): unknown {
  return error instanceof FileError ? storageFailed(files.label, error, 'unknown') : error;
}
