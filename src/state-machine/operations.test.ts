import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { engineUnderTest } from '../../test/kit/engine.ts';
import {
  applyNext,
  execute,
  openTestMachine,
  operationBytes,
  resultOf,
  rowsOf,
  run,
  TEST_WALL,
} from '../../test/kit/entries.ts';
import type { Operation } from '../wire/operation.ts';
import type { CommandOutcome } from '../wire/result.ts';
import type { Params, SqlInput } from '../wire/value.ts';
import type { StateMachine } from './contract.ts';

let machine: StateMachine;
beforeEach(() => {
  machine = openTestMachine();
  run(machine, 'CREATE TABLE t (id INTEGER PRIMARY KEY, a, b)');
});
afterEach(() => machine.close());

const failure = (code: string, more: object = {}) => ({
  ok: false,
  error: { code, outcome: 'not-applied', ...more },
});
const apply = (operation: Operation): CommandOutcome => applyNext(machine, operation)[0]!;

describe('execute', () => {
  it.each<[string, Params<SqlInput> | undefined, unknown[]]>([
    ['SELECT ?, ?', [1, 'two'], [1, 'two']],
    ['SELECT ?2, ?1', [1, 2], [2, 1]],
    ['SELECT $2, $1, $2', ['a', 'b'], ['b', 'a', 'b']],
    ['SELECT ?3', [1, 2, 3], [3]],
    ['SELECT :a, @b, $c', { a: 1, '@b': 2, $c: 3 }, [1, 2, 3]],
    ['SELECT :a, $a, :a', { a: 7 }, [7, 7, 7]],
    ['SELECT $1', { 1: 'x' }, ['x']],
    ['SELECT $1x', { '1x': 'x' }, ['x']],
    ['SELECT $99999999', { 99999999: 'x' }, ['x']],
    ['SELECT 1', [], [1]],
    ['SELECT 1', {}, [1]],
    [
      'SELECT ?, ?, ?, ?, ?',
      [null, -5, 2 ** 53, 9007199254740993n, 1.5],
      [null, -5, 2 ** 53, 9007199254740993n, 1.5],
    ],
    ['SELECT typeof(?), typeof(?), typeof(?)', [-0, 1, 2 ** 53], ['real', 'integer', 'real']],
    ['SELECT ?, ?', [new Uint8Array([1, 2]), 'ä€😀'], [new Uint8Array([1, 2]), 'ä€😀']],
  ])('%s (%#)', (sql, params, row) => {
    expect(run(machine, sql, params).rows).toEqual([row]);
    const request = {
      sql,
      params: params as Params<never>,
      deadlineMs: 1000,
      maxRows: 1,
      maxBytes: 1000,
    };
    expect(machine.readNow(request)?.rows).toEqual([row]);
  });

  it.each<[string, Params<SqlInput> | undefined, RegExp]>([
    ['SELECT ?, ?', [1], /2 parameters, 1 given/],
    ['SELECT ?', undefined, /1 parameter, 0 given/],
    ['SELECT 1', [1], /0 parameters, 1 given/],
    ['SELECT ?, ?1', [1], /cannot be mixed/],
    ['SELECT $1, ?', [1, 2], /cannot be mixed/],
    ['SELECT :a', [1], /pass an object/],
    ['SELECT ?', { a: 1 }, /plain \? has no name/],
    ['SELECT :a', { a: 1, b: 2 }, /no parameter named b/],
    ['SELECT :a, :b', { a: 1 }, /no value given for parameter :b/],
    ['SELECT :a', { a: 1, ':a': 2 }, /given twice/],
    ['', undefined, /no statement/],
    ['-- nothing', undefined, /no statement/],
  ])('%s is a bad request (%#)', (sql, params, message) => {
    expect(apply(execute(sql, params))).toMatchObject(
      failure('BAD_REQUEST', { message: expect.stringMatching(message) }),
    );
    const request = {
      sql,
      params: params as Params<never>,
      deadlineMs: 1000,
      maxRows: 1,
      maxBytes: 1000,
    };
    expect(() => machine.readNow(request)).toThrow(message);
  });

  it('tells offset, symbolic code and what SQLite says', () => {
    expect(apply(execute('SELECT absent FROM t'))).toMatchObject(
      failure('SQL_ERROR', {
        offset: 7,
        message: expect.stringMatching(/^no such column: absent$/),
      }),
    );
    run(machine, 'CREATE UNIQUE INDEX u ON t (a)');
    run(machine, 'INSERT INTO t (a) VALUES (1)');
    expect(apply(execute('INSERT INTO t (a) VALUES (1)'))).toMatchObject(
      failure('SQL_CONSTRAINT', { sqliteCode: 'SQLITE_CONSTRAINT_UNIQUE', retryable: false }),
    );
    expect(apply(execute('SELECT 1; SELECT 2'))).toMatchObject(failure('SQL_ERROR'));
    expect(apply(execute(`SELECT ${'x'.repeat(5000)}`))).toMatchObject(
      failure('SQL_ERROR', { message: expect.stringMatching(/^.{900,1001}$/) }),
    );
  });

  it('counts rows of the statement itself', () => {
    expect(run(machine, 'INSERT INTO t (a) VALUES (1), (2), (3)')).toMatchObject({
      rowsAffected: 3,
    });
    expect(run(machine, 'SELECT 1')).toMatchObject({ rowsAffected: 0, columns: [{ name: '1' }] });
    expect(run(machine, 'UPDATE t SET a = 9 WHERE id > 9')).toMatchObject({ rowsAffected: 0 });
    expect(run(machine, 'CREATE TABLE u AS SELECT * FROM t')).toMatchObject({ rowsAffected: 0 });
    expect(run(machine, 'DELETE FROM t')).toMatchObject({ rowsAffected: 3, lastInsertRowid: 0 });
    expect(run(machine, 'INSERT INTO t (id) VALUES (9223372036854775807)')).toMatchObject({
      lastInsertRowid: 9223372036854775807n,
    });
  });
});

