/**
 * The suite that every runtime passes: one node that is started, written to, read, killed, restarted, checkpointed and
 * caught up with; what it answers and the database that it holds are the same everywhere, byte for byte.
 */
import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import type { Client } from '../../src/client/contract.ts';

/** A node on the runtime under test. */
export interface RuntimeNode {
  /** Starts it, or starts it again on what it kept; resolves when it serves. */
  start(): Promise<void>;
  /** Ends it as a crash does: nothing of it runs on. */
  kill(): Promise<void>;
  /** Shuts it down in order. */
  stop(): Promise<void>;
  /** A client of it, which the suite closes. */
  connect(): Client;
  dispose(): Promise<void>;
}

/** How a runtime makes nodes. */
export interface RuntimeUnderTest {
  /** A cluster of one, with a storage of its own that outlives `kill`. */
  create(): Promise<RuntimeNode>;
  /** Time for one test, milliseconds. */
  readonly timeoutMs?: number | undefined;
}

/** What the workload leaves, on every runtime: answers, and SHA-256 of the exported file. */
export interface WorkloadResult {
  readonly answers: unknown;
  readonly hash: string;
}

const ROWS = 40;

/** Writes and reads in one order, with nothing of chance or time in them; ends with the database's hash. */
export async function runWorkload(client: Client): Promise<WorkloadResult> {
  await client.batch(`
    CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, weight REAL, bytes BLOB, big INTEGER);
    CREATE INDEX item_by_weight ON item (weight);
    CREATE TABLE total (n INTEGER, sum REAL);
    CREATE TRIGGER counted AFTER INSERT ON item BEGIN
      UPDATE total SET n = n + 1, sum = sum + NEW.weight;
    END;
    INSERT INTO total VALUES (0, 0.0);
  `);
  const answers: unknown[] = [];
  for (let i = 1; i <= ROWS; i++) {
    const bytes = Uint8Array.from({ length: i * 37 }, (_, at) => (at * i) % 256);
    const params = [`item ${i} é 漢 🙂`, i / 7, bytes, 2n ** 62n + BigInt(i)];
    const sql = 'INSERT INTO item (name, weight, bytes, big) VALUES (?, ?, ?, ?) RETURNING id';
    answers.push((await client.execute(sql, params)).rows);
  }
  const failure = await client
    .execute('INSERT INTO item (name) SELECT name FROM item WHERE id = 3')
    .then(
      () => null,
      (error: { code: string; outcome: string }) => [error.code, error.outcome],
    );
  answers.push(failure);
  await client.txn([
    { sql: 'UPDATE item SET weight = weight * 1.1 WHERE id % 3 = 0' },
    { sql: 'DELETE FROM item WHERE id % 10 = 0' },
  ]);
  answers.push(await readAll(client));
  return { answers, hash: await exportHash(client) };
}

/** Everything that the workload left, as rows. */
export async function readAll(client: Client): Promise<unknown> {
  const items = await client.queryRaw(
    "SELECT id, name, weight, length(bytes), big, printf('%.17g', weight / 3) FROM item ORDER BY weight",
  );
  const total = await client.queryRaw('SELECT n, sum FROM total');
  return [items.rows, total.rows];
}

/** SHA-256 of the database as the node that answers exports it. */
export async function exportHash(client: Client): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of client.export()) hash.update(chunk);
  return hash.digest('hex');
}

/**
 * Registers the suite. `reference` is what the workload leaves on the runtime that others are compared with.
 *
 * @example
 * testRuntime('Deno', { create: () => processNode(['deno', 'run', '-A', main]) }, () => reference);
 */
export function testRuntime(
  name: string,
  runtime: RuntimeUnderTest,
  reference: () => Promise<WorkloadResult>,
): void {
  describe(`runtime: ${name}`, () => {
    const { timeoutMs = 60_000 } = runtime;
    const nodes: RuntimeNode[] = [];
    const clients: Client[] = [];

    afterEach(async () => {
      await Promise.all(clients.splice(0).map((client) => client.close()));
      await Promise.all(nodes.splice(0).map((node) => node.dispose()));
    });

    async function started(): Promise<RuntimeNode> {
      const node = await runtime.create();
      nodes.push(node);
      await node.start();
      return node;
    }

    function connected(node: RuntimeNode): Client {
      const client = node.connect();
      clients.push(client);
      return client;
    }

    test('results and database are those of every runtime', { timeout: timeoutMs }, async () => {
      const expected = await reference();
      const node = await started();
      const result = await runWorkload(connected(node));
      expect(result.answers).toEqual(expected.answers);
      expect(result.hash).toBe(expected.hash);
    });

    test('what was acknowledged survives a kill, also behind a snapshot', {
      timeout: timeoutMs,
    }, async () => {
      const expected = await reference();
      const node = await started();
      const client = connected(node);
      await runWorkload(client);
      await node.kill();
      await node.start();
      expect(await exportHash(client)).toBe(expected.hash);

      const { index } = await client.snapshot();
      expect(index).toBeGreaterThan(0);
      await client.execute("INSERT INTO item (name, weight) VALUES ('behind the snapshot', 1.5)");
      const before = await readAll(client);
      const hash = await exportHash(client);
      await node.kill();
      await node.start();
      expect(await readAll(client)).toEqual(before);
      expect(await exportHash(client)).toBe(hash);
    });

    test('stops in order, and goes on where it was', { timeout: timeoutMs }, async () => {
      const node = await started();
      const client = connected(node);
      await client.batch('CREATE TABLE t (a); INSERT INTO t VALUES (1);');
      await node.stop();
      await node.start();
      await client.execute('INSERT INTO t VALUES (2)');
      expect(await client.query('SELECT a FROM t ORDER BY a')).toEqual([{ a: 1 }, { a: 2 }]);
    });

    test('a large answer and a large value pass', { timeout: timeoutMs }, async () => {
      const client = connected(await started());
      await client.execute('CREATE TABLE large (id INTEGER PRIMARY KEY, bytes BLOB)');
      const bytes = new Uint8Array(1_500_000).map((_, i) => (i * 31) % 251);
      for (let id = 1; id <= 4; id++) {
        await client.execute('INSERT INTO large VALUES (?, ?)', [id, bytes]);
      }
      let seen = 0;
      for await (const row of client.stream<{ bytes: Uint8Array }>('SELECT bytes FROM large')) {
        expect(createHash('sha1').update(row.bytes).digest('hex')).toBe(
          createHash('sha1').update(bytes).digest('hex'),
        );
        seen++;
      }
      expect(seen).toBe(4);
    });
  });
}
