/** How a cluster of real processes begins: in any order, with deaths on the way, and never twice (architecture, section 3). */
import { afterEach, expect, test } from 'vitest';
import {
  eventually,
  type NodeProcess,
  ProcessCluster,
  patientClient,
} from '../kit/process-cluster.ts';

let cluster: ProcessCluster;

afterEach(() => cluster?.dispose());

/** Waits until a node that cannot serve yet gives a reason like `pattern`, and returns it. */
function waits(node: NodeProcess, pattern: RegExp): Promise<string> {
  return eventually(async () => {
    try {
      const response = await fetch(`${node.url}/readyz`);
      const { reasons } = (await response.json()) as { reasons?: readonly string[] };
      return reasons?.find((reason) => pattern.test(reason));
    } catch {
      return null;
    }
  });
}

/** Everybody is a voter of one cluster, which takes writes. */
async function expectOneCluster(): Promise<string> {
  const client = patientClient(cluster.urls);
  await client.execute('CREATE TABLE IF NOT EXISTS t (n)');
  await client.close();
  const ids = new Set<string>();
  for (const node of cluster.nodes) {
    const status = await eventually(async () => {
      const seen = await node.status();
      return seen?.members.length === cluster.nodes.length ? seen : null;
    });
    expect(status.members.every(({ voter }) => voter)).toBe(true);
    ids.add(status.clusterId);
  }
  expect(ids.size).toBe(1);
  return [...ids][0]!;
}

test('node 1 waits for the others, says for whom, and a founder that dies on the way founds later', async () => {
  cluster = await ProcessCluster.create(3);
  const [one, two, three] = cluster.nodes;
  one!.launch();
  const reason = await waits(one!, /^waiting for node 2, 3 to found the cluster/);
  expect(reason).toContain('--found-with 1');
  two!.launch();
  await waits(one!, /^waiting for node 3 to found the cluster.*--found-with 1,2$/);
  await one!.stop('SIGKILL');
  three!.launch();
  one!.launch();
  // As soon as it has decided, and with luck before anybody has heard of it.
  await one!.says(/founding cluster/);
  await one!.stop('SIGKILL');
  one!.launch();
  const id = await expectOneCluster();

  // Founded is founded: whoever starts later joins, also a node 1 without its folder.
  await one!.stop('SIGKILL');
  one!.wipe();
  one!.launch();
  await eventually(async () => {
    const status = await one!.status();
    return status?.clusterId === id && status.members.length === 3;
  });
  expect(await expectOneCluster()).toBe(id);
}, 120_000);

test('a node that expects a cluster founds none', async () => {
  cluster = await ProcessCluster.create(1);
  const [node] = cluster.nodes;
  node!.launch({ args: ['--expect-existing'] });
  await waits(node!, /^waiting for a member of the cluster to answer$/);
  expect(node!.output).not.toMatch(/founding/);
}, 120_000);
