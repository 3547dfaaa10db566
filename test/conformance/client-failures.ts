/** Client suite: deadlines, aborts, closing. What is said of a write that failed must be true. */
import { describe, expect, test } from 'vitest';
import type { ClientFixture } from './client.ts';
import { collect, expectCode, failure } from './client-support.ts';

export function testClientFailures(fixture: ClientFixture): void {
  describe('aborts', () => {
    test('before the call: nothing happens', async () => {
      const { client } = fixture;
      const table = await fixture.table('n');
      const signal = AbortSignal.abort('no');
      const insert = `INSERT INTO ${table} VALUES (1)`;
      const error = await expectCode(client.execute(insert, [], { signal }), 'ABORTED');
      expect(error.cause).toBe('no');
      await expectCode(client.query('SELECT 1', [], { signal }), 'ABORTED');
      await expectCode(collect(client.stream('SELECT 1', [], { signal })), 'ABORTED');
      await expectCode(collect(client.export({ signal })), 'ABORTED');
      await expectCode(client.status({ signal }), 'ABORTED');
      await expectCode(
        client.transaction(async () => 1, { signal }),
        'ABORTED',
      );
      expect(await client.query(`SELECT * FROM ${table}`)).toEqual([]);
    });

    test('during a write: its outcome is honest', async () => {
      const { client } = fixture;
      const table = await fixture.table('n');
      const controller = new AbortController();
      const write = client.execute(`INSERT INTO ${table} VALUES (1)`, [], controller);
      controller.abort();
      const error = await failure(write);
      expect(error.code).toBe('ABORTED');
      expect(['not-applied', 'unknown']).toContain(error.outcome);
      await client.execute(`INSERT INTO ${table} VALUES (2)`);
      const rows = await client.query(`SELECT n FROM ${table} ORDER BY n`);
      if (error.outcome === 'not-applied') expect(rows).toEqual([{ n: 2 }]);
      else expect([1, 2]).toContain(rows.length);
    });

    test('during a stream', async () => {
      const { client } = fixture;
      const controller = new AbortController();
      const numbers = client.stream<{ x: number }>(
        'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1000000) SELECT x FROM c',
        [],
        controller,
      );
      let rows = 0;
      async function read(): Promise<void> {
        for await (const _ of numbers) if (++rows === 10) controller.abort();
      }
      await expectCode(read(), 'ABORTED');
      expect(rows).toBeLessThan(1_000_000);
    });

    test('after the answer: no effect', async () => {
      const { client } = fixture;
      const controller = new AbortController();
      const row = await client.queryOne('SELECT 1 AS one', [], controller);
      controller.abort();
      expect(row).toEqual({ one: 1 });
    });
  });

  describe('options', () => {
    test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, '5' as unknown as number])(
      'timeoutMs %s is refused',
      async (timeoutMs) => {
        const { client } = fixture;
        await expectCode(client.execute('SELECT 1', [], { timeoutMs }), 'BAD_REQUEST');
        await expectCode(client.query('SELECT 1', [], { timeoutMs }), 'BAD_REQUEST');
        await expectCode(client.status({ timeoutMs }), 'BAD_REQUEST');
        await expectCode(collect(client.stream('SELECT 1', [], { timeoutMs })), 'BAD_REQUEST');
      },
    );

    test.each([-1, 1.5, Number.NaN])('minIndex %s is refused', async (minIndex) => {
      await expectCode(fixture.client.query('SELECT 1', [], { minIndex }), 'BAD_REQUEST');
    });

    test('a generous timeout does no harm', async () => {
      const row = await fixture.client.queryOne('SELECT 1 AS one', [], {
        timeoutMs: 2_000_000_000,
      });
      expect(row).toEqual({ one: 1 });
    });
  });
}

/** Closing ends a client, so it takes one of its own. */
export function testClosedClient(
  connect: () => Promise<import('./client.ts').ClientUnderTest>,
): void {
  test('a closed client refuses everything', async () => {
    const { client, close } = await connect();
    await client.ready();
    await client.close();
    await client.close();
    const refused = [
      client.execute('SELECT 1'),
      client.query('SELECT 1'),
      client.txn([{ sql: 'SELECT 1' }]),
      client.status(),
      client.settings.get(),
      client.ready(),
      collect(client.stream('SELECT 1')),
      collect(client.export()),
    ];
    for (const call of refused) {
      const error = await expectCode(call, 'SHUTTING_DOWN');
      expect(error.retryable).toBe(false);
    }
    await close();
  });
}
