/**
 * A page store larger than memory: a bounded cache over scratch and the images of the newest checkpoint.
 *
 * Every version of a page is in the cache, or in the backing, or in an immutable file that the newest checkpoint consists
 * of. Only checkpoints last: the backing holds versions that none has yet, and is emptied when it is opened (architecture,
 * section 4). So restarting reads no page at all: slots point into the checkpoint's files. When a newer checkpoint is
 * durable, `adopt` points them into its files, and scratch and older files are given back.
 */
import { assert } from '../../../src/wire/assert.ts';
import type { PageImages, PageSource, PageStore } from '../../page-store.ts';
import { VersionedPageStore } from '../versions.ts';
import { CachedSlots, type CachedSlotsOptions } from './slots.ts';

/** Options of a cached page store. It closes the backing; also when opening fails. */
export interface CachedPageStoreOptions extends Omit<CachedSlotsOptions, 'maxBytes'> {
  /** Bytes of pages that it may hold, old versions included, wherever they are; default no limit. */
  readonly maxBytes?: number | undefined;
}

/** Where the pages of a checkpoint are. */
export interface CheckpointImages {
  readonly pageCount: number;
  /** Hash of the whole; checked when present. */
  readonly hash?: string | undefined;
  /** What the checkpoint consists of, oldest first. */
  readonly files: readonly PageImages[];
}

/** Words of a page in the index of a file of images. */
const INDEX_WORDS = 4;

/**
 * An empty page store.
 *
 * @example
 * const store = createCachedPageStore({ cacheBytes: 64 * 1024 * 1024, backing, hash });
 */
export function createCachedPageStore(options: CachedPageStoreOptions): PageStore {
  return new CachedPageStore(options);
}

/** A page store at epoch 1 with a copy of the pages of `source`. Throws `CORRUPT`, `PageStoreFull`, `STORAGE_FAILED`. */
export function copyIntoCachedPageStore(
  source: PageSource,
  options: CachedPageStoreOptions,
): PageStore {
  return opened(options, (store) => store.fill(source));
}

/** A page store at epoch 1 over the files of a checkpoint, of which it reads the indexes. Throws like the above. */
export function openCachedPageStore(
  images: CheckpointImages,
  options: CachedPageStoreOptions,
): PageStore {
  return opened(options, (store) => store.open(images));
}

function opened(
  options: CachedPageStoreOptions,
  fill: (store: CachedPageStore) => void,
): CachedPageStore {
  const store = new CachedPageStore(options);
  try {
    fill(store);
    return store;
  } catch (error) {
    store.close();
    throw error;
  }
}

class CachedPageStore extends VersionedPageStore<CachedSlots> {
  /** Names of the files of the checkpoint that was adopted last. */
  #known: ReadonlySet<string> = new Set();

  constructor(options: CachedPageStoreOptions) {
    const { maxBytes = Number.POSITIVE_INFINITY } = options;
    super(new CachedSlots({ ...options, maxBytes }));
  }

  get failure(): Error | null {
    return this.slots.failure;
  }

  stats(): { readonly [name: string]: number } {
    return this.slots.stats();
  }

  /** Takes over the pages of a checkpoint; only for a new store. */
  open({ pageCount, hash, files }: CheckpointImages): void {
    // Newest first: what a file says of a page holds unless a later one says otherwise, or was shorter than that.
    let limit = pageCount;
    for (let i = files.length - 1; i >= 0; i--) {
      const { number, images } = this.slots.hold(files[i]!);
      limit = Math.min(limit, images.pageCount);
      const index = images.index();
      for (let at = 0; at < index.length; at += INDEX_WORDS) {
        const page = index[at]!;
        if (page < 1 || page > limit || this.slotAt(page, Number.POSITIVE_INFINITY) !== 0) continue;
        const slot = this.recorded(page, index[at + 2]!, index[at + 3]!);
        this.slots.place(slot, number, index[at + 1]! - 1);
      }
      this.slots.letGo(number);
    }
    this.filled(pageCount, hash);
    this.#known = new Set(files.map(({ name }) => name));
  }

  adopt(epoch: number, files: readonly PageImages[]): void {
    const { slots } = this;
    const fresh = new Set<number>();
    try {
      for (let i = files.length - 1; i >= 0 && !this.#known.has(files[i]!.name); i--) {
        const { number, images } = slots.hold(files[i]!);
        this.#adoptFile(epoch, images.index(), number, fresh);
        fresh.add(number);
      }
      for (const number of fresh) slots.letGo(number);
      this.#known = new Set(files.map(({ name }) => name));
      slots.trim();
    } catch (error) {
      slots.fail(error);
    }
  }

  /** What the newest file says of a page holds: slots in `newer` files stay there. */
  #adoptFile(epoch: number, index: Int32Array, number: number, newer: ReadonlySet<number>): void {
    const { slots } = this;
    for (let at = 0; at < index.length; at += INDEX_WORDS) {
      const slot = this.slotAt(index[at]!, epoch);
      if (slot === 0 || newer.has(slots.fileOf(slot))) continue;
      const same = slots.lo[slot] === index[at + 2] && slots.hi[slot] === index[at + 3];
      assert(same || newer.size > 0, () => `page ${index[at]} is not the checkpoint's`);
      if (same) slots.place(slot, number, index[at + 1]! - 1);
    }
  }

  override close(): void {
    super.close();
    this.slots.close();
  }
}
