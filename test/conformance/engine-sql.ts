/** Statements, values and errors. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { SqlValue, Statement, Writer } from '../../wasm/engine.ts';
import { all, CommandHost, type EngineFactory, failure, limits } from './engine-support.ts';

const VALUES: readonly SqlValue[] = [
  null,
  0,
  -1,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31) - 1,
  Number.MAX_SAFE_INTEGER,
  Number.MIN_SAFE_INTEGER,
  9_007_199_254_740_992n,
  -9_007_199_254_740_992n,
  9_223_372_036_854_775_807n,
  -9_223_372_036_854_775_808n,
  0.1,
  -1.5e300,
  5e-324,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  '',
  'ascii',
  'a text of more than forty-eight characters, which takes the other way of coding',
  'Größe, 東京, 🦊, e\u0301',
  '🦊'.repeat(40),
  '\ufeffwith a byte order mark',
  'nul\0inside',
  'x'.repeat(100_000),
  'ü'.repeat(50_000),
  new Uint8Array(0),
  new Uint8Array([0, 1, 2, 255]),
  new Uint8Array(200_000).fill(7),
];

function describeValue(value: SqlValue): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 20));
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  return `${typeof value} ${value}`;
}

/** As `toEqual`, which takes a second and more to compare bytes by the hundred thousand. */
function expectSame(found: SqlValue, value: SqlValue): void {
  if (value instanceof Uint8Array) {
    expect(found).toBeInstanceOf(Uint8Array);
    expect(Buffer.compare(found as Uint8Array, value)).toBe(0);
  } else expect(found).toBe(value);
}

