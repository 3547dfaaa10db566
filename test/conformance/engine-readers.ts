/** Readers: isolation under writes, DDL and VACUUM, deadlines, memory. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { ReaderHost, SqlValue, Statement, Writer } from '../../wasm/engine.ts';
import type { PageStore } from '../../wasm/page-store.ts';
import {
  all,
  CommandHost,
  type EngineFactory,
  failure,
  generator,
  limits,
} from './engine-support.ts';

const ENDLESS = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)';

/** Registers the suite. */
export function testEngineReaders(factory: EngineFactory): void {
  const { capabilities } = factory.engine;
  describe.skipIf(!capabilities.isolatedReaders)('readers', () => {
    let store: PageStore;
    let host: CommandHost;
    let writer: Writer;
    let readers: ReaderHost;
    beforeEach(() => {
      store = factory.createStore();
      host = new CommandHost();
      writer = factory.engine.openWriter(store, host, limits());
      readers = factory.engine.openReaders(store, host, limits());
      return () => {
        readers.close();
        writer.close();
      };
    });

    test('a reader of an empty database sees nothing, then everything that is committed', () => {
      const reader = readers.openReader();
      expect(all(reader, 'SELECT count(*) FROM sqlite_schema')).toEqual([[0]]);
      writer.exec('CREATE TABLE t(a)');
      for (let i = 1; i <= 5; i++) {
        all(writer, 'INSERT INTO t VALUES (?)', [i]);
        expect(all(reader, 'SELECT count(*), max(a) FROM t')).toEqual([[i, i]]);
        expect(reader.epoch()).toBe(store.epoch);
      }
    });

    test('an open transaction is not seen before its commit', () => {
      const reader = readers.openReader();
      writer.exec('CREATE TABLE t(a)');
      writer.setLimits(limits({ cachePages: 10 }));
      writer.exec('BEGIN');
      all(writer, `${ENDLESS} INSERT INTO t SELECT printf('%.*c', 300, 'x') FROM n LIMIT 3000`);
      expect(all(reader, 'SELECT count(*) FROM t')).toEqual([[0]]);
      writer.exec('COMMIT');
      expect(all(reader, 'SELECT count(*) FROM t')).toEqual([[3000]]);
    });

    test('a cursor keeps its epoch until reset, its connection too', () => {
      writer.exec('CREATE TABLE t(a); INSERT INTO t VALUES (1), (2), (3)');
      const reader = readers.openReader();
      const epoch = store.epoch;
      const cursor = reader.prepare('SELECT a FROM t ORDER BY a')!;
      cursor.step();
      writer.exec('DELETE FROM t; VACUUM; CREATE TABLE u(a)');
      expect(reader.epoch()).toBe(epoch);
      expect(all(readers.openReader(), 'SELECT count(*) FROM t')).toEqual([[0]]);
      const rest: SqlValue[] = [cursor.row()[0]!];
      while (cursor.step()) rest.push(cursor.row()[0]!);
      expect(rest).toEqual([1, 2, 3]);
      expect(reader.epoch()).toBe(store.epoch);
      expect(all(reader, 'SELECT count(*) FROM t')).toEqual([[0]]);
    });

    test('pages that a finished cursor held are given back', () => {
      writer.exec('CREATE TABLE t(a)');
      const fill = `${ENDLESS} INSERT INTO t SELECT printf('%.*c', 1000, 'x') FROM n LIMIT 500`;
      all(writer, fill);
      const held = store.bytesHeld;
      const cursor = readers.openReader().prepare('SELECT a FROM t')!;
      cursor.step();
      writer.exec("UPDATE t SET a = printf('%.*c', 1000, 'y')");
      expect(store.bytesHeld).toBeGreaterThan(1.8 * held);
      cursor.reset();
      writer.exec('UPDATE t SET a = a WHERE rowid = 1; INSERT INTO t VALUES (1)');
      expect(store.bytesHeld).toBeLessThan(1.1 * held);
    });

    test('slow cursors under random writes, DDL and VACUUM agree with a model', () => {
      for (const [seed, cachePages] of [
        [1, 10],
        [2, 30],
        [3, 1000],
      ] as const) {
        expect(isolationErrors(factory, seed, cachePages)).toEqual({ checked: true, wrong: 0 });
      }
    });

    test('a writer opened anew is followed by the same readers', () => {
      writer.exec('CREATE TABLE t(a)');
      const reader = readers.openReader();
      expect(all(reader, 'SELECT count(*) FROM t')).toEqual([[0]]);
      const next = factory.engine.openWriter(store, host, limits());
      all(next, 'INSERT INTO t VALUES (1)');
      expect(all(reader, 'SELECT count(*) FROM t')).toEqual([[1]]);
      next.close();
    });

    test('readers of one host live side by side, a closed one does not hurt the others', () => {
      writer.exec('CREATE TABLE t(a); INSERT INTO t VALUES (1)');
      const open = Array.from({ length: 20 }, () => readers.openReader());
      for (const reader of open) expect(all(reader, 'SELECT a FROM t')).toEqual([[1]]);
      for (const reader of open.slice(1)) reader.close();
      all(writer, 'INSERT INTO t VALUES (2)');
      expect(all(open[0]!, 'SELECT count(*) FROM t')).toEqual([[2]]);
    });

    test.skipIf(!capabilities.deadline)('a deadline interrupts, and the reader goes on', () => {
      const reader = readers.openReader();
      host.tickMs = 1;
      reader.setDeadline(20);
      const error = failure(() => all(reader, `${ENDLESS} SELECT max(i) FROM n`));
      expect([error.kind, error.codeName]).toEqual(['timeout', 'SQLITE_INTERRUPT']);
      expect(failure(() => all(reader, 'SELECT 1')).kind).toBe('timeout');
      reader.setDeadline(Number.POSITIVE_INFINITY);
      expect(all(reader, 'SELECT 1')).toEqual([[1]]);
    });

    test.skipIf(!capabilities.deadline)('a deadline counts the engine’s time only', () => {
      const reader = readers.openReader();
      reader.setDeadline(50);
      const cursor = reader.prepare(`${ENDLESS} SELECT i FROM n`)!;
      for (let i = 0; i < 100; i++) {
        expect(cursor.step()).toBe(true);
        host.monotonic += 1000;
      }
      cursor.reset();
    });

    test.skipIf(!capabilities.memoryLimit)(
      'a memory limit fails the statement, not the instance',
      () => {
        const reader = readers.openReader();
        const other = readers.openReader();
        const big = `${ENDLESS} SELECT i FROM (SELECT i, printf('%.*c', 900, 'x') AS x FROM n LIMIT 20000) ORDER BY x, i LIMIT 1 OFFSET 9999`;
        reader.setMemoryLimit(5_000_000);
        expect(failure(() => all(reader, big)).kind).toBe('memory');
        expect(all(reader, 'SELECT 1')).toEqual([[1]]);
        expect(all(other, 'SELECT 2')).toEqual([[2]]);
        reader.setMemoryLimit(Number.POSITIVE_INFINITY);
        expect(all(reader, big)).toEqual([[10_000]]);
      },
    );

    test('a closed host refuses everything as a crash', () => {
      const reader = readers.openReader();
      const statement = reader.prepare('SELECT 1')!;
      readers.close();
      expect(failure(() => statement.step()).kind).toBe('crash');
      expect(failure(() => reader.prepare('SELECT 2')).kind).toBe('crash');
      writer.exec('CREATE TABLE t(a)');
    });
  });
}

