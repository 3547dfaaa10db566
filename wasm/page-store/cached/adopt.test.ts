/** Checkpoints under a cached store: what they hold is read in place, whatever was pinned, written or merged meanwhile. */
import { describe, expect, test } from 'vitest';
import { createSnapshotStore } from '../../../src/storage/checkpoint/snapshot-store.ts';
import type { CheckpointMeta, SnapshotStore } from '../../../src/storage/contract.ts';
import { createMemoryFolder } from '../../../src/storage/memory-folder.ts';
import { openFileBacking } from '../../../src/storage/page-backing/file.ts';
import { EMPTY_MEMBERSHIP } from '../../../src/wire/membership.ts';
import { suitePageHash } from '../../../test/conformance/page-store.ts';
import { PAGE_SIZE, type PageImages, type PageStore, type Pin } from '../../page-store.ts';
import { createCachedPageStore, openCachedPageStore } from './store.ts';

const CACHE_PAGES = 6;
const PAGES = 10 * CACHE_PAGES;

/** A store with its checkpoints, on a disk in memory. */
class World {
  readonly folder = createMemoryFolder({
    crashable: false,
    later: (call) => this.#later.push(call),
  });
  readonly snapshots: SnapshotStore = createSnapshotStore({ folder: this.folder });
  store: PageStore = createCachedPageStore(this.#options());
  index = 0;
  /** Index and epoch of the checkpoint that the next one builds on. */
  base: { index: number; epoch: number } = { index: 0, epoch: 0 };
  readonly #later: (() => void)[] = [];

  #options(): Parameters<typeof createCachedPageStore>[0] {
    const cacheBytes = CACHE_PAGES * PAGE_SIZE;
    return { cacheBytes, backing: openFileBacking(this.folder), hash: suitePageHash };
  }

  put(page: number, value: number): void {
    const bytes = new Uint8Array(PAGE_SIZE).fill(value & 0xff);
    new DataView(bytes.buffer).setUint32(8, value);
    const { lo, hi } = suitePageHash(page, bytes);
    this.store.write(page, bytes, lo, hi);
  }

  /** Takes a checkpoint; `meanwhile` runs between the slices and before it is adopted. */
  checkpoint(meanwhile: () => void, adopted: boolean): void {
    const { store } = this;
    const [pin, hold] = [store.pin(), store.pin()];
    const meta: CheckpointMeta = {
      index: ++this.index,
      term: 1,
      membership: EMPTY_MEMBERSHIP,
      pageCount: pin.pageCount,
      pageHash: pin.hash,
      engine: 'test',
      wall: 0,
      elapsed: 0,
    };
    const { index, epoch } = this.base;
    const pages = pin.changedSince(epoch);
    const page = (number: number): { bytes: Uint8Array | null; hashLo: number; hashHi: number } => {
      const { lo, hi } = pin.pageHash(number);
      return { bytes: pin.page(number), hashLo: lo, hashHi: hi };
    };
    const cut = { meta, since: index, pages, page, sections: [], release: () => pin.release() };
    let done = false;
    const slices: (() => void)[] = [];
    this.snapshots.write(
      cut,
      (work) => slices.push(work),
      (error) => {
        if (error) throw error;
        done = true;
      },
    );
    while (!done) {
      meanwhile();
      (slices.shift() ?? this.#later.shift())!();
    }
    meanwhile();
    if (adopted) store.adopt!(hold.epoch, this.snapshots.images!()!.files);
    this.base = { index: meta.index, epoch: hold.epoch };
    hold.release();
    expect(store.failure ?? null).toBeNull();
  }

  /** Restarts from the newest checkpoint. */
  restart(): void {
    this.store.close();
    const { meta, files } = this.snapshots.images!()!;
    const { pageCount, pageHash: hash } = meta;
    this.store = openCachedPageStore({ pageCount, hash, files }, this.#options());
    this.base = { index: meta.index, epoch: this.store.epoch };
  }
}

function contentOf(pin: Pin): number[] {
  return Array.from({ length: pin.pageCount }, (_, i) => {
    const bytes = pin.page(i + 1);
    return bytes === null ? 0 : new DataView(bytes.buffer, bytes.byteOffset + 8, 4).getUint32(0);
  });
}

function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % below;
  };
}

