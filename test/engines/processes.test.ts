/** Real processes on the second engine: the suites of the default one, and a cluster that takes no other engine. */
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { startNode } from '../../src/runtime/node/start-node.ts';
import { sqljs } from '../../src/sqljs.ts';
import { loadSqljsEngine } from '../../wasm/load/sqljs-node.ts';
import { suitesOn } from '../kit/engine.ts';
import { ProcessCluster } from '../kit/process-cluster.ts';

await suitesOn('sqljs', loadSqljsEngine, [
  'test/cluster/client.test.ts',
  'test/faults/kill.test.ts',
]);

describe('a cluster on sqljs', () => {
  let cluster: ProcessCluster | null = null;
  afterEach(async () => {
    await cluster?.dispose();
    cluster = null;
  });

  test('says so, and refuses a node on the default engine', async () => {
    cluster = await ProcessCluster.create(1);
    await cluster.start();
    const [one] = cluster.nodes;
    const version = await (await fetch(`${one!.url}/v1/version`)).json();
    expect(version).toMatchObject({ engine: expect.stringMatching(/^sqljs\/3\.54\.1\/43bbcdd4/) });
    const folder = join(cluster.directory, 'other');
    const nodes = `1=${one!.url},2=http://127.0.0.1:1`;
    const args = ['--id', '2', '--nodes', nodes, '--data-dir', folder, '--listen', '127.0.0.1:0'];
    const other = cluster.guest(2, '', folder, args);
    other.launch({ args: ['--engine', 'sqlite'] });
    const refusal =
      /ENGINE_MISMATCH: node (1|2) runs \w+\/[\w.]+\/\w+, this node \w+\/[\w.]+\/\w+: give all nodes the same engine/;
    await Promise.race([other.says(refusal), one!.says(refusal)]);
    await other.stop();
  });

  test('a folder that another engine wrote is refused at the start', async () => {
    cluster = await ProcessCluster.create(1);
    const dataDir = cluster.nodes[0]!.dataDir;
    const node = await startNode({ dataDir, engine: sqljs, log: 'silent' });
    await node.client.execute('CREATE TABLE t (a)');
    await node.shutdown();
    const again = await startNode({ dataDir, engine: 'sqljs', log: 'silent' });
    expect(await again.client.query('SELECT count(*) AS n FROM t')).toEqual([{ n: 0 }]);
    await again.shutdown();
    await expect(startNode({ dataDir, log: 'silent' })).rejects.toMatchObject({
      code: 'ENGINE_MISMATCH',
    });
  });
});
