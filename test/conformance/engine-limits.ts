/**
 * What is nested deep, multiplies, or is endless, one line each: the engine answers or refuses, in an error that is the
 * same everywhere; it never crashes (architecture, section 5: nothing a client sends can stop a node).
 */
import { beforeEach, describe, expect, test } from 'vitest';
import type { Budget, Writer } from '../../wasm/engine.ts';
import { PREPARE_BYTES } from '../../wasm/limits.ts';
import {
  ALLOWED,
  DENSE_JOIN,
  INDEXED,
  list,
  nest,
  REFUSED,
  triggerChain,
} from './engine-limits-cases.ts';
import {
  all,
  CommandHost,
  command,
  type EngineFactory,
  failure,
  limits,
} from './engine-support.ts';

/** A command's allowance as a cluster has it by default. */
const BUDGET: Budget = {
  steps: 20_000,
  memoryBytes: 192 * 1024 * 1024,
  prepareBytes: PREPARE_BYTES.soft,
};

/** Registers the suite. */
export function testEngineLimits(factory: EngineFactory): void {
  const { capabilities } = factory.engine;
  let writer: Writer;

  beforeEach(() => {
    writer = factory.engine.openWriter(factory.createStore(), new CommandHost(), limits());
  });

  function alive(): void {
    expect(all(writer, 'SELECT 1 + 1')).toEqual([[2]]);
    expect(all(writer, 'PRAGMA integrity_check')).toEqual([['ok']]);
  }

  describe.skipIf(!capabilities.stepLimit || !capabilities.memoryLimit)('limits', () => {
    test.each(REFUSED)(
      '%s: refused, and the engine goes on',
      (_name, setup, sql, kind, message) => {
        for (const text of setup) all(writer, text);
        const error = failure(() => command(writer, () => all(writer, sql), BUDGET));
        expect([error.kind, error.message]).toEqual([kind, expect.stringMatching(message)]);
        alive();
      },
    );

    test.each(ALLOWED)('%s: works', (_name, setup, sql) => {
      for (const text of setup) all(writer, text);
      expect(() => command(writer, () => all(writer, sql), BUDGET)).not.toThrow();
      alive();
    });

    test.each([
      ['made', 'SELECT count(length(randomblob(1900000 + i))) FROM n'],
      ['put together', "SELECT count(printf('%1900000d', i) || i) FROM n"],
      ['read', 'SELECT sum(length(v)) FROM n, big WHERE big.rowid = 1 + n.i % 2'],
    ])('large values that are %s count like the work they are', (_name, sql) => {
      all(writer, 'CREATE TABLE big(v)');
      all(writer, "INSERT INTO big VALUES (printf('%2000000d', 1)), (printf('%2000000d', 2))");
      const numbers = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 60)';
      const error = failure(() =>
        command(writer, () => all(writer, `${numbers} ${sql}`), { ...BUDGET, steps: 2000 }),
      );
      expect(error.kind).toBe('steps');
      alive();
    });

    test.each([
      ['LIKE', `SELECT count(?1 LIKE '%${'a'.repeat(200)}b' || i) FROM n`],
      ['GLOB', `SELECT count(?1 GLOB '*${'a'.repeat(200)}b' || i) FROM n`],
      ['length', "SELECT sum(length(iif(i > 0, ?1, ''))) FROM n"],
      ['substr', 'SELECT count(substr(?1, 1900000 + i, 5)) FROM n'],
      ['json_extract', "SELECT count(json_extract('[\"' || ?1 || '\"]', '$[' || i || ']')) FROM n"],
      ['->', "SELECT count(('[\"' || ?1 || '\"]') -> i) FROM n"],
    ])('%s of one large value, again and again, counts like the work it is', (_name, sql) => {
      const numbers = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 60)';
      const value = 'a'.repeat(2_000_000);
      const error = failure(() =>
        command(writer, () => all(writer, `${numbers} ${sql}`, [value]), {
          ...BUDGET,
          steps: 1000,
        }),
      );
      expect(error.kind).toBe('steps');
      alive();
    });

    test('small values whose work is large count, too', () => {
      const numbers = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000)';
      const sql = `${numbers} SELECT count(?1 LIKE '%${'a'.repeat(120)}b' || i) FROM n`;
      const run = (): unknown => all(writer, sql, ['a'.repeat(500)]);
      const error = failure(() => command(writer, run, { ...BUDGET, steps: 2500 }));
      expect(error.kind).toBe('steps');
    });

    test('functions that are charged stay those of SQLite', () => {
      all(writer, 'CREATE TABLE w(t TEXT COLLATE NOCASE, b)');
      all(writer, 'CREATE INDEX w_t ON w(t)');
      all(
        writer,
        "INSERT INTO w VALUES ('Abc', x'0102'), ('abd', 12345), ('b', NULL), ('Äx', 1.5)",
      );
      expect(
        all(
          writer,
          `SELECT t LIKE 'ab%', t LIKE 'a!%' ESCAPE '!', t GLOB '[A-Z]*', b LIKE '1%', length(t), length(b),
             substr(t, -2), substring(b, 2, 1), typeof(b), json_valid(b) FROM w ORDER BY rowid`,
        ),
      ).toEqual([
        [1, 0, 1, 0, 3, 2, 'bc', new Uint8Array([2]), 'blob', 0],
        [1, 0, 0, 1, 3, 5, 'bd', '2', 'integer', 1],
        [0, 0, 0, null, 1, null, 'b', null, 'null', null],
        [0, 0, 0, 1, 2, 3, 'Äx', '.', 'real', 1],
      ]);
      const plan = all(writer, "EXPLAIN QUERY PLAN SELECT 1 FROM w WHERE t LIKE 'ab%'").flat();
      expect(plan.join(' ')).toMatch(/w_t \(t>\? AND t<\?\)/);
    });

    test('a reader’s deadline is seen between large values', () => {
      const store = factory.createStore();
      const host = new CommandHost();
      factory.engine.openWriter(store, host, limits());
      const reader = factory.engine.openReaders(store, host, limits()).openReader();
      host.tickMs = 1;
      reader.setDeadline(20);
      const sql =
        'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 60) SELECT count(randomblob(100000 + i)) FROM n';
      expect(failure(() => all(reader, sql)).kind).toBe('timeout');
    });

    test('a refused statement leaves the budget of its command alone', () => {
      for (const text of INDEXED) all(writer, text);
      const used = command(writer, () => {
        expect(failure(() => writer.prepare(DENSE_JOIN(40))).kind).toBe('steps');
        expect(failure(() => all(writer, 'SELECT nothing')).kind).toBe('sql');
        return all(writer, 'INSERT INTO t VALUES (1, 2, 3) RETURNING a');
      });
      expect(used).toEqual([[1]]);
    });

    test('a statement from before a change of the schema is refused like a new one', () => {
      for (const text of triggerChain(80).slice(0, -1)) all(writer, text);
      all(writer, 'DROP TRIGGER r40');
      all(writer, 'INSERT INTO t0 VALUES (1)');
      all(writer, triggerChain(80)[81 + 40]!);
      const error = failure(() => all(writer, 'INSERT INTO t0 VALUES (1)'));
      expect([error.kind, error.message]).toEqual(['not-allowed', expect.stringMatching(/64/)]);
      expect(all(writer, 'SELECT count(*) FROM t0')).toEqual([[1]]);
    });

    test('foreign keys that lead back to their own table nest as deep as SQLite allows', () => {
      all(writer, 'CREATE TABLE t(a INTEGER PRIMARY KEY, p REFERENCES t ON DELETE CASCADE)');
      const rows = (n: number): string =>
        `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${n}) INSERT INTO t SELECT i, nullif(i - 1, 0) FROM n`;
      all(writer, rows(900));
      all(writer, 'DELETE FROM t WHERE a = 1');
      expect(all(writer, 'SELECT count(*) FROM t')).toEqual([[0]]);
      all(writer, rows(1100));
      expect(failure(() => all(writer, 'DELETE FROM t WHERE a = 1')).message).toMatch(/too deep/);
      alive();
    });

    test.skipIf(!capabilities.fts5)('nested full-text queries are refused, long ones work', () => {
      all(writer, 'CREATE VIRTUAL TABLE f USING fts5(a)');
      all(writer, "INSERT INTO f VALUES ('x y z')");
      const match = (query: string): unknown[][] =>
        all(writer, 'SELECT rowid FROM f WHERE f MATCH ?', [query]);
      expect(match(list(1000, () => 'x', ' AND '))).toEqual([[1]]);
      for (const query of [
        nest(10_000, '(', 'x', ')'),
        nest(1000, '(x OR ', 'x', ')'),
        list(1000, () => 'x', ' NOT '),
      ]) {
        expect(failure(() => match(query)).kind).toBe('sql');
      }
      alive();
    });

    test('readers have the same limits', () => {
      const store = factory.createStore();
      writer = factory.engine.openWriter(store, new CommandHost(), limits());
      for (const text of INDEXED) all(writer, text);
      const reader = factory.engine.openReaders(store, new CommandHost(), limits()).openReader();
      expect(failure(() => all(reader, DENSE_JOIN(40))).kind).toBe('timeout');
      const constants = `SELECT 1 WHERE ?1 IN (${list(100_000, (i) => `${i}+?1`, ',')})`;
      expect(failure(() => all(reader, constants)).kind).toBe('memory');
      expect(all(reader, 'SELECT count(*) FROM t')).toEqual([[0]]);
    });
  });
}