describe('txn', () => {
  it('passes values on, runs many, joins rows and counts', () => {
    const outcome = apply({
      op: 'txn',
      statements: [
        { sql: 'INSERT INTO t (a) VALUES (?) RETURNING id, a AS name', many: [['x'], ['y']] },
        {
          sql: 'INSERT INTO t (a, b) VALUES (:name, :id)',
          params: {
            name: { $ref: { statement: 0, column: 'name', row: 1 } },
            id: { $ref: { statement: 0, column: 0 } },
          },
        },
        { sql: 'SELECT a, b FROM t WHERE id = 3', expect: { rows: 1, minRows: 1 } },
      ],
    });
    expect(resultOf(outcome)).toMatchObject({
      results: [
        {
          rowsAffected: 2,
          rows: [
            [1, 'x'],
            [2, 'y'],
          ],
        },
        { lastInsertRowid: 3 },
        { rows: [['y', 1]] },
      ],
    });
  });

  it.each<[string, object, number]>([
    ['statement', { statement: 1, column: 0 }, 1],
    ['no rows', { statement: 0, column: 0, row: 3 }, 1],
    ['column', { statement: 0, column: 'nope' }, 1],
    ['column number', { statement: 0, column: 9 }, 1],
  ])('a reference to a missing %s', (_, $ref, statement) => {
    const params = [{ $ref: $ref as { statement: number; column: number } }];
    const outcome = apply({
      op: 'txn',
      statements: [{ sql: 'SELECT 1' }, { sql: 'INSERT INTO t (a) VALUES (?)', params }],
    });
    const code = 'row' in $ref ? 'NO_ROWS' : 'BAD_REQUEST';
    expect(outcome).toMatchObject(failure(code, { statement }));
  });

  it.each([{ rowsAffected: 2 }, { minRowsAffected: 2 }, { rows: 1 }, { minRows: 1 }])(
    'rolls back when %j does not hold',
    (expected) => {
      const outcome = apply({
        op: 'txn',
        statements: [
          { sql: 'INSERT INTO t (a) VALUES (1)' },
          { sql: 'INSERT INTO t (a) VALUES (2)', expect: expected },
        ],
      });
      expect(outcome).toMatchObject(failure('EXPECTATION_FAILED', { statement: 1 }));
      expect(rowsOf(machine, 'SELECT count(*) FROM t')).toEqual([[0]]);
    },
  );

  it('a guard fails when one of its tables changed behind its index', () => {
    run(machine, 'CREATE TABLE u (x)');
    run(machine, 'CREATE TABLE log (x)');
    run(machine, 'CREATE TRIGGER g AFTER INSERT ON u BEGIN INSERT INTO log VALUES (1); END');
    const index = machine.applied.index;
    const guarded = (...tables: string[]) =>
      apply({ op: 'txn', statements: [{ sql: 'SELECT 1' }], guard: { index, tables } });
    expect(guarded('t', 'u', 'LOG')).toMatchObject({ ok: true });
    run(machine, 'INSERT INTO u VALUES (1)');
    expect(machine.tableChangedAt('Log')).toBe(index + 2);
    expect(guarded('t')).toMatchObject({ ok: true });
    expect(guarded('t', 'u')).toMatchObject(failure('CONFLICT', { retryable: true }));
    expect(guarded('LOG')).toMatchObject(failure('CONFLICT'));
    run(machine, 'CREATE TABLE other (x)');
    expect(guarded('t')).toMatchObject(failure('CONFLICT'));
  });

  it('a guard that could never fail is a mistake', () => {
    run(machine, 'CREATE VIEW seen AS SELECT id FROM t');
    run(machine, 'CREATE TABLE "od""d.name" (x)');
    const { index } = machine.applied;
    const guarded = (at: number, ...tables: string[]) =>
      apply({ op: 'txn', statements: [{ sql: 'SELECT 1' }], guard: { index: at, tables } });
    const mistake = (message: string) =>
      failure('BAD_REQUEST', { outcome: 'not-applied', message: expect.stringContaining(message) });
    for (const table of ['unknown', 'main.t', '', 't; DROP TABLE t', '"t"', '\0']) {
      expect(guarded(index, 't', table), table).toMatchObject(mistake('guard.tables: '));
    }
    expect(guarded(1e9, 't')).toMatchObject(mistake('guard.index 1000000000 is beyond the log'));
    expect(guarded(machine.applied.index + 1)).toMatchObject(mistake('beyond the log'));
    expect(guarded(machine.applied.index, 'T', 'seen', 'od"d.name', 'sqlite_schema')).toMatchObject(
      {
        ok: true,
      },
    );
    run(machine, 'INSERT INTO t (id) VALUES (77)');
    expect(guarded(index, 'seen')).toMatchObject(failure('CONFLICT'));
    run(machine, 'DROP TABLE "od""d.name"');
    expect(guarded(index, 'od"d.name')).toMatchObject(failure('CONFLICT'));
    expect(guarded(machine.applied.index, 'od"d.name')).toMatchObject(mistake('no such table'));
  });

  it('the tables of a read are good for a guard', () => {
    run(machine, 'CREATE VIEW v AS SELECT t.id FROM t');
    const { fts5 } = engineUnderTest().capabilities;
    if (fts5) run(machine, 'CREATE VIRTUAL TABLE words USING fts5(w)');
    const { index } = machine.applied;
    const reads = [
      'SELECT count(*) FROM v',
      'WITH c(x) AS (VALUES (1)) SELECT count(*) FROM c',
      'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 3) SELECT count(*) FROM c, t',
      "SELECT value FROM json_each('[1]')",
      "SELECT * FROM pragma_table_info('t')",
      ...(fts5 ? ["SELECT * FROM words WHERE words MATCH 'x'"] : []),
      'SELECT name FROM sqlite_schema',
      'SELECT 1',
      'PRAGMA table_info(t)',
    ];
    for (const sql of reads) {
      const guard = { index, tables: machine.tablesRead(sql) };
      const outcome = apply({ op: 'txn', statements: [{ sql: 'SELECT 1' }], guard });
      expect(outcome, sql).toMatchObject({ ok: true });
    }
  });

  it('a guard sees changes of a schema made in the same entry, and those of scripts', () => {
    const index = machine.applied.index;
    const guard = { index, tables: ['t'] };
    const guarded: Operation = { op: 'txn', statements: [{ sql: 'SELECT 1' }], guard };
    const batch: Operation = {
      op: 'batch',
      atomic: true,
      sql: 'CREATE TABLE w (x); DELETE FROM w',
    };
    expect(applyNext(machine, guarded, batch, guarded)).toMatchObject([
      { ok: true },
      { ok: true },
      failure('CONFLICT'),
    ]);
    expect(machine.tableChangedAt('w')).toBe(index + 1);
    expect(apply(guarded)).toMatchObject(failure('CONFLICT'));
  });

  it('tells which tables a read touches', () => {
    run(machine, 'CREATE VIEW v AS SELECT t.id FROM t');
    expect(machine.tablesRead('SELECT * FROM V').sort()).toEqual(expect.arrayContaining(['t']));
    expect(machine.tablesRead('SELECT count(*) FROM T')).toContain('t');
  });
});

