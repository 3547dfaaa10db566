/** What every snapshot store must do, whatever it writes to. */
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type {
  CheckpointContent,
  CheckpointCut,
  CheckpointMeta,
  SnapshotReader,
  SnapshotReceiver,
  SnapshotStore,
} from '../../src/storage/contract.ts';
import { EMPTY_MEMBERSHIP } from '../../src/wire/membership.ts';
import { PAGE_SIZE } from '../../wasm/page-store.ts';
import { wait } from './log-store.ts';

/** A place that holds checkpoints across restarts. */
export interface SnapshotStoreHome {
  store(): SnapshotStore;
  destroy(): void;
}

/** A database and sections to take checkpoints of; the naive model that contents are compared with. */
export class World {
  index = 0;
  pageCount = 0;
  readonly pages = new Map<number, { fill: number; at: number }>();
  readonly sections = new Map<string, Map<string, { value: string | null; at: number }>>();
  released = 0;

  /** Sets the pages of the database; those cut off are all zero, and changed, should they come back. */
  resize(pageCount: number): void {
    for (const page of this.pages.keys()) {
      if (page > pageCount) this.pages.set(page, { fill: 0, at: this.index + 1 });
    }
    this.pageCount = pageCount;
  }

  /** Writes a page full of one byte; 0 makes it all zero. */
  page(page: number, fill: number): void {
    if (page > this.pageCount) this.pageCount = page;
    this.pages.set(page, { fill, at: this.index + 1 });
  }

  set(section: string, key: string, value: string | null): void {
    let pairs = this.sections.get(section);
    if (pairs === undefined) this.sections.set(section, (pairs = new Map()));
    pairs.set(key, { value, at: this.index + 1 });
  }

  /** The world as it is now, on its own. */
  copy(): World {
    const copy = new World();
    copy.index = this.index;
    copy.pageCount = this.pageCount;
    for (const [page, state] of this.pages) copy.pages.set(page, state);
    for (const [name, pairs] of this.sections) copy.sections.set(name, new Map(pairs));
    return copy;
  }

  /** Cuts at the next index. */
  cut(since: number): CheckpointCut {
    this.index++;
    const meta = metaAt(this.index, this.pageCount);
    const pages = [...this.pages].filter(([page, { at }]) => at > since && page <= this.pageCount);
    const fills = new Map(pages.map(([page, { fill }]) => [page, fill]));
    const sections = [...this.sections].map(([section, pairs]) => {
      const changed = [...pairs].filter(([, pair]) => pair.at > since);
      const encoded = changed
        .filter(([, { value }]) => since > 0 || value !== null)
        .map(([key, { value }]) => [encode(key), value === null ? null : encode(value)] as const);
      return { section, entries: () => encoded };
    });
    return {
      meta,
      since,
      pages: Int32Array.from([...fills.keys()].sort((a, b) => a - b)),
      page(page) {
        const fill = fills.get(page)!;
        const bytes = fill === 0 ? null : new Uint8Array(PAGE_SIZE).fill(fill);
        return { bytes, hashLo: fill * -7, hashHi: fill * 13 };
      },
      sections,
      release: () => {
        this.released++;
      },
    };
  }

  /** Compares everything that `content` tells with what this world is now. */
  expectIn(content: CheckpointContent): void {
    expect(content.meta).toEqual(metaAt(this.index, this.pageCount));
    const out = new Uint8Array(PAGE_SIZE);
    for (let page = 1; page <= this.pageCount; page++) {
      const fill = this.pages.get(page)?.fill ?? 0;
      expect(content.readPage(page, out)).toBe(fill !== 0);
      if (fill !== 0) expect(isFilled(out, fill)).toBe(true);
      expect(content.pageHash(page)).toEqual({ lo: (fill * -7) | 0, hi: fill * 13 });
    }
    for (const [section, pairs] of this.sections) {
      const want = [...pairs].filter(([, { value }]) => value !== null);
      const found = [...content.entries(section)].map(([key, value]) => [
        decode(key),
        decode(value),
      ]);
      expect(found.sort()).toEqual(want.map(([key, { value }]) => [key, value]).sort());
    }
    const known = [...this.sections.keys()];
    expect(known).toEqual(expect.arrayContaining([...content.sections()]));
  }
}

function isFilled(bytes: Uint8Array, fill: number): boolean {
  for (const byte of bytes) if (byte !== fill) return false;
  return true;
}

