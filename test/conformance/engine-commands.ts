/** Commands: the same bytes and results on every replica, budgets, what is reset between commands. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { SqlValue, Writer } from '../../wasm/engine.ts';
import type { PageStore } from '../../wasm/page-store.ts';
import {
  AMPLE,
  all,
  CommandHost,
  command,
  copyOf,
  type EngineFactory,
  failure,
  imageOf,
  limits,
} from './engine-support.ts';
import { type Play, play, workload } from './engine-workload.ts';

const PLAYS: readonly (readonly [name: string, how: Play])[] = [
  ['again', {}],
  ['restored half way', { restoreAt: 250 }],
  ['reopened half way', { reopenAt: 260 }],
  ['with a cache of 10 pages', { cachePages: 10 }],
  ['with a cache of 10 pages, restored', { cachePages: 10, restoreAt: 240 }],
  ['with reads in between', { reads: true, cachePages: 50 }],
  ['without cached statements', { coldStatements: true }],
];

const ENDLESS = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)';

/** Registers the suite. */
export function testEngineCommands(factory: EngineFactory): void {
  const { capabilities } = factory.engine;
  describe('commands', () => {
    describe.each([1, 2])('a random log, seed %d', (seed) => {
      const log = workload(500, seed, capabilities.fts5 && capabilities.rtree);
      const first = play(factory, log);
      const image = imageOf(first.store);

      test('reaches most statements', () => {
        expect(first.results.filter((result) => result.startsWith('ok')).length).toBeGreaterThan(
          400,
        );
        expect(first.results.filter((result) => !result.startsWith('ok')).length).toBeGreaterThan(
          5,
        );
        expect(all(first.writer, 'PRAGMA integrity_check')).toEqual([['ok']]);
      });

      test.each(PLAYS)('gives the same bytes, hash and results %s', (_, how) => {
        const other = play(factory, log, how);
        expect(other.results).toEqual(first.results);
        expect(other.store.hash()).toBe(first.store.hash());
        expect(Buffer.compare(imageOf(other.store), image)).toBe(0);
      });
    });

    test('pages modified and freed in one transaction do not depend on the cache', () => {
      const fill = (count: number, char: string, size: number): string =>
        `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
         INSERT INTO t(v) SELECT printf('%.*c', ${size}, '${char}') FROM n`;
      const run = (cachePages: number): PageStore => {
        const store = factory.createStore();
        const writer = factory.engine.openWriter(store, new CommandHost(), limits({ cachePages }));
        writer.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT)');
        writer.exec(fill(4000, 'a', 300));
        writer.exec(
          "BEGIN; UPDATE t SET v = printf('%.*c', 300, 'b'); DELETE FROM t WHERE id < 3500; COMMIT",
        );
        writer.exec(fill(1000, 'z', 200));
        return store;
      };
      const small = run(10);
      expect(small.hash()).toBe(run(5000).hash());
    });
  });

  describe('between commands', () => {
    let store: PageStore;
    let host: CommandHost;
    let writer: Writer;
    beforeEach(() => {
      store = factory.createStore();
      host = new CommandHost();
      writer = factory.engine.openWriter(store, host, limits());
      writer.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, a)');
      return () => writer.close();
    });
    const one = (sql: string): SqlValue => command(writer, () => all(writer, sql))[0]![0]!;

    test('the clock is the host’s, local time is UTC', () => {
      host.command = 5;
      expect(one("SELECT datetime('now')")).toBe('2023-11-14 22:13:25');
      expect(one("SELECT datetime('now', 'localtime')")).toBe('2023-11-14 22:13:25');
      expect(one('SELECT CURRENT_TIMESTAMP')).toBe('2023-11-14 22:13:25');
      expect(one("SELECT unixepoch('subsec')")).toBe(1_700_000_005);
      expect(one("SELECT strftime('%w %j', 'now', 'localtime')")).toBe('2 318');
      expect(one("SELECT datetime(-1e10, 'unixepoch', 'localtime')")).toBe('1653-02-10 06:13:20');
    });

    test('random() begins anew from the host with each command', () => {
      host.command = 1;
      const first = one('SELECT hex(randomblob(16)) || random()');
      expect(one('SELECT hex(randomblob(16)) || random()')).toBe(first);
      host.command = 2;
      expect(one('SELECT hex(randomblob(16)) || random()')).not.toBe(first);
    });

    test('last_insert_rowid(), changes() and total_changes() forget earlier commands', () => {
      command(writer, () => all(writer, "INSERT INTO t VALUES (7, 'a'), (8, 'b'), (9, 'c')"));
      expect([writer.changes(), writer.lastInsertRowid()]).toEqual([3, 9]);
      expect(one('SELECT last_insert_rowid() || changes() || total_changes()')).toBe('000');
      const seen = command(writer, () => {
        all(writer, "UPDATE t SET a = 'x' WHERE id < 9");
        all(writer, "INSERT INTO t VALUES (20, 'd')");
        return all(writer, 'SELECT last_insert_rowid(), changes(), total_changes()');
      });
      expect(seen).toEqual([[20, 1, 3]]);
    });

    test('totalChanges moves with every changed row, also of a failed statement', () => {
      const before = writer.totalChanges();
      failure(() => all(writer, 'INSERT OR FAIL INTO t VALUES (1, 1), (2, 2), (1, 3)'));
      expect(writer.totalChanges()).not.toBe(before);
    });

    test('a rowid beyond 2^53 comes back whole', () => {
      all(writer, "INSERT INTO t VALUES (9223372036854775807, 'z')");
      expect(writer.lastInsertRowid()).toBe(9_223_372_036_854_775_807n);
    });

    test('deferred foreign keys show before the commit', () => {
      writer.exec('CREATE TABLE k(t REFERENCES t(id) DEFERRABLE INITIALLY DEFERRED)');
      writer.exec('BEGIN');
      expect(writer.deferredForeignKeysPending()).toBe(false);
      all(writer, 'INSERT INTO k VALUES (5)');
      expect(writer.deferredForeignKeysPending()).toBe(true);
      expect(failure(() => writer.exec('COMMIT')).codeName).toBe('SQLITE_CONSTRAINT_FOREIGNKEY');
      all(writer, 'INSERT INTO t VALUES (5, 1)');
      expect(writer.deferredForeignKeysPending()).toBe(false);
      writer.exec('COMMIT');
    });

    test('foreign keys are on, and can be switched inside a transaction', () => {
      writer.exec('CREATE TABLE k(t REFERENCES t(id))');
      expect(failure(() => all(writer, 'INSERT INTO k VALUES (5)')).codeName).toBe(
        'SQLITE_CONSTRAINT_FOREIGNKEY',
      );
      writer.exec('BEGIN');
      writer.setForeignKeys(false);
      all(writer, 'INSERT INTO k VALUES (5)');
      writer.setForeignKeys(true);
      expect(all(writer, 'PRAGMA foreign_key_check').length).toBe(1);
      writer.exec('ROLLBACK');
    });

    test('schemaOrStatisticsChanged tells DDL and ANALYZE from the rest', () => {
      const changed = (run: () => void): boolean => {
        writer.beginCommand(AMPLE);
        run();
        const answer = writer.schemaOrStatisticsChanged();
        writer.endCommand();
        return answer;
      };
      expect(changed(() => all(writer, 'INSERT INTO t VALUES (1, 1)'))).toBe(false);
      expect(changed(() => all(writer, 'CREATE TABLE IF NOT EXISTS t(a)'))).toBe(false);
      expect(changed(() => all(writer, 'CREATE INDEX t_a ON t(a)'))).toBe(true);
      expect(changed(() => writer.privileged(() => all(writer, 'ANALYZE')))).toBe(true);
      expect(changed(() => writer.exec('CREATE TABLE quorlite_x(a)'))).toBe(true);
      expect(changed(() => all(writer, 'SELECT 1'))).toBe(false);
      const version = writer.schemaVersion();
      all(writer, 'DROP INDEX t_a');
      expect(writer.schemaVersion()).toBeGreaterThan(version);
    });

    test('after reloadSchema a live connection plans like a restored one', () => {
      const plan = (on: Writer): SqlValue[][] =>
        all(on, 'EXPLAIN QUERY PLAN SELECT * FROM p JOIN q ON p.a = q.a WHERE p.b = 1');
      writer.exec(`CREATE TABLE p(a, b); CREATE TABLE q(a, b); CREATE INDEX p_b ON p(b);
        CREATE INDEX q_a ON q(a); CREATE INDEX p_a ON p(a);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
        INSERT INTO p SELECT i % 3, i % 2 FROM n; INSERT INTO q SELECT a, b FROM p WHERE b = 1 LIMIT 40`);
      writer.privileged(() => all(writer, 'ANALYZE'));
      writer.reloadSchema();
      all(writer, 'DROP INDEX q_a');
      writer.reloadSchema();
      const restored = factory.engine.openWriter(copyOf(factory, store), host, limits());
      expect(plan(writer)).toEqual(plan(restored));
    });

    test.skipIf(!capabilities.stepLimit)(
      'the step budget ends a statement, the same each time',
      () => {
        const budget = { ...AMPLE, steps: 50 };
        writer.exec('BEGIN');
        const sql = `${ENDLESS} INSERT INTO t(a) SELECT i FROM n`;
        const error = failure(() => command(writer, () => all(writer, sql), budget));
        expect([error.kind, error.codeName]).toEqual(['steps', 'SQLITE_INTERRUPT']);
        expect(writer.autocommit()).toBe(true);
        expect(all(writer, 'SELECT count(*) FROM t')).toEqual([[0]]);
        const select = `${ENDLESS} SELECT max(i) FROM n`;
        expect(failure(() => command(writer, () => all(writer, select), budget)).kind).toBe(
          'steps',
        );
      },
    );

    test.skipIf(!capabilities.stepLimit)(
      'steps are counted from zero for each run of a statement',
      () => {
        const sql = `${ENDLESS} SELECT max(i) FROM (SELECT i FROM n LIMIT 1000)`;
        const counts = [1, 2, 3, 4, 5].map(() => {
          writer.beginCommand(AMPLE);
          all(writer, sql);
          return writer.endCommand().steps;
        });
        expect(counts[0]).toBeGreaterThan(5);
        expect(new Set(counts).size).toBe(1);
      },
    );

    test.skipIf(!capabilities.memoryLimit)(
      'the memory budget ends a statement, the connection goes on',
      () => {
        const budget = { ...AMPLE, memoryBytes: 4 * 1024 * 1024 };
        const sql = `${ENDLESS} SELECT length(group_concat(printf('%.*c', 1000, 'x'))) FROM (SELECT i FROM n LIMIT 20000)`;
        const error = failure(() => command(writer, () => all(writer, sql), { ...budget }));
        expect(['memory', 'sql']).toContain(error.kind);
        const sort = `${ENDLESS} SELECT * FROM (SELECT i, printf('%.*c', 500, 'x') AS x FROM n LIMIT 100000) ORDER BY x DESC LIMIT 1 OFFSET 50000`;
        const sorted = failure(() => command(writer, () => all(writer, sort), budget));
        expect([sorted.kind, sorted.codeName]).toEqual(['memory', 'SQLITE_NOMEM']);
        expect(one('SELECT 1')).toBe(1);
        writer.beginCommand(AMPLE);
        all(
          writer,
          `${ENDLESS} SELECT count(*) FROM (SELECT DISTINCT printf('%d%.*c', i, 900, 'x') FROM n LIMIT 2000)`,
        );
        expect(writer.endCommand().memoryBytes).toBeGreaterThan(1_000_000);
      },
    );

    test('a full database is full by its page count', () => {
      writer.setLimits(limits({ maxPageCount: 20 }));
      const fill = `${ENDLESS} INSERT INTO t(a) SELECT printf('%.*c', 1000, 'x') FROM n LIMIT 1000`;
      const error = failure(() => command(writer, () => all(writer, fill)));
      expect([error.kind, error.codeName]).toEqual(['full', 'SQLITE_FULL']);
      expect(all(writer, 'SELECT count(*) FROM t')).toEqual([[0]]);
      writer.setLimits(limits());
      command(writer, () => all(writer, 'INSERT INTO t VALUES (1, 1)'));
      expect(store.pageCount).toBeLessThan(20);
    });

    test('a rollback leaves the store as it was, spilled pages included', () => {
      writer.setLimits(limits({ cachePages: 10 }));
      command(writer, () => all(writer, `${ENDLESS} INSERT INTO t(a) SELECT i FROM n LIMIT 3000`));
      const hash = store.hash();
      const { epoch, bytesHeld } = store;
      writer.exec('BEGIN');
      all(writer, "UPDATE t SET a = printf('%.*c', 400, 'b')");
      expect(store.pendingPageCount).toBeGreaterThan(store.pageCount);
      writer.exec('ROLLBACK');
      expect([store.hash(), store.epoch, store.bytesHeld]).toEqual([hash, epoch, bytesHeld]);
      expect(all(writer, 'PRAGMA integrity_check')).toEqual([['ok']]);
    });
  });
}