describe('batch', () => {
  const batch = (sql: string, atomic: boolean): Operation => ({ op: 'batch', sql, atomic });

  it('atomic: all or nothing, telling the statement and its offset', () => {
    expect(
      resultOf(apply(batch('INSERT INTO t (a) VALUES (1); SELECT a FROM t;', true))),
    ).toMatchObject({
      results: [{ rowsAffected: 1 }, { rows: [[1]] }],
    });
    const outcome = apply(batch('INSERT INTO t (a) VALUES (2); SELECT nope FROM t;', true));
    expect(outcome).toMatchObject(failure('SQL_ERROR', { statement: 1, offset: 37 }));
    expect(rowsOf(machine, 'SELECT count(*) FROM t')).toEqual([[1]]);
  });

  it('not atomic: each stands alone, also what does not compile', () => {
    const sql = `;CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END; nonsense 'x;y';
      INSERT INTO nope VALUES (1); INSERT INTO t (a) VALUES (5) -- end`;
    expect(resultOf(apply(batch(sql, false)))).toMatchObject({
      results: [
        { rowsAffected: 0 },
        { error: { code: 'SQL_ERROR', statement: 1 } },
        { error: { code: 'SQL_ERROR', statement: 2 } },
        { rowsAffected: 1 },
      ],
    });
  });

  it('takes no parameters and may be empty', () => {
    expect(apply(batch('SELECT ?', true))).toMatchObject(failure('BAD_REQUEST', { statement: 0 }));
    expect(resultOf(apply(batch(' -- nothing', true)))).toMatchObject({ results: [] });
    expect(resultOf(apply(batch(' ; ;', false)))).toMatchObject({ results: [] });
  });
});

