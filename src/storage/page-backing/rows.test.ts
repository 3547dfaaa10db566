import { describe, expect, test } from 'vitest';
import { all, CommandHost, limits } from '../../../test/conformance/engine-support.ts';
import { suitePageHash, testPageStore } from '../../../test/conformance/page-store.ts';
import { loadSqliteEngine } from '../../../wasm/load/node.ts';
import {
  copyIntoCachedPageStore,
  createCachedPageStore,
} from '../../../wasm/page-store/cached/store.ts';
import { createMemoryPageStore } from '../../../wasm/page-store/memory.ts';
import { PAGE_SIZE } from '../../../wasm/page-store.ts';
import { openRowBacking, type RowParam, type RowStorage } from './rows.ts';

const CACHE = 6 * PAGE_SIZE;

/** SQL storage with a Durable Object's limits and values: a real SQLite, in memory. */
class SqlStorage implements RowStorage {
  /** Called before each statement; throws to inject a fault. */
  before: (sql: string) => void = () => {};
  readonly #writer = loadSqliteEngine().openWriter(
    createMemoryPageStore({ maxBytes: 1024 * 1024 * 1024 }),
    new CommandHost(),
    limits(),
  );

  exec(sql: string, ...params: RowParam[]): Iterable<{ readonly [column: string]: unknown }> {
    this.before(sql);
    expect(params.length).toBeLessThanOrEqual(100);
    expect(sql.length).toBeLessThanOrEqual(100_000);
    const column = /^SELECT (\w+) FROM/.exec(sql)?.[1] ?? '';
    return all(this.#writer, sql, params).map(([value]) => ({
      [column]: value instanceof Uint8Array ? value.slice().buffer : value,
    }));
  }
}

function options(maxBytes: number): Parameters<typeof createCachedPageStore>[0] {
  const backing = openRowBacking(new SqlStorage());
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
    const storage = new SqlStorage();
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
    const backing = openRowBacking(new SqlStorage());
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
    const storage = new SqlStorage();
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
