/** What every page store must do. Call `testPageStore` from a test file of the store. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { crc32c } from '../../src/wire/crc32c.ts';
import {
  type HashHalves,
  PAGE_SIZE,
  type PageSource,
  type PageStore,
  type Pin,
} from '../../wasm/page-store.ts';

/** How a suite gets its stores. */
export interface PageStoreFactory {
  /** An empty store that holds at most `maxBytes` of pages. */
  create(options: { maxBytes: number }): PageStore;
  /** A store filled from `source`; throws when the hash of the source does not fit. */
  restore(source: PageSource, options: { maxBytes: number }): PageStore;
  /** Bytes of page memory that each store may take, where that is less than all pages. */
  readonly cacheBytes?: number | undefined;
  /** Share of the random steps that a slow backing gets; default 1. */
  readonly effort?: number | undefined;
}

/** The hash that these suites give pages: of their content, 0 for all zero. */
export function suitePageHash(_page: number, bytes: Uint8Array): HashHalves {
  const value = new DataView(bytes.buffer, bytes.byteOffset + 8, 4).getUint32(0);
  const lo = crc32c(bytes) | 0;
  return value === 0 && bytes[0] === 0
    ? { lo: 0, hi: 0 }
    : { lo, hi: Math.imul(value, 0x85ebca6b) };
}

const ROOM = 64 * 1024 * 1024;

const HASHES = new Map<number, HashHalves>();

/** A page whose bytes and hash depend on `value`; 0 is the zero page. */
function page(value: number): { bytes: Uint8Array; lo: number; hi: number } {
  const bytes = new Uint8Array(PAGE_SIZE).fill(value & 0xff);
  new DataView(bytes.buffer).setUint32(8, value);
  let hash = HASHES.get(value);
  if (hash === undefined) HASHES.set(value, (hash = suitePageHash(1, bytes)));
  return { bytes, ...hash };
}

function put(store: PageStore, number: number, value: number): void {
  const { bytes, lo, hi } = page(value);
  store.write(number, bytes, lo, hi);
}

function valueAt(store: PageStore, epoch: number, number: number): number | null {
  const out = new Uint8Array(4);
  return store.read(epoch, (number - 1) * PAGE_SIZE + 8, out)
    ? new DataView(out.buffer).getUint32(0)
    : null;
}

function pinned(pin: Pin): number[] {
  return Array.from({ length: pin.pageCount }, (_, i) => {
    const bytes = pin.page(i + 1);
    return bytes === null ? 0 : new DataView(bytes.buffer, bytes.byteOffset + 8, 4).getUint32(0);
  });
}

function hashOf(values: readonly number[]): string {
  let lo = 0;
  let hi = 0;
  for (const value of values) {
    const hash = HASHES.get(value) ?? page(value);
    lo ^= hash.lo;
    hi ^= hash.hi;
  }
  const hex = (half: number): string => (half >>> 0).toString(16).padStart(8, '0');
  return hex(hi) + hex(lo);
}

/** A generator of its own, so that a failing run can be repeated. */
function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % below;
  };
}