describe('migrate', () => {
  const file = (id: number, sql: string) => ({ id, name: `file ${id}'s`, sql });
  const migrate = (...migrations: { id: number; name: string; sql: string }[]) =>
    apply({ op: 'migrate', migrations });

  it('applies what is new, by id, and remembers it', () => {
    expect(
      resultOf(migrate(file(2, 'ALTER TABLE m ADD y'), file(1, 'CREATE TABLE m (x);'))),
    ).toEqual({
      type: 'migrated',
      applied: [
        { id: 1, name: "file 1's" },
        { id: 2, name: "file 2's" },
      ],
      current: 2,
    });
    const again = migrate(file(1, 'CREATE TABLE m (x);'), file(3, ''));
    expect(resultOf(again)).toMatchObject({ applied: [{ id: 3 }], current: 3 });
    expect(resultOf(migrate())).toMatchObject({ applied: [], current: 3 });
    const wall = TEST_WALL + machine.applied.index - 1;
    expect(
      rowsOf(machine, 'SELECT id, name, length(hash), applied_at FROM quorlite_migrations')[2],
    ).toEqual([3, "file 3's", 64, wall]);
  });

  it('refuses a changed text, a late id and a double one', () => {
    migrate(file(5, 'SELECT 1'));
    expect(migrate(file(5, 'SELECT 2'))).toMatchObject(failure('MIGRATION_MISMATCH'));
    expect(migrate(file(4, 'SELECT 1'))).toMatchObject(failure('MIGRATION_MISMATCH'));
    expect(migrate(file(7, ''), file(7, ''))).toMatchObject(failure('BAD_REQUEST'));
  });

  it('a failing file undoes itself and ends the command, earlier ones stay', () => {
    const bad = 'CREATE TABLE b (x); INSERT OR ROLLBACK INTO a VALUES (1), (1)';
    const outcome = migrate(
      file(1, 'CREATE TABLE a (x UNIQUE)'),
      file(2, bad),
      file(3, 'SELECT 1'),
    );
    expect(outcome).toMatchObject({
      ok: false,
      error: {
        code: 'SQL_CONSTRAINT',
        outcome: 'applied',
        statement: 1,
        message: expect.stringContaining('migration 2 "file 2\'s" failed'),
        hint: expect.stringContaining('migration 1 was applied and stays: mend this one'),
      },
    });
    expect(machine.tableChangedAt('t')).toBe(machine.applied.index);
    expect(rowsOf(machine, 'SELECT group_concat(id) FROM quorlite_migrations')).toEqual([['1']]);
    expect(rowsOf(machine, "SELECT name FROM sqlite_schema WHERE name IN ('a', 'b')")).toEqual([
      ['a'],
    ]);
    expect(migrate(file(2, 'nonsense'))).toMatchObject(
      failure('SQL_ERROR', { statement: 0, offset: 0 }),
    );
  });
});

