/** Client suite: `txn` and `transaction`. */
import { describe, expect, test } from 'vitest';
import { ref } from '../../src/client/ref.ts';
import { sql } from '../../src/client/sql.ts';
import { QuorliteError } from '../../src/wire/error.ts';
import type { ClientFixture } from './client.ts';
import { expectCode } from './client-support.ts';

export function testClientTransactions(fixture: ClientFixture): void {
  describe('txn', () => {
    test('results in order, references to earlier ones', async () => {
      const { client } = fixture;
      const parent = await fixture.table('id INTEGER PRIMARY KEY, name');
      const child = await fixture.table('parent, part');
      const name = sql.identifier(parent);
      const [inserted, many, read] = await client.txn([
        sql`INSERT INTO ${name} (name) VALUES (${'a'}), (${'b'}) RETURNING id`,
        {
          sql: `INSERT INTO ${child} VALUES (?, ?)`,
          many: [
            [ref(0, 'id', 1), 'x'],
            [ref(0, 0), 'y'],
          ],
        },
        { sql: `SELECT * FROM ${child} ORDER BY parent`, expect: { rows: 2 } },
      ]);
      expect(inserted!.rows).toEqual([{ id: 1 }, { id: 2 }]);
      expect(many!.rowsAffected).toBe(2);
      expect(read!.rows).toEqual([
        { parent: 1, part: 'y' },
        { parent: 2, part: 'x' },
      ]);
    });

    test('all or nothing; the error names the statement', async () => {
      const { client } = fixture;
      const table = await fixture.table('n UNIQUE');
      const insert = `INSERT INTO ${table} VALUES (?)`;
      const error = await expectCode(
        client.txn([
          { sql: insert, params: [1] },
          { sql: insert, params: [1] },
        ]),
        'SQL_CONSTRAINT',
      );
      expect(error.statement).toBe(1);
      expect(await client.query(`SELECT * FROM ${table}`)).toEqual([]);
    });

    test('expectations roll back', async () => {
      const { client } = fixture;
      const table = await fixture.table('n');
      const statements = [
        { sql: `INSERT INTO ${table} VALUES (1)` },
        { sql: `UPDATE ${table} SET n = 2 WHERE n = 7`, expect: { rowsAffected: 1 } },
      ];
      const error = await expectCode(client.txn(statements), 'EXPECTATION_FAILED');
      expect(error.statement).toBe(1);
      expect(await client.query(`SELECT * FROM ${table}`)).toEqual([]);
    });

    test('a guard fails with CONFLICT when its tables changed', async () => {
      const { client } = fixture;
      const table = await fixture.table('n');
      const other = await fixture.table('n');
      const { index } = await client.execute(`INSERT INTO ${table} VALUES (1)`);
      const write = [{ sql: `UPDATE ${table} SET n = n + 1` }];
      await client.execute(`INSERT INTO ${other} VALUES (1)`);
      await client.txn(write, { guard: { index, tables: [table] } });
      await expectCode(client.txn(write, { guard: { index, tables: [table] } }), 'CONFLICT');
      expect(await client.query(`SELECT n FROM ${table}`)).toEqual([{ n: 2 }]);
    });

    test.each<[string, unknown]>([
      ['text', 'SELECT 1'],
      ['a statement without SQL', [{ params: [] }]],
      ['null', [null]],
      ['params and many', [{ sql: 'SELECT ?', params: [1], many: [[1]] }]],
      ['a reference to what is not there', [{ sql: 'SELECT ?', params: [ref(3, 'id')] }]],
    ])('%s is refused', async (_name, statements) => {
      await expectCode(fixture.client.txn(statements as never), 'BAD_REQUEST');
    });

    test('an empty reference is NO_ROWS', async () => {
      const statements = [
        { sql: 'SELECT 1 AS id WHERE 0' },
        { sql: 'SELECT ?', params: [ref(0, 'id')] },
      ];
      await expectCode(fixture.client.txn(statements), 'NO_ROWS');
    });

    test('thousands of rows', async () => {
      const { client } = fixture;
      const table = await fixture.table('id INTEGER PRIMARY KEY, name TEXT');
      const many = Array.from({ length: 5000 }, (_, n) => [n, `name ${n}`]);
      const [result] = await client.txn([{ sql: `INSERT INTO ${table} VALUES (?, ?)`, many }]);
      expect(result!.rowsAffected).toBe(5000);
      expect(await client.queryOne(`SELECT count(*) AS n FROM ${table}`)).toEqual({ n: 5000 });
    });
  });

  describe('transaction', () => {
    test('reads, then writes; gives what the body gave', async () => {
      const { client } = fixture;
      const table = await fixture.table('id INTEGER PRIMARY KEY, n INTEGER');
      await client.execute(`INSERT INTO ${table} VALUES (1, 10)`);
      const given = await client.transaction(async (tx) => {
        const { n } = await tx.queryOne<{ n: number }>(`SELECT n FROM ${table} WHERE id = ?`, [1]);
        const none = await tx.queryOptional(sql`SELECT 1 WHERE ${0}`);
        tx.execute(`UPDATE ${table} SET n = ? WHERE id = 1`, [n + 1]);
        tx.execute(sql`INSERT INTO ${sql.identifier(table)} VALUES (2, ${n})`);
        return none ?? n;
      });
      expect(given).toBe(10);
      expect(await client.query(`SELECT * FROM ${table}`)).toEqual([
        { id: 1, n: 11 },
        { id: 2, n: 10 },
      ]);
    });

    test('concurrent ones lose no update', async () => {
      const { client, second } = fixture;
      const table = await fixture.table('n INTEGER');
      await client.execute(`INSERT INTO ${table} VALUES (0)`);
      async function increment(by: typeof client): Promise<void> {
        await by.transaction(async (tx) => {
          const { n } = await tx.queryOne<{ n: number }>(`SELECT n FROM ${table}`);
          tx.execute(`UPDATE ${table} SET n = ?`, [n + 1]);
        });
      }
      const all = await Promise.allSettled(
        Array.from({ length: 6 }, (_, i) => increment(i % 2 ? client : second)),
      );
      const done = all.filter(({ status }) => status === 'fulfilled').length;
      expect(done).toBeGreaterThan(0);
      for (const one of all) {
        if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'CONFLICT' });
      }
      expect(await client.query(`SELECT n FROM ${table}`)).toEqual([{ n: done }]);
    });

    test('a conflict runs the body again, a bounded number of times', async () => {
      const { client } = fixture;
      const table = await fixture.table('n INTEGER');
      await client.execute(`INSERT INTO ${table} VALUES (0)`);
      let runs = 0;
      const always = client.transaction(async (tx) => {
        runs++;
        await tx.query(`SELECT n FROM ${table}`);
        await client.execute(`UPDATE ${table} SET n = n + 1`);
        tx.execute(`UPDATE ${table} SET n = -1`);
      });
      await expectCode(always, 'CONFLICT');
      expect(runs).toBeGreaterThan(1);
      expect(runs).toBeLessThanOrEqual(20);
      expect(await client.query(`SELECT n FROM ${table}`)).toEqual([{ n: runs }]);
    });

    test('a body that saw two states runs again, also when it failed over them', async () => {
      const { client } = fixture;
      const table = await fixture.table('n INTEGER');
      await client.execute(`INSERT INTO ${table} VALUES (0)`);
      let runs = 0;
      const value = await client.transaction(async (tx) => {
        runs++;
        const [before] = await tx.query<{ n: number }>(`SELECT n FROM ${table}`);
        if (runs === 1) await client.execute(`UPDATE ${table} SET n = n + 1`);
        const [after] = await tx.query<{ n: number }>(`SELECT n FROM ${table}`);
        if (before!.n !== after!.n) throw new Error('two states');
        return after!.n;
      });
      expect(value).toBe(1);
      expect(runs).toBe(2);
    });

    test('an error of the body ends it, with nothing applied', async () => {
      const { client } = fixture;
      const table = await fixture.table('n');
      const failed = client.transaction(async (tx) => {
        await tx.query(`SELECT * FROM ${table}`);
        tx.execute(`INSERT INTO ${table} VALUES (1)`);
        throw new Error('changed my mind');
      });
      await expect(failed).rejects.toThrow('changed my mind');
      expect(await client.query(`SELECT * FROM ${table}`)).toEqual([]);
    });

    test('a failed read inside can be caught', async () => {
      const { client } = fixture;
      const code = await client.transaction(async (tx) => {
        const error = await tx.query('SELECT * FROM nowhere').catch((reason: unknown) => reason);
        const { one } = await tx.queryOne<{ one: number }>('SELECT 1 AS one');
        return one === 1 && error instanceof QuorliteError ? error.code : 'no error';
      });
      expect(code).toBe('SQL_ERROR');
    });

    test('is over when its body is', async () => {
      const { client } = fixture;
      const tx = await client.transaction(async (inner) => inner);
      await expectCode(tx.query('SELECT 1'), 'BAD_REQUEST');
      expect(() => tx.execute('SELECT 1')).toThrow(QuorliteError);
    });
  });
}