/** Registers the suite. */
export function testPageStore(name: string, factory: PageStoreFactory): void {
  describe(`page store: ${name}`, () => {
    let store: PageStore;
    beforeEach(() => {
      store = factory.create({ maxBytes: ROOM });
    });
    afterEach(() => store.close());

    test('an empty store has no pages, epoch 0 and a zero hash', () => {
      expect([store.epoch, store.pageCount, store.pendingPageCount]).toEqual([0, 0, 0]);
      expect(store.hash()).toBe('0000000000000000');
      expect(store.read(0, 0, new Uint8Array(16).fill(1))).toBe(false);
    });

    test('a write is seen by the open transaction only, until commit', () => {
      put(store, 1, 7);
      expect(store.pendingPageCount).toBe(1);
      expect(store.pageCount).toBe(0);
      expect(valueAt(store, Number.POSITIVE_INFINITY, 1)).toBe(7);
      expect(valueAt(store, 0, 1)).toBeNull();
      store.commit();
      expect([store.epoch, store.pageCount, valueAt(store, 1, 1)]).toEqual([1, 1, 7]);
    });

    test('a commit that wrote nothing is not an epoch', () => {
      store.commit();
      expect(store.epoch).toBe(0);
    });

    test('abort drops pages, page count and hash of the open transaction', () => {
      put(store, 1, 1);
      put(store, 2, 2);
      store.commit();
      const hash = store.hash();
      const held = store.bytesHeld;
      put(store, 1, 9);
      put(store, 3, 9);
      store.truncate(1);
      store.abort();
      expect(store.hash()).toBe(hash);
      expect(store.bytesHeld).toBe(held);
      expect([store.pageCount, store.pendingPageCount]).toEqual([2, 2]);
      expect([valueAt(store, 1, 1), valueAt(store, 1, 2)]).toEqual([1, 2]);
    });

    test('reads may start anywhere and span pages; past the end is zero-filled', () => {
      put(store, 1, 0x01010101);
      put(store, 2, 0x02020202);
      store.commit();
      const across = new Uint8Array(8);
      expect(store.read(1, PAGE_SIZE - 4, across)).toBe(true);
      expect([...across]).toEqual([1, 1, 1, 1, 2, 2, 2, 2]);
      const beyond = new Uint8Array(8).fill(9);
      expect(store.read(1, 2 * PAGE_SIZE - 4, beyond)).toBe(false);
      expect([...beyond]).toEqual([2, 2, 2, 2, 0, 0, 0, 0]);
    });

    test('the hash is the XOR of the page hashes, whatever the order of writes', () => {
      for (const number of [3, 1, 2]) put(store, number, number * 10);
      store.commit();
      expect(store.hash()).toBe(hashOf([10, 20, 30]));
      put(store, 2, 5);
      store.commit();
      put(store, 2, 6);
      store.commit();
      expect(store.hash()).toBe(hashOf([10, 6, 30]));
      store.truncate(1);
      store.commit();
      expect(store.hash()).toBe(hashOf([10]));
    });

    test('a page cut off and written again is zero in between', () => {
      for (const number of [1, 2, 3]) put(store, number, number);
      store.commit();
      store.truncate(1);
      put(store, 3, 33);
      store.commit();
      const pin = store.pin();
      expect(pinned(pin)).toEqual([1, 0, 33]);
      expect(store.hash()).toBe(hashOf([1, 0, 33]));
      pin.release();
    });

    test('a pin keeps its epoch through writes, growth and truncation', () => {
      for (const number of [1, 2, 3]) put(store, number, number);
      store.commit();
      const pin = store.pin();
      const hash = store.hash();
      store.truncate(1);
      put(store, 1, 100);
      store.commit();
      put(store, 2, 200);
      put(store, 4, 400);
      store.commit();
      expect([pin.epoch, pin.pageCount, pin.hash]).toEqual([1, 3, hash]);
      expect(pinned(pin)).toEqual([1, 2, 3]);
      expect(pin.pageHash(2)).toEqual({ lo: page(2).lo, hi: page(2).hi });
      expect(valueAt(store, 1, 3)).toBe(3);
      pin.release();
      pin.release();
    });

    test('released versions are given back, also what a shrink left behind', () => {
      for (let number = 1; number <= 20; number++) put(store, number, number);
      store.commit();
      expect(store.bytesHeld).toBe(20 * PAGE_SIZE);
      const pin = store.pin();
      for (let number = 1; number <= 20; number++) put(store, number, 100 + number);
      store.commit();
      expect(store.bytesHeld).toBe(40 * PAGE_SIZE);
      store.truncate(5);
      store.commit();
      pin.release();
      expect(store.bytesHeld).toBe(5 * PAGE_SIZE);
    });

    test('changedSince names the pages written after an epoch, ascending; 0 is every page', () => {
      for (const number of [4, 1, 2, 3]) put(store, number, number);
      store.commit();
      put(store, 2, 22);
      store.commit();
      put(store, 5, 5);
      put(store, 1, 11);
      store.commit();
      const pin = store.pin();
      put(store, 4, 44);
      store.commit();
      expect([...pin.changedSince(0)]).toEqual([1, 2, 3, 4, 5]);
      expect([...pin.changedSince(1)]).toEqual([1, 2, 5]);
      expect([...pin.changedSince(2)]).toEqual([1, 5]);
      expect([...pin.changedSince(3)]).toEqual([]);
      pin.release();
    });

    test('a page that was cut off and came back unwritten counts as changed: it reads as zeros now', () => {
      for (const number of [1, 2, 3]) put(store, number, number);
      store.commit();
      const { epoch } = store;
      store.truncate(1);
      store.commit();
      put(store, 3, 7);
      store.commit();
      const pin = store.pin();
      expect([...pin.changedSince(epoch)]).toEqual([2, 3]);
      expect(pinned(pin)).toEqual([1, 0, 7]);
      pin.release();
    });

    test('listeners hear of commits, before versions are freed and after', () => {
      const heard: string[] = [];
      const stopBefore = store.onBeforeCommit(() => heard.push(`before ${store.epoch}`));
      const stopAfter = store.onCommit(() => heard.push(`after ${store.epoch}`));
      put(store, 1, 1);
      store.commit();
      store.commit();
      stopBefore();
      stopAfter();
      put(store, 1, 2);
      store.commit();
      expect(heard).toEqual(['before 0', 'after 1']);
    });

    test('a pin taken just before a commit keeps what that commit replaces', () => {
      put(store, 1, 1);
      store.commit();
      const pins: Pin[] = [];
      const stop = store.onBeforeCommit(() => pins.push(store.pin()));
      put(store, 1, 2);
      store.commit();
      stop();
      expect(pinned(pins[0]!)).toEqual([1]);
      pins[0]!.release();
    });

    test('the size limit is refused clearly and leaves the committed pages alone', () => {
      const small = factory.create({ maxBytes: 4 * PAGE_SIZE });
      for (const number of [1, 2, 3]) put(small, number, number);
      small.commit();
      put(small, 1, 11);
      const overflow = (): void => put(small, 2, 22);
      expect(overflow).toThrow(expect.objectContaining({ name: 'PageStoreFull' }));
      expect(overflow).toThrow(/limit is 16384 bytes/);
      small.abort();
      expect(small.hash()).toBe(hashOf([1, 2, 3]));
      put(small, 1, 12);
      small.commit();
      expect(valueAt(small, 2, 1)).toBe(12);
      small.close();
    });

    test('restore gives the same pages and hash; a wrong hash is refused', () => {
      for (const number of [1, 2, 4]) put(store, number, number);
      store.commit();
      const pin = store.pin();
      const source = (hash: string): PageSource => ({
        pageCount: pin.pageCount,
        hash,
        readPage: (number, out) => {
          const bytes = pin.page(number);
          if (bytes !== null) out.set(bytes);
          return bytes !== null;
        },
        pageHash: (number) => pin.pageHash(number),
      });
      const restored = factory.restore(source(pin.hash), { maxBytes: ROOM });
      expect([restored.pageCount, restored.hash()]).toEqual([4, store.hash()]);
      const copy = restored.pin();
      expect(pinned(copy)).toEqual([1, 2, 0, 4]);
      expect([...copy.changedSince(0)]).toEqual([1, 2, 3, 4]);
      copy.release();
      restored.close();
      expect(() => factory.restore(source('0'.repeat(16)), { maxBytes: ROOM })).toThrow(/hash/);
      pin.release();
    });

    test('a page whose hash happens to be 0 is restored all the same', () => {
      const bytes = new Uint8Array(PAGE_SIZE).fill(7);
      const restored = factory.restore(
        {
          pageCount: 2,
          readPage: (number, out) => {
            if (number === 2) out.set(bytes);
            return number === 2;
          },
          pageHash: () => ({ lo: 0, hi: 0 }),
        },
        { maxBytes: ROOM },
      );
      const out = new Uint8Array(4);
      restored.read(1, PAGE_SIZE, out);
      expect([...out]).toEqual([7, 7, 7, 7]);
      restored.close();
    });

    test('agrees with a model under random writes, commits, aborts, truncations and pins', () => {
      for (const seed of [1, 2, 3, 4]) agreesWithModel(factory, seed, 12, 1500);
    });

    const { cacheBytes } = factory;
    describe.skipIf(cacheBytes === undefined)('larger than its cache', () => {
      const cachePages = (cacheBytes ?? 0) / PAGE_SIZE;

      test('a database ten times the cache reads as it was written, in bounded memory', () => {
        const pages = 10 * cachePages;
        for (let number = 1; number <= pages; number++) put(store, number, number);
        store.commit();
        const pin = store.pin();
        for (let number = 1; number <= pages; number += 3) put(store, number, 10_000 + number);
        store.commit();
        for (let number = pages; number >= 1; number--) {
          const changed = number % 3 === 1 ? 10_000 + number : number;
          expect(valueAt(store, 2, number)).toBe(changed);
          expect(valueAt(store, 1, number)).toBe(number);
        }
        expect(pinned(pin)).toEqual(Array.from({ length: pages }, (_, i) => i + 1));
        pin.release();
        expect(store.stats?.()['pageCacheBytes']).toBeLessThanOrEqual(cacheBytes!);
        expect(store.bytesHeld).toBe(pages * PAGE_SIZE);
      });

      test('an open transaction larger than the cache commits whole, or leaves nothing', () => {
        const pages = 3 * cachePages;
        for (let number = 1; number <= pages; number++) put(store, number, number);
        store.abort();
        expect([store.pageCount, store.bytesHeld]).toEqual([0, 0]);
        for (let round = 1; round <= 2; round++) {
          for (let number = 1; number <= pages; number++) put(store, number, round * 1000 + number);
        }
        store.commit();
        const values = Array.from({ length: pages }, (_, i) => 2001 + i);
        expect(values.map((_, i) => valueAt(store, 1, i + 1))).toEqual(values);
        expect(store.hash()).toBe(hashOf(values));
      });

      test('agrees with a model at ten times the cache', () => {
        for (const seed of [5, 6]) agreesWithModel(factory, seed, 10 * cachePages, 600);
      });

      test('a restored store larger than its cache holds the same', () => {
        const pages = 10 * cachePages;
        const values = Array.from({ length: pages }, (_, i) => (i % 7 === 0 ? 0 : i));
        const restored = factory.restore(
          {
            pageCount: pages,
            hash: hashOf(values),
            readPage: (number, out) => {
              out.set(page(values[number - 1]!).bytes);
              return values[number - 1] !== 0;
            },
            pageHash: (number) => page(values[number - 1]!),
          },
          { maxBytes: ROOM },
        );
        const pin = restored.pin();
        expect(pinned(pin)).toEqual(values);
        pin.release();
        expect(restored.stats?.()['pageCacheBytes']).toBeLessThanOrEqual(cacheBytes!);
        restored.close();
      });
    });
  });
}

