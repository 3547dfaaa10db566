/** A client without WebSockets against a real node: plain requests. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Client } from '../../src/client/contract.ts';
import { ref } from '../../src/client/ref.ts';
import { connect } from '../../src/client/remote/connect.ts';
import { overHttp } from '../../src/client/remote/http-driver.ts';
import { ProcessCluster } from '../kit/process-cluster.ts';

const TOKEN = 'the API secret of this suite';
const RAFT_SECRET = 'the Raft secret of this suite';

describe('a client over HTTP', () => {
  let cluster: ProcessCluster;
  let db: Client;

  beforeAll(async () => {
    const args = ['--secret-api', TOKEN, '--secret-raft', RAFT_SECRET];
    cluster = await ProcessCluster.create(3, args);
    await cluster.start();
    db = connect(cluster.urls, { token: TOKEN, webSocket: false, http: overHttp });
    await db.ready();
    await db.execute('CREATE TABLE t (id INTEGER PRIMARY KEY, v)');
  }, 60_000);
  afterAll(async () => {
    await db?.close();
    await cluster?.dispose();
  });

  test('gives every value back', async () => {
    const values = [null, 1, -1.5, 2n ** 62n, Infinity, 'zwölf', new Uint8Array([0, 255])];
    for (const value of values) {
      expect(await db.queryOne('SELECT ? AS v', [value])).toEqual({ v: value });
    }
    expect(await db.queryOne('SELECT typeof(:a) AS v', { a: 1.5 })).toEqual({ v: 'real' });
  });

  test('writes, with RETURNING, transactions, references, batches and migrations', async () => {
    const { rowsAffected, lastInsertRowid } = await db.execute('INSERT INTO t (v) VALUES (?)', [7]);
    expect([rowsAffected, lastInsertRowid]).toEqual([1, 1]);
    const [, second] = await db.txn([
      { sql: 'INSERT INTO t (v) VALUES (1) RETURNING id' },
      { sql: 'INSERT INTO t (v) VALUES (?) RETURNING v', params: [ref(0, 'id')] },
      { sql: 'INSERT INTO t (v) VALUES (?)', many: [[3], [4]] },
    ]);
    expect(second?.rows).toEqual([{ v: 2 }]);
    await db.batch("INSERT INTO t (v) VALUES ('a'); INSERT INTO t (v) VALUES ('b');");
    const migrations = [{ id: 1, name: 'one', sql: 'CREATE TABLE m (x)' }];
    expect(await db.migrate(migrations)).toMatchObject({ current: 1 });
    expect(await db.queryOne('SELECT count(*) AS n FROM t')).toEqual({ n: 7 });
    const rows = [];
    for await (const row of db.stream('SELECT id FROM t ORDER BY id')) rows.push(row);
    expect(rows).toHaveLength(7);
  });

  test('says what is wrong, with an honest outcome', async () => {
    await expect(db.execute('INSERT INTO t (id) VALUES (1)')).rejects.toMatchObject({
      code: 'SQL_CONSTRAINT',
      outcome: 'not-applied',
      sqliteCode: 'SQLITE_CONSTRAINT_PRIMARYKEY',
    });
    await expect(db.query('SELECT nonsense')).rejects.toMatchObject({ code: 'SQL_ERROR' });
    const wrong = connect(cluster.urls, {
      token: 'x'.repeat(20),
      webSocket: false,
      http: overHttp,
    });
    await expect(wrong.query('SELECT 1')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    const nobody = connect('http://127.0.0.1:9', { webSocket: false, http: overHttp });
    await expect(nobody.query('SELECT 1', [], { timeoutMs: 300 })).rejects.toMatchObject({
      code: 'NO_QUORUM',
    });
    await expect(nobody.execute('SELECT 1', [], { timeoutMs: 300 })).rejects.toMatchObject({
      outcome: 'unknown',
    });
  });

  test('goes on when a node dies, and writes exactly once', async () => {
    await db.execute('CREATE TABLE once (n INTEGER PRIMARY KEY)');
    const { leader } = await db.status();
    const writes = Array.from({ length: 60 }, (_, n) =>
      db.execute('INSERT INTO once VALUES (?)', [n], { timeoutMs: 20_000 }),
    );
    await writes[10];
    await cluster.nodes[leader! - 1]!.stop('SIGKILL');
    await Promise.all(writes);
    expect(await db.queryOne('SELECT count(*) AS n FROM once')).toEqual({ n: 60 });
  }, 60_000);

  test('knows the cluster, its settings and metrics, and exports the database', async () => {
    expect((await db.status()).members).toHaveLength(3);
    expect(Object.keys(await db.settings.get()).length).toBeGreaterThan(3);
    const metrics = await db.metrics();
    expect(metrics.some(({ name }) => name === 'quorlite_raft_commit_index')).toBe(true);
    let bytes = 0;
    for await (const chunk of db.export()) bytes += chunk.length;
    expect(bytes % 4096).toBe(0);
    expect(bytes).toBeGreaterThan(0);
  });
});
