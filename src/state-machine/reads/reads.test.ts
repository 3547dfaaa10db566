import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { engineUnderTest } from '../../../test/kit/engine.ts';
import { applyNext, entryOf, execute, run, TEST_WALL } from '../../../test/kit/entries.ts';
import { type EngineHost, SqlError } from '../../../wasm/engine.ts';
import type { ReadRequest, StateMachine } from '../contract.ts';
import { openStateMachine } from '../state-machine.ts';

const ENDLESS = 'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT';
const ROWS =
  'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000) SELECT i, x FROM n, t';

function read(sql: string, more: Partial<ReadRequest> = {}): ReadRequest {
  return { sql, deadlineMs: 1000, maxRows: 100_000, maxBytes: 1e8, ...more };
}

/** A clock that moves by one millisecond each time it is looked at. */
function movingHost(): EngineHost {
  let now = 0;
  return { wallMs: () => TEST_WALL, random: (out) => out.fill(7), monotonicMs: () => now++ };
}

let machine: StateMachine;
beforeEach(() => {
  machine = openStateMachine({
    engine: engineUnderTest(),
    checkpoint: null,
    maxPageBytes: 64 * 1024 * 1024,
    readHost: movingHost(),
  });
  run(machine, 'CREATE TABLE t (x TEXT, n INT)');
  run(machine, "INSERT INTO t VALUES ('one', 1)");
});
afterEach(() => machine.close());

describe('readNow', () => {
  it('gives rows, columns and the index they are as of', () => {
    expect(machine.readNow(read('SELECT x, n + 1 AS m FROM t'))).toEqual({
      columns: [
        { name: 'x', decltype: 'TEXT' },
        { name: 'm', decltype: null },
      ],
      rows: [['one', 2]],
      index: 2,
    });
    run(machine, 'ALTER TABLE t ADD COLUMN z');
    expect(machine.readNow(read('SELECT * FROM t'))).toMatchObject({
      rows: [['one', 1, null]],
      index: 3,
    });
  });

  it('sees whole entries only: from inside the listener, the entry', () => {
    const seen: unknown[] = [];
    machine.apply(
      entry(machine, "INSERT INTO t VALUES ('a', 1)", "INSERT INTO t VALUES ('b', 1)"),
      () => seen.push(machine.readNow(read('SELECT count(*) FROM t'))),
      () => {},
    );
    expect(seen).toMatchObject([
      { rows: [[3]], index: 3 },
      { rows: [[3]], index: 3 },
    ]);
  });

  it('refuses writes', () => {
    for (const sql of [
      'INSERT INTO t VALUES (1, 1)',
      'CREATE TABLE u (x)',
      'PRAGMA user_version = 3',
      'DELETE FROM t RETURNING x',
    ]) {
      expect(() => machine.readNow(read(sql)), sql).toThrow(
        expect.objectContaining({ code: 'SQL_READ_ONLY' }),
      );
    }
    expect(() => machine.readNow(read('BEGIN'))).toThrow(
      expect.objectContaining({ code: 'SQL_NOT_ALLOWED' }),
    );
    expect(
      machine.readNow(read('EXPLAIN INSERT INTO t VALUES (1, 1)'))?.rows.length,
    ).toBeGreaterThan(3);
  });

  it('returns null beyond its slice, SQL_TIMEOUT beyond its deadline', () => {
    expect(machine.readNow(read(`${ENDLESS} count(*) FROM n`))).toBeNull();
    expect(() => machine.readNow(read(`${ENDLESS} count(*) FROM n`, { deadlineMs: 5 }))).toThrow(
      expect.objectContaining({ code: 'SQL_TIMEOUT', outcome: 'not-applied' }),
    );
    expect(machine.readNow(read('SELECT n FROM t'))?.rows).toEqual([[1]]);
  });

  it('bounds rows and bytes', () => {
    expect(() => machine.readNow(read(ROWS, { maxRows: 5, deadlineMs: Infinity }))).toThrow(
      expect.objectContaining({ code: 'RESULT_TOO_LARGE' }),
    );
    expect(() => machine.readNow(read('SELECT zeroblob(1000)', { maxBytes: 999 }))).toThrow(
      expect.objectContaining({ code: 'RESULT_TOO_LARGE' }),
    );
    expect(machine.readNow(read('SELECT n FROM t', { maxRows: 1 }))?.rows).toEqual([[1]]);
  });

  it('many texts with large parameters do not use the readers up', () => {
    const big = 'x'.repeat(2_000_000);
    for (let i = 0; i < 300; i++) {
      expect(
        machine.readNow(read(`SELECT length(?), ${i}`, { params: [big], deadlineMs: Infinity }))
          ?.rows,
      ).toEqual([[big.length, i]]);
    }
  });
});

