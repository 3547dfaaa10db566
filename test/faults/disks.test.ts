/** Folders that are lost, or that come back from an old copy (scenario 53; architecture, section 3). */
import { cpSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import type { Client } from '../../src/client/contract.ts';
import {
  eventually,
  type NodeProcess,
  ProcessCluster,
  patientClient,
} from '../kit/process-cluster.ts';

let cluster: ProcessCluster;
let client: Client;

afterEach(async () => {
  await client?.close();
  await cluster?.dispose();
});

async function startCluster(): Promise<void> {
  cluster = await ProcessCluster.create(3);
  await cluster.start();
  client = patientClient(cluster.urls);
  await client.execute('CREATE TABLE t (n INTEGER)');
}

async function write(n: number): Promise<void> {
  await client.execute('INSERT INTO t VALUES (?)', [n]);
}

async function rowsAt(node: NodeProcess): Promise<number[]> {
  const one = patientClient(node.url, { followLeader: false });
  try {
    const rows = await one.query<{ n: number }>('SELECT n FROM t ORDER BY n');
    return rows.map(({ n }) => n);
  } finally {
    await one.close();
  }
}

async function replicaOf(node: NodeProcess): Promise<string> {
  return (await eventually(() => node.status())).replica;
}

/** Waits until the leader counts `node`'s current replica as a voter, and none besides the three. */
async function untilVoter(node: NodeProcess): Promise<void> {
  const replica = await replicaOf(node);
  await eventually(async () => {
    const { members } = (await (await cluster.leader()).status())!;
    return (
      members.length === 3 && members.some((member) => member.replica === replica && member.voter)
    );
  });
}

test('wiped nodes come back as new replicas: a follower, the leader, node 1', async () => {
  await startCluster();
  await write(0);
  const first = cluster.nodes[0]!;
  const [follower] = await cluster.followers();
  const { clusterId } = (await first.status())!;
  let n = 0;
  for (const node of [follower!, await cluster.leader(), first]) {
    const before = await replicaOf(node);
    await node.stop('SIGKILL');
    node.wipe();
    await write(++n);
    await node.start();
    expect(await replicaOf(node)).not.toBe(before);
    await untilVoter(node);
    await write(++n);
    expect(await rowsAt(node)).toEqual(Array.from({ length: n + 1 }, (_, i) => i));
  }
  for (const node of cluster.nodes) expect((await node.status())!.clusterId).toBe(clusterId);
}, 120_000);

test('a folder restored from an old copy is refused by whoever remembers, and joins anew once wiped', async () => {
  await startCluster();
  await write(1);
  const leader = await cluster.leader();
  const [node] = await cluster.followers();
  // As a backup of the disk would be made: while the node runs.
  cpSync(node!.dataDir, `${node!.dataDir}-copy`, { recursive: true });
  for (let n = 2; n <= 50; n++) await write(n);
  // The leader remembers what a follower has acknowledged with its next look at its peers.
  await eventually(async () => {
    const status = (await leader.status())!;
    const { matchIndex } = status.members.find(({ id }) => id === node!.id)!;
    return matchIndex === status.index;
  });
  await node!.stop('SIGKILL');
  await write(51);
  node!.wipe();
  cpSync(`${node!.dataDir}-copy`, node!.dataDir, { recursive: true });

  node!.launch();
  const [said] = await node!.says(/its disk was restored from an old copy[^"]*/);
  expect(said).toContain('wipe its data folder, and it will join anew');
  expect(leader.output).toContain('its disk was restored from an old copy');
  // It serves nothing meanwhile, and the others go on.
  await write(52);
  expect(node!.output).not.toMatch(/"role":"leader"/);
  await node!.stop('SIGKILL');

  node!.wipe();
  await node!.start();
  await untilVoter(node!);
  expect(await rowsAt(node!)).toEqual(Array.from({ length: 52 }, (_, i) => i + 1));
}, 120_000);
