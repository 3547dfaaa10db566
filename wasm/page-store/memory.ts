/** A page store in memory: all versions of all pages, in slabs of 1 MiB. */
import type { PageSource, PageStore } from '../page-store.ts';
import { MemorySlots } from './slots.ts';
import { VersionedPageStore } from './versions.ts';

/** Options of a memory page store. */
export interface MemoryPageStoreOptions {
  /** Bytes of pages that it may hold, old versions included; beyond it `write` throws `PageStoreFull`. */
  readonly maxBytes: number;
}

/** An empty page store. */
export function createMemoryPageStore(options: MemoryPageStoreOptions): PageStore {
  return new VersionedPageStore(new MemorySlots(options.maxBytes));
}

/**
 * A page store at epoch 1 that holds the pages of `source`. Throws `CORRUPT` when the recorded hashes of the pages
 * do not add up to the hash of the whole, `PageStoreFull` when they do not fit.
 */
export function restoreMemoryPageStore(
  source: PageSource,
  options: MemoryPageStoreOptions,
): PageStore {
  const store = new VersionedPageStore(new MemorySlots(options.maxBytes));
  store.fill(source);
  return store;
}
