/** What the public surface promises when things go wrong, tried from outside: retries, exit codes, logs, exports. */
import { type ChildProcess, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, type NodeProcess, ProcessCluster } from '../kit/process-cluster.ts';
import { ended, run, start } from '../support/cli.ts';

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: JSON of many shapes.
  readonly body: any;
}

async function post(
  node: NodeProcess,
  path: string,
  body: unknown,
  headers: { readonly [name: string]: string } = {},
): Promise<Answer> {
  const response = await fetch(`${node.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

let cluster: ProcessCluster;

beforeAll(async () => {
  cluster = await ProcessCluster.create(3, ['--log-statements', '--log', 'info,json']);
  await cluster.start();
  await post(cluster.nodes[0]!, '/v1/batch', {
    sql: 'CREATE TABLE t (id INTEGER PRIMARY KEY, a); CREATE TABLE kinds (a)',
  });
}, 120_000);
afterAll(() => cluster?.dispose());

test('an Idempotency-Key holds on every node, and when the leader is killed', async () => {
  const key = { 'idempotency-key': 'surface 1' };
  const body = { sql: 'INSERT INTO t (a) VALUES (hex(randomblob(8))) RETURNING id, a' };
  const first = await post(cluster.nodes[0]!, '/v1/execute', body, key);
  expect(first.status).toBe(200);
  const leader = await cluster.leader();
  await leader.stop('SIGKILL');
  const others = cluster.nodes.filter((node) => node !== leader);
  for (const node of others) {
    expect(await post(node, '/v1/execute', body, key)).toEqual(first);
    const other = await post(node, '/v1/execute', { sql: 'DELETE FROM t' }, key);
    expect(other).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_MISMATCH' } });
  }
  await leader.start();
  expect(await post(leader, '/v1/execute', body, key)).toEqual(first);
  const count = await post(leader, '/v1/query', { sql: 'SELECT count(*) FROM t' });
  expect(count.body.rows).toEqual([[1]]);
}, 60_000);

test('--log-statements logs what comes over HTTP and over the client protocol', async () => {
  const [node] = cluster.nodes;
  await post(node!, '/v1/query', { sql: "SELECT 'over HTTP'" });
  const { code } = await run(['sql', node!.url, '-c', "SELECT 'over the protocol'"]);
  expect(code).toBe(0);
  await node!.says(/"event":"statement".*"sql":"SELECT 'over HTTP'"/);
  await node!.says(/"event":"statement".*"sql":"SELECT 'over the protocol'"/);
}, 30_000);

const python = spawnSync('python3', ['-c', 'import sqlite3']).status === 0;

test.skipIf(!python)(
  'another SQLite opens an export and finds the same values',
  async () => {
    const [node] = cluster.nodes;
    await post(node!, '/v1/batch', {
      sql: `DELETE FROM kinds; INSERT INTO kinds VALUES (NULL), (9223372036854775807), (-1.5), (1e999),
      ('ü' || char(0) || '👋'), (x'00ff'), (zeroblob(10000))`,
    });
    const select = 'SELECT typeof(a), hex(a) FROM kinds ORDER BY rowid';
    const { rows } = (await post(node!, '/v1/query', { sql: select })).body;
    expect(rows).toHaveLength(7);
    const file = join(cluster.directory, 'export.db');
    const response = await fetch(`${node!.url}/v1/export`);
    writeFileSync(file, new Uint8Array(await response.arrayBuffer()));
    const script = `import sqlite3, json, sys
db = sqlite3.connect(sys.argv[1])
print(json.dumps([db.execute('PRAGMA integrity_check').fetchall(), db.execute(sys.argv[2]).fetchall()]))`;
    const read = spawnSync('python3', ['-c', script, file, select], { encoding: 'utf8' });
    expect(read.stderr).toBe('');
    expect(JSON.parse(read.stdout)).toEqual([[['ok']], rows]);
  },
  30_000,
);

describe('without a majority', () => {
  let left: NodeProcess;
  let shell: ChildProcess;
  let printed = '';

  beforeAll(async () => {
    left = await cluster.leader();
    shell = start(['sql', left.url, '--timeout', '1500']);
    shell.stderr!.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
    shell.stdin!.write("INSERT INTO t (a) VALUES ('before');\n");
    await eventually(() => /1 row changed/.test(printed));
    // Stopped, not killed: the leader sends and hears nothing.
    for (const node of cluster.nodes) if (node !== left) node.signal('SIGSTOP');
  }, 60_000);

  test('a write that was sent ends with exit code 4: nobody knows', async () => {
    shell.stdin!.end("INSERT INTO t (a) VALUES ('in doubt');\n");
    expect(await ended(shell)).toBe(4);
    expect(printed).toContain('it is not known whether the write happened');
  }, 30_000);

  test('what no leader takes ends with exit code 3, over HTTP with 503 and a time to retry', async () => {
    await eventually(async () => (await left.status())?.leader === null);
    for (const sql of ["INSERT INTO t (a) VALUES ('refused')", 'SELECT 1']) {
      const refused = await run(['sql', left.url, '--timeout', '700', '--json', '-c', sql]);
      expect(JSON.parse(refused.stderr).error).toMatchObject({
        code: 'NO_QUORUM',
        outcome: 'not-applied',
        retryable: true,
      });
      expect(refused.code).toBe(3);
    }
    const answer = await post(left, '/v1/execute', {
      sql: "INSERT INTO t (a) VALUES ('refused')",
      timeoutMs: 300,
    });
    expect(answer).toMatchObject({
      status: 503,
      body: { code: 'NO_QUORUM', outcome: 'not-applied' },
    });
    const stale = await post(left, '/v1/query', { sql: 'SELECT 1', consistency: 'stale' });
    expect(stale.body.rows).toEqual([[1]]);
    expect((await fetch(`${left.url}/readyz`)).status).toBe(503);
    expect((await fetch(`${left.url}/livez`)).status).toBe(200);
  }, 30_000);

  test('what was refused is nowhere when the majority is back', async () => {
    for (const node of cluster.nodes) node.signal('SIGCONT');
    await cluster.leader();
    const { body } = await post(left, '/v1/query', {
      sql: "SELECT a FROM t WHERE a IN ('before', 'refused')",
    });
    expect(body.rows).toEqual([['before']]);
  }, 30_000);
});
