/** What happens when the store or the instance fails: nothing committed is lost, nothing uncommitted stays. */
import { describe, expect, test } from 'vitest';
import type { Writer } from '../../wasm/engine.ts';
import { type PageStore, PageStoreFull, type Pin } from '../../wasm/page-store.ts';
import {
  AMPLE,
  all,
  CommandHost,
  command,
  type EngineFactory,
  failure,
  imageOf,
  limits,
} from './engine-support.ts';
import { playOne, workload } from './engine-workload.ts';

/** A page store that fails on demand. */
class FaultyStore implements PageStore {
  /** Called before each write and commit; throws to inject a fault. */
  beforeWrite: () => void = () => {};
  beforeCommit: () => void = () => {};
  afterCommit: () => void = () => {};
  readonly pageSize: number;
  readonly #inner: PageStore;

  constructor(inner: PageStore) {
    this.#inner = inner;
    this.pageSize = inner.pageSize;
  }

  get epoch(): number {
    return this.#inner.epoch;
  }
  get pageCount(): number {
    return this.#inner.pageCount;
  }
  get pendingPageCount(): number {
    return this.#inner.pendingPageCount;
  }
  get bytesHeld(): number {
    return this.#inner.bytesHeld;
  }
  hash(): string {
    return this.#inner.hash();
  }
  read(epoch: number, offset: number, out: Uint8Array): boolean {
    return this.#inner.read(epoch, offset, out);
  }
  write(page: number, bytes: Uint8Array, lo: number, hi: number): void {
    this.beforeWrite();
    this.#inner.write(page, bytes, lo, hi);
  }
  truncate(pages: number): void {
    this.#inner.truncate(pages);
  }
  commit(): void {
    this.beforeCommit();
    this.#inner.commit();
    this.afterCommit();
  }
  abort(): void {
    this.#inner.abort();
  }
  pin(): Pin {
    return this.#inner.pin();
  }
  onBeforeCommit(listener: () => void): () => void {
    return this.#inner.onBeforeCommit(listener);
  }
  onCommit(listener: () => void): () => void {
    return this.#inner.onCommit(listener);
  }
  close(): void {
    this.#inner.close();
  }
}

const TRANSACTION = "BEGIN; UPDATE a SET name = name || 'z'; UPDATE c SET y = y || '!'; COMMIT";

