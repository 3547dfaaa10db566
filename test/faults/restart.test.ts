/** Graceful ends: SIGTERM hands leadership over and exits with 0; a rolling restart refuses no write. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Client } from '../../src/client/contract.ts';
import { eventually, ProcessCluster, patientClient } from '../kit/process-cluster.ts';

let cluster: ProcessCluster;
const clients: Client[] = [];

beforeAll(async () => {
  // So long that nobody stands for election by itself: who leads next has been told to.
  cluster = await ProcessCluster.create(3, ['--election-ms', '10000']);
  await cluster.start();
}, 120_000);
afterEach(() => Promise.all(clients.splice(0).map((client) => client.close())));
afterAll(() => cluster?.dispose());

/** Clients that write one row after the other; `acknowledged` grows, and `stop` ends them or throws what they met. */
function startWriters(urls: readonly string[], count: number) {
  let stopped = false;
  const acknowledged = new Set<string>();
  async function write(client: Client, name: number): Promise<void> {
    for (let n = 0; !stopped; n++) {
      await client.execute('INSERT INTO t VALUES (?)', [`${name}/${n}`]);
      acknowledged.add(`${name}/${n}`);
    }
  }
  const all = Array.from({ length: count }, (_, name) => {
    const client = patientClient(urls);
    clients.push(client);
    return write(client, name);
  });
  const done = Promise.all(all);
  done.catch(() => {});
  return {
    acknowledged,
    async stop(): Promise<void> {
      stopped = true;
      await done;
    },
  };
}

test('a leader that is asked to stop hands leadership over', async () => {
  const { nodes } = cluster;
  const leader = await cluster.leader();
  const others = nodes.filter((node) => node !== leader);
  const { term } = (await leader.status())!;
  expect(await leader.stop('SIGTERM')).toBe(0);
  expect(leader.output).toMatch(/handing leadership over/);
  const seen = await eventually(async () => {
    const status = await others[0]!.status();
    return status?.leader !== null && status?.leader !== leader.id ? status : null;
  });
  // One term further: the successor was told to stand (TimeoutNow), nobody waited for a timeout.
  expect(seen.term).toBe(term + 1);
  await leader.start();
}, 120_000);

test('a rolling restart refuses no write and loses none', async () => {
  const { nodes, urls } = cluster;
  const reader = patientClient(urls);
  clients.push(reader);
  await reader.execute('CREATE TABLE t (name TEXT)');
  const writers = startWriters(urls, 3);
  async function untilMoreAcknowledged(): Promise<void> {
    const before = writers.acknowledged.size;
    await eventually(() => writers.acknowledged.size >= before + 20);
  }
  for (const node of nodes) {
    await untilMoreAcknowledged();
    expect(await node.stop('SIGTERM'), node.output).toBe(0);
    await untilMoreAcknowledged();
    await node.start();
  }
  await writers.stop();
  const rows = await reader.query<{ name: string }>('SELECT name FROM t');
  expect(rows.map(({ name }) => name).sort()).toEqual([...writers.acknowledged].sort());
}, 120_000);
