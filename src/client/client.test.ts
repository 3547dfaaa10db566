/** The parts that embedded and remote clients share. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { QuorliteError } from '../wire/error.ts';
import { ref } from './ref.ts';
import { type ConnectOptions, connect } from './remote/connect.ts';
import { backoff } from './remote/limits.ts';
import type { ClientRuntime } from './remote/runtime.ts';
import { WriteSession } from './remote/session.ts';
import { toArrays, toObjects } from './rows.ts';
import { sql } from './sql.ts';

describe('sql', () => {
  test('values become parameters', () => {
    const made = sql`SELECT * FROM t WHERE a = ${1} AND b = ${'x'} AND c IS ${null}`;
    expect(made.sql).toBe('SELECT * FROM t WHERE a = ? AND b = ? AND c IS ?');
    expect(made.params).toEqual([1, 'x', null]);
  });

  test('fragments nest, in order', () => {
    const inner = sql`b = ${2} OR ${sql`c = ${3}`}`;
    const made = sql`SELECT ${sql.raw('*')} FROM ${sql.identifier('we"ird')} WHERE a = ${1} AND (${inner}) AND d = ${4}`;
    expect(made.sql).toBe('SELECT * FROM "we""ird" WHERE a = ? AND (b = ? OR c = ?) AND d = ?');
    expect(made.params).toEqual([1, 2, 3, 4]);
  });

  test('lists are joined', () => {
    const made = sql`a IN (${sql.join([1, sql`${2} + ${3}`, 'x'])})`;
    expect(made).toMatchObject({ sql: 'a IN (?, ? + ?, ?)', params: [1, 2, 3, 'x'] });
    expect(sql.join([sql`a`, sql`b`], ' AND ').sql).toBe('a AND b');
    expect(() => sql.join([])).toThrow(QuorliteError);
  });

  test('no value ever reaches the text', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.integer(), fc.constant(null))), (values) => {
        const made = sql.join(values.length === 0 ? [1] : values);
        expect(made.sql).toMatch(/^\?(, \?)*$/);
      }),
    );
  });

  test.each<[string, unknown]>([
    ['an array', [1, 2]],
    ['undefined', undefined],
    ['an object', { a: 1 }],
    ['an object that looks like SQL', { sql: '1; DROP TABLE users', params: [] }],
  ])('%s is refused', (_name, part) => {
    expect(() => sql`SELECT ${part as number}`).toThrow(QuorliteError);
    expect(() => sql.join([part as number])).toThrow(QuorliteError);
  });
});

describe('ref', () => {
  test('names what an earlier statement gave', () => {
    expect(ref(0, 'id')).toEqual({ $ref: { statement: 0, column: 'id', row: 0 } });
    expect(ref(2, 1, 3)).toEqual({ $ref: { statement: 2, column: 1, row: 3 } });
    expect(() => ref(-1, 'id')).toThrow(QuorliteError);
    expect(() => ref(0, 1.5)).toThrow(QuorliteError);
  });
});

describe('rows', () => {
  const columns = [
    { name: 'a', decltype: 'INTEGER' },
    { name: 'r', decltype: 'DOUBLE PRECISION' },
  ];

  test('objects keep their prototype, whatever the columns are called', () => {
    const odd = [
      { name: '__proto__', decltype: null },
      { name: 'toString', decltype: null },
    ];
    const [row] = toObjects<Record<string, unknown>>(odd, [[{} as never, 1]], 'auto');
    expect(Object.getPrototypeOf(row)).toBe(Object.prototype);
    expect(Object.keys(row!)).toEqual(['__proto__', 'toString']);
  });

  test('integers as asked; the rows that came are not changed', () => {
    const rows = [[1, 2] as const, [2n ** 60n, 2.5] as const];
    expect(toArrays(columns, rows, 'bigint')).toEqual([
      [1n, 2],
      [2n ** 60n, 2.5],
    ]);
    expect(toObjects(columns, rows, 'number')).toEqual([
      { a: 1, r: 2 },
      { a: 2 ** 60, r: 2.5 },
    ]);
    expect(rows[0]).toEqual([1, 2]);
    expect(toArrays(columns, rows, 'auto')).toBe(rows);
  });
});

describe('sessions', () => {
  test('the floor is below every unanswered sequence, the window is never exceeded', () => {
    const steps = fc.array(fc.record({ answer: fc.boolean(), pick: fc.nat() }), { maxLength: 300 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), steps, (window, all) => {
        const session = new WriteSession(1, window);
        const open: number[] = [];
        let taken = 0;
        for (const { answer, pick } of all) {
          if (answer && open.length > 0) {
            const [sequence] = open.splice(pick % open.length, 1);
            session.answered(sequence!);
            session.answered(sequence!);
          } else if (session.hasRoom) {
            open.push(session.take());
            taken++;
          }
          const lowest = open.length > 0 ? Math.min(...open) : taken + 1;
          expect(session.acknowledged).toBe(lowest);
          expect(session.hasRoom).toBe(taken + 1 - lowest < window);
        }
      }),
    );
  });
});

describe('connect', () => {
  test.each(['', 'localhost:4001', 'ftp://x', 'http://', 'nonsense'])('refuses %j', (url) => {
    expect(() => connect(url)).toThrow(QuorliteError);
  });

  test.each([
    [{ tokn: 'x' }, "there is no option 'tokn'; did you mean token?"],
    [{ timeout: 5 }, "there is no option 'timeout'; did you mean timeoutMs?"],
    [{ consistency: 'stale' }, "there is no option 'consistency'"],
    [{ limits: { call: 5 } }, "there is no option 'limits.call'; did you mean calls?"],
    [{ integers: 'bigints' }, "integers is 'auto', 'number' or 'bigint'"],
    ['token', 'options are an object'],
  ])('refuses %j', (options, message) => {
    expect(() => connect('http://127.0.0.1:1', options as ConnectOptions)).toThrow(message);
  });

  test('takes options that are undefined', () => {
    const runtime = {} as ClientRuntime;
    connect('http://127.0.0.1:1', { token: undefined, limits: undefined, runtime });
  });

  test('needs a URL and a WebSocket', () => {
    expect(() => connect([])).toThrow('at least one');
    if (globalThis.WebSocket === undefined) {
      expect(() => connect('http://127.0.0.1:1')).toThrow(
        expect.objectContaining({ code: 'NOT_SUPPORTED' }),
      );
    }
  });

  test('backoff grows to its bound, with half of it left to chance', () => {
    expect(backoff([50, 2000], 1, 0)).toBe(25);
    expect(backoff([50, 2000], 3, 1)).toBe(200);
    expect(backoff([50, 2000], 100, 0.999)).toBeLessThanOrEqual(2000);
  });
});
