/** Client suite: execute, batch, migrate, settings. */
import { describe, expect, test } from 'vitest';
import { sql } from '../../src/client/sql.ts';
import { QuorliteError } from '../../src/wire/error.ts';
import type { ClientFixture } from './client.ts';
import { expectCode } from './client-support.ts';

export function testClientWrites(fixture: ClientFixture): void {
  describe('writes', () => {
    test('tell rows, rowid and index', async () => {
      const { client } = fixture;
      const table = await fixture.table('id INTEGER PRIMARY KEY, name TEXT');
      const insert = `INSERT INTO ${table} (name) VALUES ('a'), ('b')`;
      const first = await client.execute(insert);
      expect(first).toMatchObject({ rowsAffected: 2, lastInsertRowid: 2, rows: [], columns: [] });
      const second = await client.execute(`UPDATE ${table} SET name = 'c'`);
      expect(second.rowsAffected).toBe(2);
      expect(second.index).toBeGreaterThan(first.index);
      expect((await client.execute(`DELETE FROM ${table} WHERE id = 9`)).rowsAffected).toBe(0);
    });

    test('RETURNING gives rows as objects', async () => {
      const { client } = fixture;
      const table = await fixture.table('id INTEGER PRIMARY KEY, name TEXT');
      const { rows, columns } = await client.execute<{ id: number; name: string }>(
        sql`INSERT INTO ${sql.identifier(table)} (name) VALUES (${'ada'}) RETURNING id, name`,
      );
      expect(rows).toEqual([{ id: 1, name: 'ada' }]);
      expect(columns.map(({ name }) => name)).toEqual(['id', 'name']);
    });

    test('many at a time, in the order of the calls', async () => {
      const { client } = fixture;
      const table = await fixture.table('id INTEGER PRIMARY KEY, n INTEGER');
      const insert = `INSERT INTO ${table} (n) VALUES (?)`;
      const results = await Promise.all(
        Array.from({ length: 500 }, (_, n) => client.execute(insert, [n])),
      );
      expect(results.map(({ lastInsertRowid }) => lastInsertRowid)).toEqual(
        Array.from({ length: 500 }, (_, n) => n + 1),
      );
      const mixed = await client.query(`SELECT * FROM ${table} WHERE id <> n + 1`);
      expect(mixed).toEqual([]);
    });

    test('errors of SQL, with SQLite’s code and nothing applied', async () => {
      const { client } = fixture;
      const table = await fixture.table('id INTEGER PRIMARY KEY, name TEXT NOT NULL');
      const insert = `INSERT INTO ${table} VALUES (?, ?)`;
      await client.execute(insert, [1, 'a']);
      const twice = await expectCode(client.execute(insert, [1, 'b']), 'SQL_CONSTRAINT');
      expect(twice.sqliteCode).toBe('SQLITE_CONSTRAINT_PRIMARYKEY');
      expect(twice.retryable).toBe(false);
      const missing = await expectCode(client.execute(insert, [2, null]), 'SQL_CONSTRAINT');
      expect(missing.sqliteCode).toBe('SQLITE_CONSTRAINT_NOTNULL');
      const syntax = await expectCode(client.execute('SELEKT 1'), 'SQL_ERROR');
      expect(syntax.offset).toBe(0);
      await expectCode(client.execute('INSERT INTO nowhere VALUES (1)'), 'SQL_ERROR');
      await expectCode(client.execute("ATTACH 'x' AS y"), 'SQL_NOT_ALLOWED');
      await expectCode(client.execute(''), 'BAD_REQUEST');
      await expectCode(client.execute('SELECT 1; SELECT 2'), 'SQL_ERROR');
      expect(await client.query(`SELECT * FROM ${table}`)).toEqual([{ id: 1, name: 'a' }]);
    });

    test('are there for others once they are answered', async () => {
      const { client, second } = fixture;
      const table = await fixture.table('n');
      for (let n = 0; n < 10; n++) {
        await client.execute(`INSERT INTO ${table} VALUES (?)`, [n]);
        const counted = await second.queryOne(`SELECT count(*) AS n FROM ${table}`);
        expect(counted).toEqual({ n: n + 1 });
      }
    });

    test('slow writes', async () => {
      const { client } = fixture;
      const table = await fixture.table('n');
      const { rowsAffected } = await client.execute(
        `INSERT INTO ${table} WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1000)
         SELECT x FROM c`,
        [],
        { slow: true, timeoutMs: 20_000 },
      );
      expect(rowsAffected).toBe(1000);
    });

    test('of what is no statement are refused', async () => {
      const { client } = fixture;
      await expectCode(client.execute(5 as unknown as string), 'BAD_REQUEST');
      await expectCode(client.execute(null as unknown as string), 'BAD_REQUEST');
      await expectCode(client.execute(sql`SELECT ${1}`, [1]), 'BAD_REQUEST');
    });
  });

  describe('batch', () => {
    test('atomic: all or nothing', async () => {
      const { client } = fixture;
      const table = await fixture.table('n UNIQUE');
      const done = await client.batch(
        `INSERT INTO ${table} VALUES (1); INSERT INTO ${table} VALUES (2) RETURNING n;`,
      );
      expect(done.results).toHaveLength(2);
      expect(done.results[1]).toMatchObject({ rowsAffected: 1, rows: [{ n: 2 }] });
      const failed = await expectCode(
        client.batch(`INSERT INTO ${table} VALUES (3); INSERT INTO ${table} VALUES (1)`),
        'SQL_CONSTRAINT',
      );
      expect(failed.statement).toBe(1);
      expect(await client.query(`SELECT n FROM ${table} ORDER BY n`)).toEqual([{ n: 1 }, { n: 2 }]);
    });

    test('not atomic: each statement stands alone', async () => {
      const { client } = fixture;
      const table = await fixture.table('n UNIQUE');
      const { results } = await client.batch(
        `INSERT INTO ${table} VALUES (1); INSERT INTO ${table} VALUES (1); INSERT INTO ${table} VALUES (2)`,
        { atomic: false },
      );
      expect(results.map((result) => 'error' in result)).toEqual([false, true, false]);
      const [, failed] = results;
      expect(failed && 'error' in failed && failed.error).toBeInstanceOf(QuorliteError);
      expect(await client.query(`SELECT n FROM ${table} ORDER BY n`)).toEqual([{ n: 1 }, { n: 2 }]);
    });
  });

  describe('migrate', () => {
    const migrations = [
      { id: 1, name: 'people', sql: 'CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT)' },
      { id: 2, name: 'ages', sql: 'ALTER TABLE people ADD COLUMN age INTEGER' },
    ];

    test('applies what is new, once', async () => {
      const { client } = fixture;
      const first = await client.migrate(migrations);
      expect(first.applied.map(({ id }) => id)).toEqual([1, 2]);
      expect(first.current).toBe(2);
      expect(await client.migrate(migrations)).toEqual({ applied: [], current: 2 });
    });

    test('a file that changed is refused', async () => {
      const changed = [{ ...migrations[0]!, sql: 'CREATE TABLE others (id)' }];
      await expectCode(fixture.client.migrate(changed), 'MIGRATION_MISMATCH');
    });
  });

  describe('settings', () => {
    test('are read and changed', async () => {
      const { client, second } = fixture;
      const before = await client.settings.get();
      expect(before['resultRows']).toBeGreaterThan(0);
      const changed = await client.settings.set({ resultRows: 50_000 });
      expect(changed['resultRows']).toBe(50_000);
      expect((await second.settings.get())['sessionWindow']).toBe(before['sessionWindow']);
      await client.settings.set({ resultRows: before['resultRows']! });
    });

    test.each([{ noSuchSetting: 1 }, { resultRows: -1 }])('%j is refused', async (patch) => {
      await expectCode(fixture.client.settings.set(patch as never), 'BAD_REQUEST');
    });
  });
}