/** Registers the suite. */
export function testEngineSql(factory: EngineFactory): void {
  describe('statements and values', () => {
    let writer: Writer;
    const prepared = (sql: string): Statement => writer.prepare(sql)!;
    beforeEach(() => {
      writer = factory.engine.openWriter(factory.createStore(), new CommandHost(), limits());
      return () => writer.close();
    });

    test.each(VALUES.map((value) => [describeValue(value), value]))('%s comes back', (_, value) => {
      writer.exec('CREATE TABLE v(x)');
      all(writer, 'INSERT INTO v VALUES (?)', [value]);
      const [row] = all(writer, 'SELECT x FROM v');
      expectSame(row![0]!, value);
      const statement = prepared('SELECT x, 1 FROM v');
      statement.step();
      expectSame(statement.column(0), value);
      statement.reset();
    });

    test.each<[string, SqlValue, string]>([
      ['a safe integer', 5, 'integer'],
      ['a large safe integer', 2 ** 52, 'integer'],
      ['minus zero', -0, 'real'],
      ['a fraction', 1.5, 'real'],
      ['an integer beyond 2^53', 2 ** 60, 'real'],
      ['a bigint', 5n, 'integer'],
      ['text', 'x', 'text'],
      ['bytes', new Uint8Array(1), 'blob'],
      ['null', null, 'null'],
    ])('%s binds as its SQL type', (_, value, type) => {
      expect(all(writer, 'SELECT typeof(?)', [value])).toEqual([[type]]);
    });

    test('NaN and integers of more than 64 bits are refused', () => {
      const statement = prepared('SELECT ?');
      expect(failure(() => statement.bind(1, Number.NaN)).message).toMatch(/NaN/);
      expect(failure(() => statement.bind(1, 2n ** 63n)).message).toMatch(/64 bits/);
      expect(failure(() => statement.bind(2, 1)).codeName).toBe('SQLITE_RANGE');
    });

    test('text given as bytes, blobs and cleared bindings', () => {
      const statement = prepared('SELECT ?, ?, ?');
      statement.bindTextBytes(1, new TextEncoder().encode('Größe'));
      statement.bindBlob(2, new Uint8Array([1, 2]));
      statement.step();
      expect(statement.row()).toEqual(['Größe', new Uint8Array([1, 2]), null]);
      expect(statement.rowBytes()).toBe(7 + 2 + 3);
      statement.reset();
      statement.clearBindings();
      statement.step();
      expect(statement.row()).toEqual([null, null, null]);
    });

    test('invalid UTF-8 comes out with replacement characters', () => {
      expect(all(writer, "SELECT CAST(x'61ff62' AS TEXT)")).toEqual([['a\ufffdb']]);
    });

    test('parameters have numbers and names', () => {
      const statement = prepared('SELECT :a, @b, $c, ?5, ?, :a');
      expect(statement.parameterCount).toBe(6);
      const names = [1, 2, 3, 4, 5, 6].map((i) => statement.parameterName(i));
      expect(names).toEqual([':a', '@b', '$c', null, '?5', null]);
    });

    test('columns have names and declared types, which follow the schema', () => {
      writer.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, name VARCHAR(20))');
      const statement = prepared('SELECT *, 1 + 1 AS two FROM t');
      expect(statement.columnNames()).toEqual(['id', 'name', 'two']);
      expect(statement.columnTypes()).toEqual(['INTEGER', 'VARCHAR(20)', null]);
      writer.exec("ALTER TABLE t ADD COLUMN extra TEXT; INSERT INTO t VALUES (1, 'a', 'b')");
      expect(statement.step()).toBe(true);
      expect(statement.row()).toEqual([1, 'a', 'b', 2]);
      expect(statement.columnNames()).toEqual(['id', 'name', 'extra', 'two']);
      statement.reset();
    });

    test('statements tell whether they write and whether they explain', () => {
      writer.exec('CREATE TABLE t(a)');
      expect(prepared('SELECT * FROM t').readonly).toBe(true);
      expect(prepared('INSERT INTO t VALUES (1)').readonly).toBe(false);
      expect(prepared('EXPLAIN QUERY PLAN SELECT * FROM t').explain).toBe(true);
      expect(prepared('SELECT * FROM t').explain).toBe(false);
    });

    test('tables() names what is read and written, also by triggers and foreign keys', () => {
      writer.exec(`CREATE TABLE parent(id INTEGER PRIMARY KEY);
        CREATE TABLE Child(id INTEGER PRIMARY KEY, p REFERENCES parent ON DELETE CASCADE);
        CREATE TABLE log(n); CREATE VIEW v AS SELECT * FROM child;
        CREATE TRIGGER tr AFTER DELETE ON child BEGIN INSERT INTO log SELECT count(*) FROM parent; END;`);
      expect(prepared('SELECT * FROM v').tables().written).toEqual([]);
      expect(prepared('SELECT * FROM v').tables().read).toContain('child');
      const { read, written } = prepared('DELETE FROM parent WHERE id = 1').tables();
      expect([...written].sort()).toEqual(['child', 'log', 'parent']);
      expect(read).toContain('parent');
      const insert = prepared('INSERT INTO log VALUES (1)');
      expect(insert.tables().written).toEqual(['log']);
    });

    test('a prepared statement is kept by its text', () => {
      const first = writer.prepare('SELECT 1');
      expect(writer.prepare('SELECT 1')).toBe(first);
      writer.clearStatements();
      expect(writer.prepare('SELECT 1')).not.toBe(first);
    });

    test('a running statement is not handed out twice', () => {
      const outer = prepared('SELECT value FROM json_each(?)');
      outer.bind(1, '[1,2,3]');
      expect(outer.step()).toBe(true);
      expect(all(writer, 'SELECT value FROM json_each(?)', ['[9]'])).toEqual([[9]]);
      expect(outer.row()).toEqual([1]);
      expect(outer.step()).toBe(true);
      expect(outer.row()).toEqual([2]);
      outer.reset();
    });

    test('more statements than the cache holds all work', () => {
      for (let round = 0; round < 2; round++) {
        for (let i = 0; i < 400; i++) expect(all(writer, `SELECT ${i}`)).toEqual([[i]]);
      }
    });

    test('a text without a statement is null, a second statement an error', () => {
      for (const sql of ['', '  ', '-- nothing', '/* nothing */ ;', ';;']) {
        expect(writer.prepare(sql)).toBeNull();
      }
      expect(writer.prepare('SELECT 1; -- done')).not.toBeNull();
      const error = failure(() => writer.prepare('SELECT 1; SELECT 2'));
      expect(error.message).toMatch(/more than one statement/);
      expect(failure(() => writer.prepare('SELECT 1\0; SELECT 2')).message).toMatch(/NUL/);
    });

    test('prepareNext goes through a script, with offsets in UTF-16 units', () => {
      const script = "SELECT '🦊', 1; -- ü\n;  SELECT 'ü;' ; SELECT 3 -- end";
      const seen: SqlValue[][] = [];
      const offsets: number[] = [];
      for (let from = 0; ; ) {
        const { statement, next } = writer.prepareNext(script, from);
        if (statement === null) break;
        statement.step();
        seen.push(statement.row());
        statement.finalize();
        offsets.push(next);
        from = next;
      }
      expect(seen).toEqual([['🦊', 1], ['ü;'], [3]]);
      expect(offsets.map((offset) => script.slice(0, offset).split(';').length - 1)).toEqual([
        1, 4, 4,
      ]);
    });

    test.each<[string, string, string, number]>([
      ['a syntax error', 'SELECT 1 FRM t', 'SQLITE_ERROR', 13],
      ['an unknown column', "SELECT '🦊ü', nope", 'SQLITE_ERROR', 14],
      ['an unknown table', 'SELECT * FROM nowhere', 'SQLITE_ERROR', -1],
    ])('%s has its code and offset', (_, sql, code, offset) => {
      const error = failure(() => writer.prepare(sql));
      expect([error.kind, error.codeName]).toEqual(['sql', code]);
      if (factory.engine.capabilities.errorOffset) expect(error.offset).toBe(offset);
    });

    test.each<[string, string]>([
      ['INSERT INTO c VALUES (1, 1, 1)', 'SQLITE_CONSTRAINT_PRIMARYKEY'],
      ['INSERT INTO c VALUES (2, 5, 1)', 'SQLITE_CONSTRAINT_UNIQUE'],
      ['INSERT INTO c VALUES (2, NULL, 1)', 'SQLITE_CONSTRAINT_NOTNULL'],
      ['INSERT INTO c VALUES (2, 2, -1)', 'SQLITE_CONSTRAINT_CHECK'],
      ["INSERT INTO c VALUES ('x', 2, 1)", 'SQLITE_MISMATCH'],
      ['INSERT INTO d VALUES (77)', 'SQLITE_CONSTRAINT_FOREIGNKEY'],
      ["INSERT INTO s VALUES ('text')", 'SQLITE_CONSTRAINT_DATATYPE'],
    ])('%s gives %s, and the statement can be used again', (sql, code) => {
      writer.exec(`CREATE TABLE c(id INTEGER PRIMARY KEY, u UNIQUE NOT NULL, k CHECK (k > 0));
        CREATE TABLE d(c REFERENCES c(id)); CREATE TABLE s(i INTEGER) STRICT;
        INSERT INTO c VALUES (1, 5, 1)`);
      const statement = prepared(sql);
      const error = failure(() => statement.step());
      expect([error.kind, error.codeName]).toEqual(['sql', code]);
      expect(failure(() => statement.step()).codeName).toBe(code);
    });

    test('a value beyond the limit is too big, a pattern too complex', () => {
      const big = failure(() => all(writer, 'SELECT length(?)', ['x'.repeat(2 * 1024 * 1024 + 1)]));
      expect(big.codeName).toBe('SQLITE_TOOBIG');
      expect(failure(() => all(writer, 'SELECT randomblob(2097153)')).codeName).toBe(
        'SQLITE_TOOBIG',
      );
      const pattern = failure(() => all(writer, "SELECT 'a' LIKE ?", ['%'.repeat(257)]));
      expect(pattern.message).toMatch(/pattern too complex/);
    });

    test('expressions nested to the limit work, beyond it they are an error, never a crash', () => {
      const nested = (depth: number): string =>
        `SELECT ${'1 BETWEEN '.repeat(depth)}1${' AND 1'.repeat(depth)}`;
      expect(all(writer, nested(250))).toEqual([[1]]);
      for (const depth of [260, 1000, 5000]) {
        expect(failure(() => all(writer, nested(depth))).kind).toBe('sql');
      }
      for (const [open, close] of [
        ['(', ')'],
        ['abs(', ')'],
        ['NOT ', ''],
        ['(SELECT ', ')'],
      ] as const) {
        const error = failure(() =>
          all(writer, `SELECT ${open.repeat(20_000)}1${close.repeat(20_000)}`),
        );
        expect(error.kind).toBe('sql');
      }
    });
  });
}
