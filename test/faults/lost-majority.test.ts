/** Two of three disks are gone for good: one survivor becomes a new cluster, the others join it anew. */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  eventually,
  type NodeProcess,
  ProcessCluster,
  patientClient,
} from '../kit/process-cluster.ts';
import { run } from '../support/cli.ts';

function recoverArguments(cluster: ProcessCluster, node: NodeProcess): string[] {
  const { id, dataDir } = node;
  const flags = ['--id', String(id), '--nodes', cluster.nodesFlag, '--data-dir', dataDir];
  return ['cluster', 'recover', ...flags];
}

test('two of three disks are lost: recover goes on with the third', async () => {
  const cluster = await ProcessCluster.create(3);
  try {
    await cluster.start();
    const before = (await cluster.nodes[0]!.status())!.clusterId;
    const [survivor, lost] = await cluster.followers();
    const leader = await cluster.leader();
    const client = patientClient(cluster.urls);
    await client.execute('CREATE TABLE t (n INTEGER PRIMARY KEY)');
    let index = 0;
    for (let n = 1; n <= 20; n++)
      index = (await client.execute('INSERT INTO t VALUES (?)', [n])).index;
    await client.close();
    const seen = patientClient(survivor!.url, { followLeader: false });
    await seen.query('SELECT 1', [], { consistency: 'session', minIndex: index });
    await seen.close();

    const running = await run(recoverArguments(cluster, survivor!));
    expect(running).toMatchObject({ code: 2 });
    expect(running.stderr).toMatch(/in use/);

    await cluster.stop('SIGKILL');
    const old = join(cluster.directory, 'an old disk');
    cpSync(lost!.dataDir, old, { recursive: true });
    lost!.wipe();
    leader.wipe();

    const looked = await run(recoverArguments(cluster, survivor!));
    expect(looked.code).toBe(2);
    expect(looked.stdout).toMatch(new RegExp(`^cluster +${before}, node ${survivor!.id}$`, 'm'));
    expect(looked.stderr).toMatch(/nothing was changed.*NEW cluster[\s\S]*add --yes/);
    const done = await run([...recoverArguments(cluster, survivor!), '--yes', '--json']);
    expect(done).toMatchObject({ code: 0, stderr: '' });
    const report = JSON.parse(done.stdout) as { lastIndex: number; newClusterId: string };
    expect(report).toMatchObject({ recovered: true, clusterId: before, node: survivor!.id });
    expect(report.lastIndex).toBeGreaterThanOrEqual(index);

    await survivor!.start();
    const status = (await survivor!.status())!;
    expect(status.clusterId).toBe(report.newClusterId);
    expect(status.clusterId).not.toBe(before);
    expect(status.members.map(({ id }) => id)).toEqual([survivor!.id]);

    await Promise.all([leader.start(), lost!.start()]);
    await eventually(async () => {
      const voters = (await survivor!.status())?.members.filter(({ voter }) => voter);
      return voters?.length === 3;
    });
    const after = patientClient(cluster.urls);
    await after.execute('INSERT INTO t VALUES (21)');
    expect(await after.queryOne('SELECT count(*) AS n, sum(n) AS s FROM t')).toEqual({
      n: 21,
      s: 231,
    });
    await expect(
      after.query('SELECT 1', [], { consistency: 'session', minIndex: index }),
    ).resolves.toHaveLength(1);
    await after.close();

    // A disk of the old cluster that turns up again is refused; the new cluster goes on.
    await lost!.stop();
    rmSync(lost!.dataDir, { recursive: true });
    cpSync(old, lost!.dataDir, { recursive: true });
    lost!.launch();
    await lost!.says(new RegExp(`${before}|another cluster|CLUSTER_MISMATCH`));
    const writing = patientClient([survivor!.url, leader.url]);
    await writing.execute('INSERT INTO t VALUES (22)');
    await writing.close();
    expect((await lost!.status())?.leader ?? null).toBe(null);
  } finally {
    await cluster.dispose();
  }
}, 120_000);
