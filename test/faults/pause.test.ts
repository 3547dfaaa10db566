/**
 * A host that falls silent: the leader is suspended with SIGSTOP while clients write, so that nothing closes and nobody
 * is told. Then it wakes up (scenario 29).
 */
import { afterEach, expect, test } from 'vitest';
import type { Client } from '../../src/client/contract.ts';
import { eventually, ProcessCluster, patientClient } from '../kit/process-cluster.ts';

let cluster: ProcessCluster | null = null;
const clients: Client[] = [];

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await cluster?.dispose();
  cluster = null;
});

/** A linearizable read over HTTP: the value, or the code of the error. */
async function read(url: string): Promise<number | string> {
  const response = await fetch(`${url}/v1/query`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ sql: 'SELECT max(n) FROM t', timeoutMs: 5000 }),
  });
  const body = (await response.json()) as { rows?: [[number]]; code?: string };
  return body.rows?.[0][0] ?? body.code!;
}

test('a silent leader is replaced, and reads nothing old when it wakes up', async () => {
  cluster = await ProcessCluster.create(3);
  await cluster.start();
  const leader = await cluster.leader();
  const client = patientClient(cluster.urls);
  clients.push(client);
  await client.execute('CREATE TABLE t (n INTEGER)');
  await client.execute('INSERT INTO t VALUES (1)');
  const before = (await leader.status())!.term;

  leader.signal('SIGSTOP');
  // This client follows the leader: its connection leads to a host that does not answer.
  await client.execute('INSERT INTO t VALUES (2)');
  const successor = await cluster.leader(leader);
  expect(successor).not.toBe(leader);

  // They reach the sleeping host's sockets and are the first thing it sees.
  const buffered = [read(leader.url), read(leader.url)];
  await client.execute('INSERT INTO t VALUES (3)');
  leader.signal('SIGCONT');
  for (const answer of await Promise.all(buffered)) {
    // An error would be honest; the old value would not.
    if (typeof answer === 'number') expect(answer).toBe(3);
    else expect(['NOT_LEADER', 'NO_QUORUM', 'LEADER_CHANGED', 'TIMEOUT']).toContain(answer);
  }

  const status = await eventually(async () => {
    const seen = await leader.status();
    return seen?.role === 'follower' && seen.leader === successor.id ? seen : null;
  });
  expect(status.term).toBeGreaterThan(before);
  expect(await read(leader.url)).toBe(3);
}, 120_000);

test('a silent follower disturbs nobody, and catches up', async () => {
  cluster = await ProcessCluster.create(3);
  await cluster.start();
  const client = patientClient(cluster.urls);
  clients.push(client);
  await client.execute('CREATE TABLE t (n INTEGER)');
  const [sleeper] = await cluster.followers();

  sleeper!.signal('SIGSTOP');
  for (let n = 1; n <= 20; n++) await client.execute('INSERT INTO t VALUES (?)', [n]);
  const { index } = await client.queryRaw('SELECT 1');
  sleeper!.signal('SIGCONT');

  await eventually(async () => {
    const status = await sleeper!.status();
    return status !== null && status.index >= index && status.leader !== null;
  });
  expect(await read(sleeper!.url)).toBe(20);
}, 120_000);
