/** What SQL from outside may not do, one line each, and what it may. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { Writer } from '../../wasm/engine.ts';
import {
  all,
  CommandHost,
  command,
  type EngineFactory,
  failure,
  limits,
} from './engine-support.ts';

const FORBIDDEN: readonly (readonly [sql: string, message: RegExp])[] = [
  ["ATTACH 'x' AS x", /ATTACH/],
  ["ATTACH ':memory:' AS x", /ATTACH/],
  ['DETACH main', /DETACH/],
  ['BEGIN', /BEGIN.*transaction of its own/],
  ['BEGIN IMMEDIATE', /BEGIN/],
  ['COMMIT', /COMMIT/],
  ['END', /END/],
  ['ROLLBACK', /ROLLBACK/],
  ['SAVEPOINT a', /SAVEPOINT/],
  ['RELEASE a', /RELEASE/],
  ['/* hidden */ -- here\n SAVEPOINT a', /SAVEPOINT/],
  ['EXPLAIN BEGIN', /BEGIN/],
  ['VACUUM', /VACUUM.*command of its own/],
  ["VACUUM INTO 'copy.db'", /VACUUM INTO/],
  ['VACUUM main INTO "copy.db"', /VACUUM INTO/],
  ['ANALYZE', /ANALYZE/],
  ['ANALYZE t', /ANALYZE/],
  ['REINDEX', /REINDEX/],
  ['PRAGMA optimize', /PRAGMA optimize/],
  ['CREATE TEMP TABLE x(a)', /TEMP/],
  ['CREATE TEMPORARY VIEW x AS SELECT 1', /TEMP/],
  ['CREATE TABLE temp.x(a)', /TEMP/],
  ['CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END', /TEMP/],
  ['CREATE VIRTUAL TABLE temp.x USING fts5(a)', /TEMP/],
  ['CREATE TABLE quorlite_x(a)', /quorlite_/],
  ['CREATE TABLE "QUORLITE_x"(a)', /QUORLITE_/],
  ['CREATE VIEW quorlite_x AS SELECT 1', /quorlite_/],
  ['CREATE INDEX quorlite_x ON t(a)', /quorlite_/],
  ['CREATE INDEX x ON quorlite_own(id)', /quorlite_/],
  ['CREATE TRIGGER x AFTER INSERT ON quorlite_own BEGIN SELECT 1; END', /quorlite_/],
  ['CREATE VIRTUAL TABLE quorlite_x USING fts5(a)', /quorlite_/],
  ['DROP TABLE quorlite_own', /quorlite_/],
  ['ALTER TABLE quorlite_own ADD COLUMN b', /quorlite_/],
  ['ALTER TABLE t RENAME TO quorlite_x', /quorlite_/],
  ['INSERT INTO quorlite_own VALUES (1)', /quorlite_own/],
  ['UPDATE quorlite_own SET id = 2', /quorlite_own/],
  ['DELETE FROM quorlite_own', /quorlite_own/],
  ['WITH x AS (SELECT 1) INSERT INTO quorlite_own SELECT * FROM x', /quorlite_own/],
  ["INSERT INTO sqlite_sequence VALUES ('t', 99)", /sqlite_sequence/],
  ['UPDATE sqlite_sequence SET seq = 5', /sqlite_sequence/],
  ['DELETE FROM sqlite_stat1', /sqlite_stat1/],
  ["INSERT INTO sqlite_stat1 VALUES ('t', NULL, '5')", /sqlite_stat1/],
  ["UPDATE sqlite_schema SET sql = ''", /sqlite_/],
  ["DELETE FROM sqlite_master WHERE name = 't'", /sqlite_/],
  ['CREATE VIRTUAL TABLE x USING dbstat', /dbstat/],
  ['CREATE VIRTUAL TABLE x USING sqlite_dbpage', /sqlite_dbpage/],
  ['CREATE VIRTUAL TABLE x USING rtree_i32(id, a, b)', /rtree_i32/],
  ['CREATE VIRTUAL TABLE x USING geopoly(a)', /geopoly/],
  ["SELECT load_extension('x')", /load_extension/],
  ['PRAGMA journal_mode = DELETE', /PRAGMA journal_mode/],
  ['PRAGMA journal_mode', /PRAGMA journal_mode/],
  ['PRAGMA main.cache_size = 5', /PRAGMA cache_size/],
  ['PRAGMA foreign_keys = OFF', /PRAGMA foreign_keys/],
  ['PRAGMA defer_foreign_keys = ON', /PRAGMA defer_foreign_keys/],
  ['PRAGMA writable_schema = 1', /PRAGMA writable_schema/],
  ['PRAGMA query_only = 1', /PRAGMA query_only/],
  ['PRAGMA temp_store = FILE', /PRAGMA temp_store/],
  ['PRAGMA hard_heap_limit = 1', /PRAGMA hard_heap_limit/],
  ['PRAGMA no_such_pragma', /PRAGMA no_such_pragma/],
  ['EXPLAIN PRAGMA journal_mode = DELETE', /PRAGMA journal_mode/],
  ['SELECT * FROM pragma_journal_mode', /PRAGMA journal_mode/],
  ['PRAGMA main.data_version', /PRAGMA data_version/],
  ['SELECT * FROM pragma_data_version', /PRAGMA data_version/],
  ['CREATE VIEW dv AS SELECT * FROM "PRAGMA_data_version"', /PRAGMA data_version/],
  ['SELECT * FROM pragma_database_list', /PRAGMA database_list/],
];