interface Model {
  committed: number[];
  pending: number[] | null;
  pins: { pin: Pin; values: number[] }[];
}

function randomStep(world: World, model: Model, random: (below: number) => number): void {
  const { store } = world;
  const kind = random(20);
  if (kind < 10) {
    const pending = (model.pending ??= [...model.committed]);
    const page = 1 + random(PAGES);
    const value = random(6) === 0 ? 0 : 1 + random(1000);
    while (pending.length < page) pending.push(0);
    pending[page - 1] = value;
    world.put(page, value);
  } else if (kind < 14) {
    store.commit();
    model.committed = model.pending ?? model.committed;
    model.pending = null;
  } else if (kind < 15) {
    store.abort();
    model.pending = null;
  } else if (kind < 16 && random(3) === 0) {
    const pending = (model.pending ??= [...model.committed]);
    pending.length = random(pending.length + 1);
    store.truncate(pending.length);
  } else if (kind < 18 && model.pins.length < 3) {
    model.pins.push({ pin: store.pin(), values: [...model.committed] });
  } else if (model.pins.length > 0) {
    model.pins.splice(random(model.pins.length), 1)[0]!.pin.release();
  }
}

function agreesWithModel(seed: number): void {
  const random = generator(seed);
  const world = new World();
  const model: Model = { committed: [], pending: null, pins: [] };
  for (let round = 0; round < 60; round++) {
    const steps = 5 + random(60);
    for (let step = 0; step < steps; step++) randomStep(world, model, random);
    // Applying is over when a checkpoint is cut, and none is adopted inside a transaction.
    world.store.commit();
    model.committed = model.pending ?? model.committed;
    model.pending = null;
    if (world.store.epoch === 0) continue;
    const values = [...model.committed];
    const meanwhile = (): void => {
      if (random(2) === 0) return;
      for (let step = 0; step < 6; step++) randomStep(world, model, random);
      world.store.commit();
      model.committed = model.pending ?? model.committed;
      model.pending = null;
    };
    world.checkpoint(meanwhile, random(4) > 0);
    for (const { pin, values: pinned } of model.pins) {
      expect(contentOf(pin), `seed ${seed} round ${round}`).toEqual(pinned);
    }
    if (random(6) === 0) {
      for (const { pin } of model.pins) pin.release();
      model.pins = [];
      world.restart();
      model.committed = values;
    }
    const pin = world.store.pin();
    expect(contentOf(pin), `seed ${seed} round ${round}`).toEqual(model.committed);
    pin.release();
  }
  for (const { pin } of model.pins) pin.release();
  world.checkpoint(() => {}, true);
  const { pageScratchBytes, pageImageFiles } = world.store.stats!();
  expect(pageScratchBytes).toBe(0);
  expect(pageImageFiles).toBeLessThanOrEqual(10);
  world.store.close();
  expect(world.folder.list().filter((name) => !name.startsWith('checkpoint-'))).toEqual([]);
}

