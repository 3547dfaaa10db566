/** Client suite: every kind of value, in and out. */
import { describe, expect, test } from 'vitest';
import type { IntegerMode } from '../../src/client/contract.ts';
import type { SqlInput, SqlValue } from '../../src/wire/value.ts';
import type { ClientFixture } from './client.ts';
import { expectCode } from './client-support.ts';

const VALUES: readonly (readonly [
  name: string,
  input: SqlInput,
  type: string,
  output: SqlValue,
])[] = [
  ['null', null, 'null', null],
  ['zero', 0, 'integer', 0],
  ['a negative integer', -42, 'integer', -42],
  ['the largest safe integer', 2 ** 53 - 1, 'integer', 2 ** 53 - 1],
  ['the smallest safe integer', -(2 ** 53 - 1), 'integer', -(2 ** 53 - 1)],
  ['the largest integer', 2n ** 63n - 1n, 'integer', 2n ** 63n - 1n],
  ['the smallest integer', -(2n ** 63n), 'integer', -(2n ** 63n)],
  ['a small bigint', 7n, 'integer', 7],
  ['a fraction', 0.1, 'real', 0.1],
  ['a huge number', 1e300, 'real', 1e300],
  ['infinity', Number.POSITIVE_INFINITY, 'real', Number.POSITIVE_INFINITY],
  ['text', 'žluťoučký 🐎', 'text', 'žluťoučký 🐎'],
  ['empty text', '', 'text', ''],
  ['text with a NUL', 'a\0b', 'text', 'a\0b'],
  ['long text', 'x'.repeat(100_000), 'text', 'x'.repeat(100_000)],
  ['bytes', new Uint8Array([0, 255, 1]), 'blob', new Uint8Array([0, 255, 1])],
  ['no bytes', new Uint8Array(0), 'blob', new Uint8Array(0)],
  ['true', true, 'integer', 1],
  ['false', false, 'integer', 0],
  ['a date', new Date(1_700_000_000_123), 'text', '2023-11-14T22:13:20.123Z'],
];

export function testClientValues(fixture: ClientFixture): void {
  describe('values', () => {
    test.each(VALUES)('%s', async (_name, input, type, output) => {
      const { client } = fixture;
      const table = await fixture.table('v');
      const written = await client.execute<{ t: string; v: SqlValue }>(
        `INSERT INTO ${table} VALUES (?) RETURNING typeof(v) AS t, v`,
        [input],
      );
      expect(written.rows).toEqual([{ t: type, v: output }]);
      const read = await client.query(`SELECT typeof(v) AS t, v, ? AS p FROM ${table}`, [input]);
      expect(read).toEqual([{ t: type, v: output, p: output }]);
    });

    test('−0 binds as REAL', async () => {
      const { t, v } = await fixture.client.queryOne<{ t: string; v: number }>(
        'SELECT typeof(?1) AS t, ?1 AS v',
        [-0],
      );
      expect(t).toBe('real');
      expect(Object.is(v, -0)).toBe(true);
    });

    test.each<[string, unknown]>([
      ['NaN', Number.NaN],
      ['undefined', undefined],
      ['an object', { a: 1 }],
      ['an array', [1]],
      ['a function', () => 1],
      ['a symbol', Symbol('s')],
      ['an invalid date', new Date(Number.NaN)],
      ['an integer beyond 64 bits', 2n ** 63n],
    ])('%s is refused', async (_name, value) => {
      const { client } = fixture;
      const table = await fixture.table('v');
      const params = [value as SqlInput];
      await expectCode(client.execute(`INSERT INTO ${table} VALUES (?)`, params), 'BAD_REQUEST');
      await expectCode(client.query('SELECT ?', params), 'BAD_REQUEST');
      expect(await client.query(`SELECT * FROM ${table}`)).toEqual([]);
    });

    test('named parameters, with and without their prefix', async () => {
      const { client } = fixture;
      const row = { a: 1, b: 'two', c: null };
      expect(
        await client.queryOne('SELECT :a AS a, @b AS b, $c AS c', { a: 1, '@b': 'two', c: null }),
      ).toEqual(row);
      expect(
        await client.queryOne('SELECT :a AS a, @b AS b, $c AS c', { ':a': 1, b: 'two', $c: null }),
      ).toEqual(row);
    });

    test('numbered parameters', async () => {
      const row = await fixture.client.queryOne('SELECT ?2 AS a, ?1 AS b', ['x', 'y']);
      expect(row).toEqual({ a: 'y', b: 'x' });
    });

    test.each<[string, SqlInput[]]>([
      ['too few', [1]],
      ['too many', [1, 2, 3]],
    ])('%s parameters are refused', async (_name, params) => {
      const { client } = fixture;
      await expectCode(client.query('SELECT ?, ?', params), 'BAD_REQUEST');
      const table = await fixture.table('a, b');
      await expectCode(client.execute(`INSERT INTO ${table} VALUES (?, ?)`, params), 'BAD_REQUEST');
    });

    test.each<[IntegerMode, SqlValue[]]>([
      ['auto', [1, 2n ** 62n, 1.5]],
      ['number', [1, 2 ** 62, 1.5]],
      ['bigint', [1n, 2n ** 62n, 1.5]],
    ])('integers: %s', async (integers, values) => {
      const { client } = fixture;
      const statement = 'SELECT 1 AS a, 4611686018427387904 AS b, 1.5 AS c';
      const [a, b, c] = values;
      expect(await client.query(statement, [], { integers })).toEqual([{ a, b, c }]);
      const { rows } = await client.queryRaw(statement, [], { integers });
      expect(rows).toEqual([values]);
    });

    test('a value that changes after the call was made does not matter', async () => {
      const { client } = fixture;
      const table = await fixture.table('v');
      const params = [1];
      const write = client.execute(`INSERT INTO ${table} VALUES (?)`, params);
      params[0] = 2;
      await write;
      expect(await client.query(`SELECT v FROM ${table}`)).toEqual([{ v: 1 }]);
    });
  });
}