function metaAt(index: number, pageCount: number): CheckpointMeta {
  return {
    index,
    term: Math.ceil(index / 3),
    membership: {
      ...EMPTY_MEMBERSHIP,
      voters: [index, 7],
      members: [{ replica: 7, node: 1, url: 'http://a' }],
    },
    pageCount,
    pageHash: index.toString(16).padStart(16, '0'),
    engine: 'sqlite/3.54.1/abc',
    wall: 1_700_000_000_000.5 + index,
    elapsed: index * 10,
  };
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Takes a checkpoint of the world. */
export function checkpoint(store: SnapshotStore, world: World): Promise<void> {
  const cut = world.cut(store.newest?.index ?? 0);
  return wait((done) => store.write(cut, queueMicrotask, done));
}

/** Carries chunks of `size` bytes until everything is there, or `limit` chunks are sent. */
export function transfer(
  reader: SnapshotReader,
  receiver: SnapshotReceiver,
  size: number,
  limit: number = Number.POSITIVE_INFINITY,
): void {
  for (let sent = 0; sent < limit; sent++) {
    const next = receiver.next();
    if (next === null) return;
    const left = reader.files[next.file]!.bytes - next.offset;
    receiver.write(
      next.file,
      next.offset,
      reader.read(next.file, next.offset, Math.min(size, left)),
    );
  }
}

/** Opens and compares; returns what was found. */
export function expectHolds(store: SnapshotStore, world: World): { fellBack: boolean } {
  const found = store.open()!;
  expect(found).not.toBeNull();
  world.expectIn(found.content);
  found.content.close();
  return found;
}

const change = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('page' as const),
      page: fc.integer({ min: 1, max: 40 }),
      fill: fc.nat(255),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('resize' as const),
      pages: fc.integer({ min: 0, max: 45 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('set' as const),
      section: fc.constantFrom('keys', 'sessions', 'settings'),
      key: fc.string({ maxLength: 2 }),
      value: fc.option(fc.string({ maxLength: 30 })),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('checkpoint' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      chunk: fc.integer({ min: 50, max: 90_000 }),
    }),
  },
);