describe('settings', () => {
  it('change with the next entry and are checked', () => {
    const [changed, sized] = applyNext(
      machine,
      { op: 'settings', patch: { resultRows: 1 } },
      execute('SELECT 1 UNION SELECT 2'),
    );
    expect(changed).toMatchObject({ result: { type: 'settings', settings: { resultRows: 1 } } });
    expect(sized).toMatchObject({ ok: true });
    expect(machine.settings()['resultRows']).toBe(1);
    expect(apply(execute('SELECT 1 UNION SELECT 2'))).toMatchObject(failure('RESULT_TOO_LARGE'));
  });

  it.each<{ [name: string]: number }>([
    { nope: 1 },
    { resultRows: 0 },
    { resultRows: 1.5 },
    { resultRows: Number.NaN },
    { toString: 1 },
    { hardSteps: 2_500 },
    { softMemoryBytes: 255 * 1024 * 1024 },
    { slowSteps: 1000 },
  ])('%j is refused', (patch) => {
    expect(apply({ op: 'settings', patch })).toMatchObject(failure('BAD_REQUEST'));
  });
});

describe('validate', () => {
  it('refuses what is malformed or does not fit an entry', () => {
    machine.validate(operationBytes(execute('SELECT ?', [1])));
    expect(() => machine.validate(Uint8Array.of(1, 0, 9))).toThrow(/malformed/);
    expect(() => machine.validate(Uint8Array.of())).toThrow(/malformed/);
    expect(() => machine.validate(Uint8Array.of(1, 0, 1, 0xff, 0))).toThrow(/UTF-8/);
    expect(() => machine.validate(new Uint8Array(17 * 1024 * 1024))).toThrow(/an entry holds/);
  });
});
