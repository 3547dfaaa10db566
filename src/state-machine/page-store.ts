/** The page store of a state machine: all in memory, or a cache over disk. */
import {
  type CachedPageStoreOptions,
  copyIntoCachedPageStore,
  createCachedPageStore,
  openCachedPageStore,
} from '../../wasm/page-store/cached/store.ts';
import { createMemoryPageStore, restoreMemoryPageStore } from '../../wasm/page-store/memory.ts';
import type { PageStore } from '../../wasm/page-store.ts';
import type { CheckpointContent } from '../storage/contract.ts';
import { pagesOf } from './checkpoint.ts';
import type { PagePlaces, StateMachineOptions } from './contract.ts';

/** Opens the store that `options` ask for, with the pages of their checkpoint. Throws `CORRUPT`, `STORAGE_FAILED`. */
export function openPageStore(options: StateMachineOptions): PageStore {
  const { engine, checkpoint, maxPageBytes, pages } = options;
  if (pages !== undefined) {
    const { cacheBytes } = pages;
    const cached = { cacheBytes, backing: pages.openBacking(), hash: engine.pageHash };
    return checkpoint === null
      ? createCachedPageStore(cached)
      : openOver(checkpoint, pages, cached);
  }
  const bounds = { maxBytes: maxPageBytes };
  if (checkpoint === null) return createMemoryPageStore(bounds);
  return restoreMemoryPageStore(pagesOf(checkpoint), bounds);
}

/** Over the checkpoint's files where they can be read page by page, else with a copy of its pages. */
function openOver(
  checkpoint: CheckpointContent,
  pages: PagePlaces,
  cached: CachedPageStoreOptions,
): PageStore {
  const images = pages.images();
  const { index, pageCount, pageHash } = checkpoint.meta;
  if (images?.meta.index !== index) return copyIntoCachedPageStore(pagesOf(checkpoint), cached);
  return openCachedPageStore({ pageCount, hash: pageHash, files: images.files }, cached);
}