describe('a cached store over checkpoints', () => {
  test('agrees with a model under checkpoints, merges, skipped adoptions, pins and restarts', () => {
    for (const seed of [1, 2, 3, 4, 5, 6]) agreesWithModel(seed);
  });

  test('opens without reading a page', () => {
    const world = new World();
    for (let page = 1; page <= PAGES; page++) world.put(page, page);
    world.store.commit();
    world.checkpoint(() => {}, true);
    world.restart();
    const { pageCacheMisses, pageCacheBytes, pageImageBytes } = world.store.stats!();
    expect([pageCacheMisses, pageCacheBytes]).toEqual([0, 0]);
    expect(pageImageBytes).toBe(PAGES * PAGE_SIZE);
    expect(world.store.pageCount).toBe(PAGES);
    world.store.close();
  });

  test('a checkpoint takes pages out of scratch, and gives the room back', () => {
    const world = new World();
    for (let page = 1; page <= PAGES; page++) world.put(page, page);
    world.store.commit();
    expect(world.store.stats!()['pageScratchFileBytes']).toBeGreaterThan(0);
    world.checkpoint(() => {}, true);
    expect(world.store.stats!()['pageScratchFileBytes']).toBe(0);
    expect(world.folder.contentOf('pages.scratch')).toHaveLength(0);
    world.store.close();
  });

  test('a checkpoint whose files do not add up is refused', () => {
    const world = new World();
    for (let page = 1; page <= PAGES; page++) world.put(page, page);
    world.store.commit();
    world.checkpoint(() => {}, true);
    const { meta, files } = world.snapshots.images!()!;
    const backing = openFileBacking(world.folder, 'other');
    const open = (): unknown =>
      openCachedPageStore(
        { pageCount: meta.pageCount, hash: '0'.repeat(16), files },
        { cacheBytes: PAGE_SIZE, backing },
      );
    expect(open).toThrow(expect.objectContaining({ code: 'CORRUPT' }));
    expect(world.folder.exists('other')).toBe(false);
    world.store.close();
  });

  /** A file of images, all with the same hash: nothing but their order tells them apart. */
  function images(name: string, pageCount: number, pages: Record<number, number>): PageImages {
    const numbers = Object.keys(pages).map(Number);
    const index = numbers.flatMap((page, i) => [page, i + 1, 1, 1]);
    return {
      name,
      open: () => ({
        pageCount,
        index: () => Int32Array.from(index),
        read: (image, out) => void out.fill(pages[numbers[image]!]!),
        close: () => {},
      }),
    };
  }

  function firstBytes(store: PageStore): number[] {
    const pin = store.pin();
    const bytes = Array.from({ length: pin.pageCount }, (_, i) => pin.page(i + 1)?.[0] ?? 0);
    pin.release();
    return bytes;
  }

  function scratch(): Parameters<typeof createCachedPageStore>[0] {
    return { cacheBytes: 4 * PAGE_SIZE, backing: openFileBacking(createMemoryFolder()) };
  }

  test('opens: a later file wins, and a shorter one hides what was behind its end', () => {
    const files = [
      images('base', 6, { 1: 1, 2: 2, 3: 3, 6: 6 }),
      images('shorter', 2, { 2: 22 }),
      images('longer', 7, { 7: 77 }),
    ];
    const store = openCachedPageStore({ pageCount: 7, files }, scratch());
    expect(firstBytes(store)).toEqual([1, 22, 0, 0, 0, 0, 77]);
    store.close();
  });

  test('adopts: of several new files the newest wins', () => {
    const store = createCachedPageStore(scratch());
    for (let page = 1; page <= 3; page++) {
      store.write(page, new Uint8Array(PAGE_SIZE).fill(page), 1, 1);
    }
    store.commit();
    const files = [images('base', 3, { 1: 1, 2: 99, 3: 3 }), images('delta', 3, { 2: 2 })];
    store.adopt!(store.epoch, files);
    // Out of the cache, so that the files are read.
    for (let page = 4; page <= 20; page++) store.write(page, new Uint8Array(PAGE_SIZE), 1, 1);
    store.abort();
    expect(store.stats!()['pageImageFiles']).toBe(2);
    expect(firstBytes(store)).toEqual([1, 2, 3]);
    store.close();
  });

  test('a file that is not what was written stops the store', () => {
    const store = createCachedPageStore(scratch());
    store.write(1, new Uint8Array(PAGE_SIZE).fill(5), 8, 9);
    store.commit();
    store.adopt!(store.epoch, [images('base', 1, { 1: 1 })]);
    expect(store.failure?.message).toMatch(/page 1 is not the checkpoint's/);
    store.close();
  });
});
