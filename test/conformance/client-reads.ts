/** Client suite: reads of all kinds. */
import { describe, expect, test } from 'vitest';
import { sql } from '../../src/client/sql.ts';
import type { Consistency } from '../../src/node/contract.ts';
import type { ClientFixture } from './client.ts';
import { collect, expectCode, failure } from './client-support.ts';

const NUMBERS =
  'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT ?) SELECT x FROM c';

export function testClientReads(fixture: ClientFixture): void {
  describe('reads', () => {
    test('query, queryOne, queryOptional', async () => {
      const { client } = fixture;
      expect(await client.query(NUMBERS, [3])).toEqual([{ x: 1 }, { x: 2 }, { x: 3 }]);
      expect(await client.query(NUMBERS, [0])).toEqual([]);
      expect(await client.queryOne(NUMBERS, [1])).toEqual({ x: 1 });
      expect(await client.queryOptional(NUMBERS, [1])).toEqual({ x: 1 });
      expect(await client.queryOptional(NUMBERS, [0])).toBeUndefined();
      await expectCode(client.queryOne(NUMBERS, [0]), 'NO_ROWS');
      await expectCode(client.queryOne(NUMBERS, [2]), 'TOO_MANY_ROWS');
      await expectCode(client.queryOptional(NUMBERS, [2]), 'TOO_MANY_ROWS');
    });

    test('queryRaw keeps columns as they are', async () => {
      const { client } = fixture;
      const table = await fixture.table('id INTEGER PRIMARY KEY, name VARCHAR(10)');
      const { index } = await client.execute(`INSERT INTO ${table} VALUES (1, 'a')`);
      const raw = await client.queryRaw(`SELECT id, name, name, 1 + 1 AS two FROM ${table}`);
      expect(raw.columns).toEqual([
        { name: 'id', decltype: 'INTEGER' },
        { name: 'name', decltype: 'VARCHAR(10)' },
        { name: 'name', decltype: 'VARCHAR(10)' },
        { name: 'two', decltype: null },
      ]);
      expect(raw.rows).toEqual([[1, 'a', 'a', 2]]);
      expect(raw.index).toBeGreaterThanOrEqual(index);
    });

    test('columns of one name are no object: refused, with what to do', async () => {
      const { client } = fixture;
      const twice = 'SELECT 1 AS a, 2 AS a';
      const refused = await expectCode(client.query(twice), 'BAD_REQUEST');
      expect(refused.message).toBe('two columns are named "a"');
      expect(refused.hint).toContain('AS, or take queryRaw');
      await expectCode(client.query(`${twice} WHERE 0`), 'BAD_REQUEST');
      await expectCode(collect(client.stream(twice)), 'BAD_REQUEST');
      await expectCode(
        client.transaction((tx) => tx.query(twice)),
        'BAD_REQUEST',
      );
      const many = Array.from({ length: 20 }, (_, i) => `${i} AS c${i % 19}`);
      await expectCode(client.query(`SELECT ${many.join()}`), 'BAD_REQUEST');
      expect(await client.query('SELECT 1 AS a, 2 AS A')).toEqual([{ a: 1, A: 2 }]);
    });

    test('columns of one name behind RETURNING: the write stands, and the error says so', async () => {
      const { client } = fixture;
      const table = await fixture.table('id INTEGER PRIMARY KEY');
      const insert = `INSERT INTO ${table} VALUES (1) RETURNING id, id`;
      const refused = await failure(client.execute(insert));
      expect(refused).toMatchObject({ code: 'BAD_REQUEST', outcome: 'applied' });
      expect(await client.query(`SELECT id FROM ${table}`)).toEqual([{ id: 1 }]);
    });

    test('a column named __proto__ is a column', async () => {
      const row = await fixture.client.queryOne<Record<string, unknown>>(
        'SELECT 1 AS "__proto__", 2 AS "constructor"',
      );
      expect(Object.keys(row)).toEqual(['__proto__', 'constructor']);
      expect(Object.getPrototypeOf(row)).toBe(Object.prototype);
      expect(Object.entries(row)).toEqual([
        ['__proto__', 1],
        ['constructor', 2],
      ]);
    });

    test('the sql tag', async () => {
      const { client } = fixture;
      const where = sql`x IN (${sql.join([2, 3, 9])})`;
      const rows = await client.query(
        sql`WITH c(x) AS (VALUES (1), (2), (3)) SELECT x FROM c WHERE ${where} AND x > ${2}`,
      );
      expect(rows).toEqual([{ x: 3 }]);
    });

    test.each<[Consistency]>([['linearizable'], ['session'], ['stale'], [{ maxLagMs: 60_000 }]])(
      'consistency %j',
      async (consistency) => {
        const { client } = fixture;
        const table = await fixture.table('n');
        const { index } = await client.execute(`INSERT INTO ${table} VALUES (1)`);
        const read = await client.queryRaw(`SELECT n FROM ${table}`, [], {
          consistency,
          minIndex: index,
        });
        expect(read.rows).toEqual([[1]]);
        expect(read.index).toBeGreaterThanOrEqual(index);
        expect(read.lagMs === null || read.lagMs >= 0).toBe(true);
      },
    );

    test.each<[unknown]>([['eventual'], [{ maxLagMs: -1 }], [{}], [null], [7]])(
      'consistency %j is refused',
      async (consistency) => {
        const options = { consistency: consistency as Consistency };
        await expectCode(fixture.client.query('SELECT 1', [], options), 'BAD_REQUEST');
      },
    );

    test('a session sees its own writes', async () => {
      const { client } = fixture;
      const table = await fixture.table('n');
      for (let n = 1; n <= 20; n++) {
        await client.execute(`INSERT INTO ${table} VALUES (?)`, [n]);
        const options = { consistency: 'session' as const };
        const row = await client.queryOne(`SELECT max(n) AS n FROM ${table}`, [], options);
        expect(row).toEqual({ n });
      }
    });

    test('an index that is not there yet is waited for, then TIMEOUT', async () => {
      const { client } = fixture;
      const { index } = await client.queryRaw('SELECT 1');
      const options = { consistency: 'session' as const, minIndex: index + 1_000_000 };
      await expectCode(client.query('SELECT 1', [], { ...options, timeoutMs: 300 }), 'TIMEOUT');
    });

    test('writes and errors are refused', async () => {
      const { client } = fixture;
      const table = await fixture.table('n');
      await expectCode(client.query(`INSERT INTO ${table} VALUES (1)`), 'SQL_READ_ONLY');
      await expectCode(client.query(`DELETE FROM ${table} RETURNING n`), 'SQL_READ_ONLY');
      await expectCode(client.query('SELECT * FROM nowhere'), 'SQL_ERROR');
      await expectCode(client.query('SELECT 1; SELECT 2'), 'SQL_ERROR');
      expect(await client.query(`SELECT * FROM ${table}`)).toEqual([]);
    });

    test('many at a time', async () => {
      const { client } = fixture;
      const rows = await Promise.all(
        Array.from({ length: 300 }, (_, n) => client.queryOne('SELECT ? AS n', [n])),
      );
      expect(rows).toEqual(Array.from({ length: 300 }, (_, n) => ({ n })));
    });
  });

  describe('streams', () => {
    test('give every row in order', async () => {
      const rows = await collect(fixture.client.stream<{ x: number }>(NUMBERS, [20_000]));
      expect(rows).toHaveLength(20_000);
      expect(rows.every(({ x }, i) => x === i + 1)).toBe(true);
    });

    test('of nothing end', async () => {
      expect(await collect(fixture.client.stream(NUMBERS, [0]))).toEqual([]);
    });

    test('of more than any buffer', async () => {
      const { client } = fixture;
      let bytes = 0;
      const wide = client.stream<{ b: Uint8Array }>(
        'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 200) SELECT zeroblob(50000) AS b FROM c',
      );
      for await (const { b } of wide) bytes += b.length;
      expect(bytes).toBe(10_000_000);
    });

    test('can be left early, again and again', async () => {
      const { client } = fixture;
      for (let round = 0; round < 30; round++) {
        for await (const row of client.stream<{ x: number }>(NUMBERS, [1_000_000])) {
          expect(row.x).toBe(1);
          break;
        }
      }
      expect(await client.queryOne('SELECT 1 AS one')).toEqual({ one: 1 });
    });

    test('keep their snapshot', async () => {
      const { client } = fixture;
      const table = await fixture.table('n');
      await client.execute(`INSERT INTO ${table} ${NUMBERS}`, [5000]);
      let rows = 0;
      for await (const _ of client.stream(`SELECT n FROM ${table}`)) {
        if (++rows === 1) await client.execute(`DELETE FROM ${table}`);
      }
      expect(rows).toBe(5000);
    });

    test('of several at a time', async () => {
      const { client } = fixture;
      const all = await Promise.all(
        [1000, 2000, 3000].map((count) => collect(client.stream(NUMBERS, [count]))),
      );
      expect(all.map((rows) => rows.length)).toEqual([1000, 2000, 3000]);
    });

    test('of wrong SQL fail', async () => {
      const { client } = fixture;
      await expectCode(collect(client.stream('SELECT * FROM nowhere')), 'SQL_ERROR');
      await expectCode(collect(client.stream('DELETE FROM nowhere')), 'SQL_ERROR');
      await expectCode(
        collect(client.stream('SELECT abs(-9223372036854775807 - 1) AS x')),
        'SQL_ERROR',
      );
    });
  });
}