interface Pinned {
  readonly pin: Pin;
  readonly values: readonly number[];
}

function agreesWithModel(
  factory: PageStoreFactory,
  seed: number,
  pages: number,
  steps: number,
): void {
  const random = generator(seed);
  const store = factory.create({ maxBytes: ROOM });
  let committed: number[] = [];
  let pending: number[] | null = null;
  const pins: Pinned[] = [];
  for (let step = 0; step < steps * (factory.effort ?? 1); step++) {
    const kind = random(20);
    if (kind < 11) {
      pending ??= [...committed];
      const number = 1 + random(pages);
      const value = random(5) === 0 ? 0 : 1 + random(1000);
      while (pending.length < number) pending.push(0);
      pending[number - 1] = value;
      put(store, number, value);
    } else if (kind < 14) {
      store.commit();
      committed = pending ?? committed;
      pending = null;
    } else if (kind < 15) {
      store.abort();
      pending = null;
    } else if (kind < 16) {
      pending ??= [...committed];
      const left = random(pending.length + 1);
      pending.length = left;
      store.truncate(left);
    } else if (kind < 18 && pins.length < 4) {
      pins.push({ pin: store.pin(), values: [...committed] });
    } else if (pins.length > 0) {
      const [released] = pins.splice(random(pins.length), 1);
      released!.pin.release();
    }
    expect(store.pendingPageCount, `seed ${seed} step ${step}`).toBe((pending ?? committed).length);
    for (const { pin, values } of pins) {
      expect(pinned(pin), `seed ${seed} step ${step}`).toEqual(values);
      expect(pin.hash).toBe(hashOf(values));
    }
    expect(store.hash(), `seed ${seed} step ${step}`).toBe(hashOf(committed));
  }
  for (const { pin } of pins) pin.release();
  store.abort();
  expect(store.bytesHeld).toBeLessThanOrEqual(committed.length * PAGE_SIZE);
  store.close();
}
