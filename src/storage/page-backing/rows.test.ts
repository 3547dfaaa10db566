import { describe, expect, test } from 'vitest';
import { suitePageHash, testPageStore } from '../../../test/conformance/page-store.ts';
import { RowDatabase } from '../../../test/kit/row-storage.ts';
import {
  copyIntoCachedPageStore,
  createCachedPageStore,
} from '../../../wasm/page-store/cached/store.ts';
import { PAGE_SIZE } from '../../../wasm/page-store.ts';
import { openRowBacking } from './rows.ts';

const CACHE = 6 * PAGE_SIZE;

function options(maxBytes: number): Parameters<typeof createCachedPageStore>[0] {
  const backing = openRowBacking(new RowDatabase());
  return { maxBytes, cacheBytes: CACHE, backing, hash: suitePageHash };
}

testPageStore('cached, over rows', {
  cacheBytes: CACHE,
  effort: 0.15,
  create: ({ maxBytes }) => createCachedPageStore(options(maxBytes)),
  restore: (source, { maxBytes }) => copyIntoCachedPageStore(source, options(maxBytes)),
});

describe('pages in rows', () => {
  test('are gone when the backing is opened again', () => {
    const storage = new RowDatabase();
    const first = openRowBacking(storage);
    first.write(
      Int32Array.of(0, 3),
      [new Uint8Array(PAGE_SIZE).fill(1), new Uint8Array(PAGE_SIZE)],
      2,
    );
    const second = openRowBacking(storage);
    expect(() => second.read(0, new Uint8Array(PAGE_SIZE))).toThrow(/no page at place 0/);
  });

  test('behind the end that is cut off are gone, those before it stay', () => {
    const backing = openRowBacking(new RowDatabase());
    const pages = Array.from({ length: 120 }, (_, i) => new Uint8Array(PAGE_SIZE).fill(i));
    backing.write(Int32Array.from(pages.keys()), pages, 120);
    backing.truncate(100);
    const out = new Uint8Array(PAGE_SIZE);
    backing.read(99, out);
    expect(out[0]).toBe(99);
    expect(() => backing.read(100, out)).toThrow(
      expect.objectContaining({ code: 'STORAGE_FAILED' }),
    );
  });

  test('that the storage does not take stop the store, and no page is wrong', () => {
    const storage = new RowDatabase();
    const backing = openRowBacking(storage);
    const store = createCachedPageStore({ cacheBytes: CACHE, backing });
    storage.before = (sql) => {
      if (sql.startsWith('INSERT')) throw new Error('database or disk is full');
    };
    const fill = (): void => {
      for (let page = 1; page <= 20; page++) store.write(page, new Uint8Array(PAGE_SIZE), 0, 0);
    };
    expect(fill).toThrow(expect.objectContaining({ code: 'STORAGE_FAILED' }));
    store.abort();
    storage.before = () => {};
    expect(fill).toThrow(/disk is full/);
    expect(store.failure?.message).toMatch(/disk is full/);
    expect(store.pageCount).toBe(0);
  });
});