const ALLOWED: readonly string[] = [
  'PRAGMA table_info(t)',
  'PRAGMA table_xinfo(t)',
  'PRAGMA TABLE_LIST',
  'PRAGMA index_list(t)',
  'PRAGMA index_info(t_a)',
  'PRAGMA index_xinfo(t_a)',
  'PRAGMA foreign_key_list(t)',
  'PRAGMA foreign_key_check',
  'PRAGMA integrity_check',
  'PRAGMA quick_check',
  'PRAGMA user_version',
  'PRAGMA user_version = 7',
  'PRAGMA application_id = 8',
  'PRAGMA function_list',
  'PRAGMA compile_options',
  "SELECT * FROM pragma_table_info('t')",
  'SELECT * FROM quorlite_own',
  'SELECT * FROM sqlite_schema',
  'SELECT * FROM sqlite_sequence',
  'SELECT * FROM sqlite_stat1',
  "SELECT key, value FROM json_each('[1]')",
  'EXPLAIN QUERY PLAN SELECT * FROM t',
  'EXPLAIN INSERT INTO t(a) VALUES (1)',
  'INSERT INTO t(a) VALUES (1) RETURNING id',
  'CREATE TABLE x(id INTEGER PRIMARY KEY AUTOINCREMENT)',
  'DROP TABLE t',
  'ALTER TABLE t RENAME TO u',
  'ALTER TABLE t RENAME COLUMN a TO c',
  'ALTER TABLE t DROP COLUMN b',
  'CREATE TABLE y AS SELECT * FROM t',
  'DROP INDEX t_a',
  "SELECT 'BEGIN; COMMIT'",
];