/** Registers the suite. */
export function testEngineFaults(factory: EngineFactory): void {
  const { capabilities } = factory.engine;
  const opened = (cachePages = 1000): { store: FaultyStore; writer: Writer; host: CommandHost } => {
    const store = new FaultyStore(factory.createStore());
    const host = new CommandHost();
    const writer = factory.engine.openWriter(store, host, limits({ cachePages }));
    for (const sql of workload(120, 9, false)) playOne(writer, sql);
    return { store, writer, host };
  };
  const boom = (): never => {
    throw new Error('boom');
  };

  describe.skipIf(!capabilities.pageStore)('faults', () => {
    test.each([1, 2, 3])('a throw at write %d loses the transaction only', (at) => {
      const { store, writer, host } = opened();
      const image = imageOf(store);
      let writes = 0;
      store.beforeWrite = () => {
        writes++;
        if (writes === at) boom();
      };
      const error = failure(() => writer.exec(TRANSACTION));
      expect([error.kind, error.message]).toEqual(['crash', expect.stringContaining('boom')]);
      store.beforeWrite = () => {};
      expectDead(writer);
      expectReopens(factory, store, host, image);
    });

    test('a full page store is a crash, never a result', () => {
      const { store, writer, host } = opened();
      const image = imageOf(store);
      store.beforeWrite = () => {
        throw new PageStoreFull('the page store is full');
      };
      const error = failure(() => writer.exec(TRANSACTION));
      expect(error.kind).toBe('crash');
      expect((error.cause as Error).name).toBe('PageStoreFull');
      store.beforeWrite = () => {};
      expectReopens(factory, store, host, image);
    });

    test('a throw just before the commit point is not committed', () => {
      const { store, writer, host } = opened();
      const image = imageOf(store);
      const { epoch } = store;
      store.beforeCommit = boom;
      expect(failure(() => writer.exec(TRANSACTION)).kind).toBe('crash');
      store.beforeCommit = () => {};
      expect(store.epoch).toBe(epoch);
      expectDead(writer);
      expectReopens(factory, store, host, image);
    });

    test('a throw just after the commit point looks like an error but is committed', () => {
      const { store, writer, host } = opened();
      const before = all(writer, 'SELECT sum(length(name)) FROM a')[0]![0] as number;
      const rows = all(writer, 'SELECT count(*) FROM a')[0]![0] as number;
      const { epoch } = store;
      store.afterCommit = boom;
      expect(failure(() => writer.exec(TRANSACTION)).kind).toBe('crash');
      store.afterCommit = () => {};
      expect(store.epoch).toBe(epoch + 1);
      const next = factory.engine.openWriter(store, host, limits());
      expect(all(next, 'SELECT sum(length(name)) FROM a')).toEqual([[before + rows]]);
      expect(all(next, 'PRAGMA integrity_check')).toEqual([['ok']]);
    });

    test('a writer that another one replaced is dead', () => {
      const { store, writer, host } = opened();
      const image = imageOf(store);
      writer.exec('BEGIN');
      all(writer, "UPDATE a SET name = 'lost'");
      const next = factory.engine.openWriter(store, host, limits());
      expectDead(writer);
      expect(Buffer.compare(imageOf(store), image)).toBe(0);
      expect(all(next, 'PRAGMA integrity_check')).toEqual([['ok']]);
    });

    test.skipIf(!capabilities.memoryLimit)('memory that ends anywhere damages nothing', () => {
      let failures = 0;
      for (let seed = 1; seed <= 40; seed++) {
        const { store, writer, host } = opened(seed % 3 === 0 ? 20 : 5000);
        const image = imageOf(store);
        const { epoch } = store;
        writer.exec('BEGIN');
        let kind = '';
        try {
          command(
            writer,
            () => {
              all(writer, 'INSERT INTO b(k, v) SELECT k || 1, zeroblob(3000) FROM b');
              all(writer, "UPDATE a SET name = name || 'long long long'");
              all(writer, 'CREATE INDEX b_v ON b(v)');
            },
            { ...AMPLE, memoryBytes: 1000 + seed * seed * 400 },
          );
        } catch (error) {
          kind = (error as { kind: string }).kind;
          failures++;
        }
        if (!writer.autocommit()) writer.exec('ROLLBACK');
        expect(['', 'memory']).toContain(kind);
        expect([store.epoch, Buffer.compare(imageOf(store), image)]).toEqual([epoch, 0]);
        expect(all(writer, 'PRAGMA integrity_check')).toEqual([['ok']]);
        expectReopens(factory, store, host, image);
      }
      expect(failures).toBeGreaterThan(15);
    });
  });
}

/** Every call on a dead writer says so. */
function expectDead(writer: Writer): void {
  expect(failure(() => writer.prepare('SELECT 1')).kind).toBe('crash');
  expect(failure(() => writer.exec('ROLLBACK')).kind).toBe('crash');
  expect(failure(() => writer.beginCommand(AMPLE)).kind).toBe('crash');
  expect(failure(() => writer.autocommit()).kind).toBe('crash');
  expect(() => writer.close()).not.toThrow();
}

/** A new writer finds the committed pages whole, and the same transaction now goes through. */
function expectReopens(
  factory: EngineFactory,
  store: PageStore,
  host: CommandHost,
  image: Uint8Array,
): void {
  const writer = factory.engine.openWriter(store, host, limits());
  expect(Buffer.compare(imageOf(store), image)).toBe(0);
  expect(all(writer, 'PRAGMA integrity_check')).toEqual([['ok']]);
  const { epoch } = store;
  writer.exec(TRANSACTION);
  expect(store.epoch).toBe(epoch + 1);
  writer.close();
}