/** Runs the suite over homes that `create` makes; `runs` are those of the property test. */
export function testSnapshotStore(
  name: string,
  create: () => SnapshotStoreHome,
  runs: number = 60,
): void {
  describe(`snapshot store: ${name}`, () => {
    const homes: SnapshotStoreHome[] = [];
    afterEach(() => {
      for (const home of homes.splice(0)) home.destroy();
    });

    function home(): SnapshotStoreHome {
      const made = create();
      homes.push(made);
      return made;
    }

    function opened(at: SnapshotStoreHome): SnapshotStore {
      const store = at.store();
      store.open()?.content.close();
      return store;
    }

    function someWorld(): World {
      const world = new World();
      for (let page = 1; page <= 100; page++) world.page(page, page);
      for (let i = 0; i < 500; i++) world.set('keys', `key ${i}`, `value ${i}`);
      return world;
    }

    it('has nothing when new', () => {
      const store = home().store();
      expect(store.open()).toBeNull();
      expect(store.newest).toBeNull();
      expect(store.previousIndex).toBe(0);
      expect(store.read()).toBeNull();
      expect(store.bytes).toBe(0);
    });

    it('holds exactly what was checkpointed, through deltas, merges, restarts and transfers (property)', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(change, { maxLength: 60 }), async (changes) => {
          const at = create();
          let store = opened(at);
          const world = new World();
          let behind = false;
          for (const step of changes) {
            if (step.do === 'page') world.page(step.page, step.fill);
            else if (step.do === 'resize') world.resize(step.pages);
            else if (step.do === 'set') world.set(step.section, step.key, step.value);
            else if (step.do === 'checkpoint') await checkpoint(store, world);
            else if (step.do === 'reopen') store = opened(at);
            else if (store.newest !== null) {
              const other = create();
              const target = opened(other);
              const reader = store.read()!;
              const receiver = target.receive(reader.manifest);
              transfer(reader, receiver, step.chunk);
              await wait((done) => receiver.finish(done));
              reader.close();
              if (!behind) expectHolds(target, world);
              other.destroy();
            }
            behind = step.do === 'checkpoint' ? false : behind || /page|resize|set/.test(step.do);
          }
          await checkpoint(store, world);
          expectHolds(store, world);
          expectHolds(at.store(), world);
          at.destroy();
        }),
        { numRuns: runs },
      );
    });

    it('keeps the one before, tells its index, and releases every cut once', async () => {
      const store = opened(home());
      const world = someWorld();
      await checkpoint(store, world);
      expect([store.newest?.index, store.previousIndex]).toEqual([1, 0]);
      world.page(3, 9);
      await checkpoint(store, world);
      expect([store.newest?.index, store.previousIndex]).toEqual([2, 1]);
      expect(world.released).toBe(2);
    });

    it('does not grow without end', async () => {
      const at = home();
      const store = opened(at);
      const world = someWorld();
      await checkpoint(store, world);
      const first = store.bytes;
      for (let i = 0; i < 40; i++) {
        world.page(1 + (i % 100), i);
        world.set('keys', `key ${i}`, null);
        await checkpoint(store, world);
        expect(store.bytes).toBeLessThan(first * 4);
      }
      expectHolds(at.store(), world);
    });

    it('writes in slices', async () => {
      const store = opened(home());
      const world = new World();
      for (let page = 1; page <= 1000; page++) world.page(page, page % 251);
      let slices = 0;
      const cut = world.cut(0);
      await wait((done) =>
        store.write(
          cut,
          (work) => {
            slices++;
            queueMicrotask(work);
          },
          done,
        ),
      );
      expect(slices).toBeGreaterThan(10);
    });

    it('reads on while newer checkpoints replace the one that is read (rule S8)', async () => {
      const at = home();
      const store = opened(at);
      const world = someWorld();
      await checkpoint(store, world);
      const { content } = store.open()!;
      const reader = store.read()!;
      const target = opened(home());
      const receiver = target.receive(reader.manifest);
      transfer(reader, receiver, 10_000, 3);
      const then = structuredClone({ index: world.index, pages: world.pages });
      for (let i = 0; i < 25; i++) {
        for (let page = 1; page <= 60; page++) world.page(page, i + page);
        await checkpoint(store, world);
      }
      transfer(reader, receiver, 10_000);
      await wait((done) => receiver.finish(done));
      reader.close();
      for (const it of [content, target.open()!.content]) {
        const out = new Uint8Array(PAGE_SIZE);
        expect(it.meta.index).toBe(then.index);
        for (const [page, { fill }] of then.pages) {
          expect(it.readPage(page, out)).toBe(true);
          expect(out[17]).toBe(fill);
        }
        it.close();
      }
      expectHolds(at.store(), world);
    });

    it('resumes a transfer where it stopped, also after a restart', async () => {
      const source = opened(home());
      const world = someWorld();
      await checkpoint(source, world);
      const reader = source.read()!;
      const at = home();
      const target = opened(at);
      transfer(reader, target.receive(reader.manifest), 50_000, 6);
      expect(target.receive(reader.manifest).next()).toEqual({ file: 0, offset: 300_000 });
      const restarted = opened(at);
      const receiver = restarted.receive(reader.manifest);
      // Up to the last whole block.
      expect(receiver.next()).toEqual({ file: 0, offset: 262_144 });
      transfer(reader, receiver, 50_000);
      await wait((done) => receiver.finish(done));
      expectHolds(restarted, world);
      expect(restarted.previousIndex).toBe(0);
    });

    it('refuses damaged chunks and takes them again', async () => {
      const source = opened(home());
      const world = someWorld();
      await checkpoint(source, world);
      const reader = source.read()!;
      const target = opened(home());
      const receiver = target.receive(reader.manifest);
      const bad = reader.read(0, 0, 262_144);
      bad[100_000]! ^= 4;
      expect(() => receiver.write(0, 0, bad)).toThrow(expect.objectContaining({ code: 'CORRUPT' }));
      expect(receiver.next()).toEqual({ file: 0, offset: 0 });
      transfer(reader, receiver, 1_000_000);
      await wait((done) => receiver.finish(done));
      expectHolds(target, world);
    });

    it('refuses manifests that are damaged or of an older checkpoint', async () => {
      const source = opened(home());
      const world = someWorld();
      await checkpoint(source, world);
      const old = source.read()!;
      await checkpoint(source, world);
      const { manifest } = source.read()!;
      const target = opened(home());
      const damaged = manifest.slice();
      damaged[40]! ^= 1;
      const refused = expect.objectContaining({ code: 'BAD_REQUEST' });
      expect(() => target.receive(damaged)).toThrow(refused);
      expect(() => target.receive(new Uint8Array(0))).toThrow(refused);
      expect(() => source.receive(old.manifest)).toThrow(refused);
    });

    it('a transfer that is given up leaves nothing behind', async () => {
      const source = opened(home());
      const world = someWorld();
      await checkpoint(source, world);
      const reader = source.read()!;
      const at = home();
      const target = opened(at);
      const receiver = target.receive(reader.manifest);
      transfer(reader, receiver, 50_000);
      receiver.abort();
      expect(target.receive(reader.manifest).next()).toEqual({ file: 0, offset: 0 });
      expect(at.store().open()).toBeNull();
    });

    it('refuses a cut that does not follow the newest checkpoint', async () => {
      const store = opened(home());
      const world = someWorld();
      await checkpoint(store, world);
      await checkpoint(store, world);
      const cut = world.cut(1);
      await expect(wait((done) => store.write(cut, queueMicrotask, done))).rejects.toMatchObject({
        code: 'CONFLICT',
      });
      expect(world.released).toBe(3);
      expect(store.newest?.index).toBe(2);
    });
  });
}