/** Registers the suite. */
export function testEngineForbidden(factory: EngineFactory): void {
  describe.skipIf(!factory.engine.capabilities.authorizer)('authorizer', () => {
    let writer: Writer;
    beforeEach(() => {
      const host = new CommandHost();
      writer = factory.engine.openWriter(factory.createStore(), host, limits());
      writer.exec(`CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a, b);
        CREATE INDEX t_a ON t(a); INSERT INTO t(a) VALUES (1); ANALYZE;
        CREATE TABLE quorlite_own(id); INSERT INTO quorlite_own VALUES (1)`);
      return () => writer.close();
    });

    test.each(FORBIDDEN.map(([sql, message]) => [sql, message] as const))(
      'refuses %s',
      (sql, message) => {
        const error = failure(() => all(writer, sql));
        expect(error.kind).toBe('not-allowed');
        expect(error.message).toMatch(message);
        expect(error.message).toMatch(/not allowed/);
        expect(all(writer, 'SELECT a FROM t')).toEqual([[1]]);
      },
    );

    test.each(ALLOWED)('allows %s', (sql) => {
      expect(() => all(writer, sql)).not.toThrow();
    });

    test('a reader refuses the same', () => {
      const store = factory.createStore();
      const host = new CommandHost();
      const own = factory.engine.openWriter(store, host, limits());
      own.exec('CREATE TABLE t(a)');
      const readers = factory.engine.openReaders(store, host, limits());
      const reader = readers.openReader();
      for (const sql of [
        "ATTACH 'x' AS x",
        'BEGIN',
        'PRAGMA cache_size = 3',
        'CREATE TEMP TABLE x(a)',
      ]) {
        expect(failure(() => all(reader, sql)).kind).toBe('not-allowed');
      }
      expect(failure(() => all(reader, 'INSERT INTO t VALUES (1)')).codeName).toMatch(
        /^SQLITE_READONLY/,
      );
      expect(all(reader, 'SELECT * FROM t')).toEqual([]);
      readers.close();
      own.close();
    });

    test('a trigger cannot do what its statement may not', () => {
      all(writer, `CREATE TRIGGER tr AFTER INSERT ON t BEGIN DELETE FROM quorlite_own; END`);
      expect(failure(() => all(writer, 'INSERT INTO t(a) VALUES (2)')).kind).toBe('not-allowed');
      all(writer, 'DROP TRIGGER tr');
      all(writer, `CREATE TRIGGER tr AFTER INSERT ON t BEGIN DELETE FROM sqlite_sequence; END`);
      expect(failure(() => all(writer, 'INSERT INTO t(a) VALUES (2)')).kind).toBe('not-allowed');
    });

    test('privileged() lets maintenance pass, and nothing else', () => {
      for (const sql of ['ANALYZE', 'ANALYZE t', 'REINDEX', 'PRAGMA optimize', 'VACUUM']) {
        expect(() => writer.privileged(() => all(writer, sql))).not.toThrow();
        expect(failure(() => all(writer, sql)).kind).toBe('not-allowed');
      }
      for (const sql of ["VACUUM INTO 'x'", "ATTACH 'x' AS x", 'PRAGMA journal_mode', 'BEGIN']) {
        expect(failure(() => writer.privileged(() => all(writer, sql))).kind).toBe('not-allowed');
      }
    });

    test('our own SQL passes', () => {
      writer.exec('BEGIN; SAVEPOINT a; CREATE TABLE quorlite_migrations(id); RELEASE a; COMMIT');
      writer.exec('PRAGMA defer_foreign_keys = ON');
      expect(all(writer, 'SELECT * FROM quorlite_migrations')).toEqual([]);
    });

    test.skipIf(!factory.engine.capabilities.fts5)(
      'fts5 and fts5vocab work, shadow tables are shut',
      () => {
        command(writer, () => {
          all(writer, 'CREATE VIRTUAL TABLE f USING fts5(body, tokenize = "porter unicode61")');
          all(writer, "INSERT INTO f VALUES ('running foxes'), ('sleeping dogs')");
          all(writer, 'CREATE VIRTUAL TABLE fv USING fts5vocab(f, row)');
          all(writer, "UPDATE f SET body = 'running cats' WHERE rowid = 1");
          all(writer, "INSERT INTO f(f) VALUES ('optimize')");
        });
        expect(all(writer, "SELECT rowid FROM f WHERE f MATCH 'run'")).toEqual([[1]]);
        expect(all(writer, 'SELECT term FROM fv ORDER BY 1').flat()).toEqual([
          'cat',
          'dog',
          'run',
          'sleep',
        ]);
        expect(failure(() => all(writer, 'DELETE FROM f_data')).message).toMatch(
          /may not be modified/,
        );
        all(writer, 'ALTER TABLE f RENAME TO g');
        all(writer, 'DROP TABLE fv');
        all(writer, 'DROP TABLE g');
        expect(
          all(writer, "SELECT name FROM sqlite_schema WHERE name LIKE 'f%' OR name LIKE 'g%'"),
        ).toEqual([]);
      },
    );

    test.skipIf(!factory.engine.capabilities.fts5)(
      'an external content table fed by triggers works',
      () => {
        for (const sql of [
          'CREATE TABLE doc(id INTEGER PRIMARY KEY, body)',
          "CREATE VIRTUAL TABLE ix USING fts5(body, content = 'doc', content_rowid = 'id')",
          'CREATE TRIGGER d1 AFTER INSERT ON doc BEGIN INSERT INTO ix(rowid, body) VALUES (new.id, new.body); END',
          "CREATE TRIGGER d2 AFTER DELETE ON doc BEGIN INSERT INTO ix(ix, rowid, body) VALUES ('delete', old.id, old.body); END",
          "INSERT INTO doc VALUES (1, 'one fish'), (2, 'two fish')",
          'DELETE FROM doc WHERE id = 1',
        ]) {
          all(writer, sql);
        }
        expect(all(writer, "SELECT rowid FROM ix WHERE ix MATCH 'fish'")).toEqual([[2]]);
      },
    );

    test.skipIf(!factory.engine.capabilities.rtree)('rtree works', () => {
      all(writer, 'CREATE VIRTUAL TABLE r USING rtree(id, x0, x1)');
      all(writer, 'INSERT INTO r VALUES (1, 0, 10), (2, 5, 15), (3, 20, 30)');
      expect(all(writer, 'SELECT id FROM r WHERE x0 < 7 AND x1 > 7 ORDER BY id')).toEqual([
        [1],
        [2],
      ]);
      all(writer, 'DELETE FROM r WHERE id = 1');
      all(writer, 'DROP TABLE r');
    });
  });
}