describe('cursors', () => {
  it('keep their snapshot while entries are applied, in slices', () => {
    const cursor = machine.openRead(read(ROWS, { deadlineMs: Infinity }));
    expect(cursor).toMatchObject({ index: 2, columns: [{ name: 'i' }, { name: 'x' }] });
    const rows: unknown[][] = [];
    let calls = 0;
    for (let ended = false; !ended; calls++) {
      ended = cursor.next(rows as never, 300, Infinity);
      run(machine, `INSERT INTO t VALUES ('more', ${calls})`);
    }
    expect(rows).toHaveLength(1000);
    expect(new Set(rows.map(([, x]) => x))).toEqual(new Set(['one']));
    expect(calls).toBe(4);
    expect(cursor.next([], 1, 1)).toBe(true);
    cursor.close();
    expect(() => cursor.next([], 1, 1)).toThrow(expect.objectContaining({ code: 'ABORTED' }));
  });

  it('yield when a slice is over and end at their deadline', () => {
    const cursor = machine.openRead(
      read(`${ENDLESS} i FROM n`, { deadlineMs: 300, maxRows: Infinity }),
    );
    const rows: never[] = [];
    expect(cursor.next(rows, Infinity, 5)).toBe(false);
    expect(rows.length).toBeGreaterThan(0);
    expect(() => {
      while (!cursor.next(rows, Infinity, 50));
    }).toThrow(expect.objectContaining({ code: 'SQL_TIMEOUT' }));
    cursor.close();
    expect(machine.readNow(read('SELECT n FROM t'))?.rows).toEqual([[1]]);
  });

  it('a step may be bounded while it runs inline', () => {
    const cursor = machine.openRead(
      read(`${ENDLESS} count(*) FROM n`, { deadlineMs: Infinity, maxStepMs: 3 }),
    );
    expect(() => cursor.next([], 1, 1000)).toThrow(
      expect.objectContaining({ code: 'SQL_TIMEOUT' }),
    );
    cursor.close();
  });

  it('live on when limits change and readers start anew', () => {
    const cursor = machine.openRead(read(ROWS));
    applyNext(machine, { op: 'settings', patch: { valueBytes: 1024 } });
    expect(() => machine.readNow(read('SELECT zeroblob(2000)'))).toThrow(/too big/);
    const rows: never[] = [];
    cursor.next(rows, 10, 1000);
    expect(rows).toHaveLength(10);
    cursor.close();
  });

  it('errors at opening give the connection back', () => {
    for (let i = 0; i < 20; i++)
      expect(() => machine.openRead(read('SELECT nope'))).toThrow(/no such column/);
    const cursor = machine.openRead(read('SELECT n FROM t'));
    expect(cursor.next([], 10, 10)).toBe(true);
    cursor.close();
  });
});

describe('a readers instance that dies', () => {
  it('is replaced, and the read repeated', () => {
    machine.close();
    let deaths = 1;
    const engine = engineUnderTest();
    machine = openStateMachine({
      engine: {
        id: engine.id,
        capabilities: engine.capabilities,
        openWriter: (...args) => engine.openWriter(...args),
        openReaders(...args) {
          const host = engine.openReaders(...args);
          if (deaths-- <= 0) return host;
          const openReader = () => {
            throw new SqlError('crash', 1, 'SQLITE_ERROR', 'the test says so');
          };
          return { openReader, memoryBytes: () => 0, close: () => host.close() };
        },
      },
      checkpoint: null,
      maxPageBytes: 64 * 1024 * 1024,
      readHost: movingHost(),
    });
    expect(machine.readNow(read('SELECT 1'))?.rows).toEqual([[1]]);
    expect(machine.stats()['readerCrashes']).toBe(1);
  });
});

function entry(from: StateMachine, ...sql: string[]) {
  return entryOf(
    { index: from.applied.index + 1 },
    sql.map((one) => execute(one)),
  );
}