interface Cursor {
  readonly statement: Statement;
  readonly rows: number;
  readonly sum: number;
  seenRows: number;
  seenSum: number;
}

/** Five slow cursors while a writer inserts, deletes, changes the schema and vacuums. */
function isolationErrors(
  factory: EngineFactory,
  seed: number,
  cachePages: number,
): { checked: boolean; wrong: number } {
  const random = generator(seed);
  const store = factory.createStore();
  const host = new CommandHost();
  const writer = factory.engine.openWriter(store, host, limits({ cachePages }));
  const readers = factory.engine.openReaders(store, host, limits());
  writer.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, v INT, p TEXT)');
  const model = new Map<number, number>();
  const slots = Array.from({ length: 5 }, () => ({
    reader: readers.openReader(),
    cursor: null as Cursor | null,
  }));
  let nextId = 1;
  let checks = 0;
  let wrong = 0;
  const writeSome = (): void => {
    writer.exec('BEGIN');
    for (let j = random(8) + 1; j > 0; j--) {
      if (random(3) < 2) {
        const v = random(1000);
        all(writer, 'INSERT INTO t VALUES (?, ?, ?)', [nextId, v, 'p'.repeat(random(400))]);
        model.set(nextId++, v);
      } else {
        const id = 1 + random(nextId);
        all(writer, 'DELETE FROM t WHERE id = ?', [id]);
        model.delete(id);
      }
    }
    writer.exec('COMMIT');
  };
  for (let step = 0; step < 1500; step++) {
    const kind = random(10);
    if (kind < 5) writeSome();
    else if (kind === 5 && step % 10 === 0) {
      writer.exec(random(2) === 0 ? 'DROP TABLE IF EXISTS xx' : 'CREATE TABLE IF NOT EXISTS xx(a)');
      if (random(3) === 0) writer.exec('VACUUM');
    } else {
      const slot = slots[random(5)]!;
      slot.cursor ??= openCursor(slot.reader.prepare('SELECT id, v FROM t ORDER BY id')!, model);
      if (!advance(slot.cursor, random(60))) continue;
      checks++;
      const { cursor } = slot;
      if (cursor.seenRows !== cursor.rows || cursor.seenSum !== cursor.sum) wrong++;
      slot.cursor = null;
    }
  }
  if (all(writer, 'PRAGMA integrity_check')[0]![0] !== 'ok') wrong++;
  readers.close();
  writer.close();
  return { checked: checks > 20, wrong };
}

/** The first step fixes the epoch; the model is remembered as it is then. */
function openCursor(statement: Statement, model: ReadonlyMap<number, number>): Cursor {
  const sum = [...model.values()].reduce((a, b) => a + b, 0);
  return { statement, rows: model.size, sum, seenRows: 0, seenSum: 0 };
}

/** Takes up to `count` + 1 rows; true at the end. */
function advance(cursor: Cursor, count: number): boolean {
  for (let i = 0; i <= count; i++) {
    if (!cursor.statement.step()) return true;
    cursor.seenRows++;
    cursor.seenSum += Number(cursor.statement.column(1));
  }
  return false;
}
