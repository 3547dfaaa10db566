/**
 * The relaxed sync modes: what was acknowledged survives the death of processes, since the operating system has it. A
 * boot of the operating system that may have lost writes makes a replica recover (architecture, section 4).
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Client } from '../../src/client/contract.ts';
import { openNodeFolder } from '../../src/runtime/node/files.ts';
import type { Identity } from '../../src/storage/contract.ts';
import { createIdentityStore } from '../../src/storage/identity.ts';
import {
  eventually,
  type NodeProcess,
  ProcessCluster,
  patientClient,
} from '../kit/process-cluster.ts';

let cluster: ProcessCluster;
let client: Client;

/** One cluster for a group of tests; each leaves it whole. */
function useCluster(mode: string): void {
  beforeAll(async () => {
    cluster = await ProcessCluster.create(3, ['--sync', mode]);
    await cluster.start();
    client = patientClient(cluster.urls);
    await client.execute('CREATE TABLE t (n INTEGER)');
  }, 120_000);
  beforeEach(() => client.execute('DELETE FROM t'));
  afterAll(async () => {
    await client?.close();
    await cluster?.dispose();
  });
}

/** The identity in a stopped node's folder. */
function identityOf(node: NodeProcess): Identity {
  return createIdentityStore(openNodeFolder(node.dataDir)).load()!;
}

/** Makes a stopped node believe that its machine was started anew since. */
function forgetBoot(node: NodeProcess): void {
  const identity = identityOf(node);
  const store = createIdentityStore(openNodeFolder(node.dataDir));
  store.save({ ...identity, osBootId: 'a boot of long ago' });
}

async function survivesProcesses(): Promise<void> {
  const writes = Array.from({ length: 200 }, (_, n) =>
    client.execute('INSERT INTO t VALUES (?)', [n]),
  );
  await Promise.all(writes);
  await cluster.stop('SIGKILL');
  await cluster.start();
  const [row] = await client.query('SELECT count(*) AS rows, count(DISTINCT n) AS n FROM t');
  expect(row).toEqual({ rows: 200, n: 200 });
}

describe('sync interval', () => {
  useCluster('interval:5000ms');
  test('acknowledged writes survive kill -9 of all processes', survivesProcesses, 120_000);
});

describe('sync os', () => {
  useCluster('os');
  test('acknowledged writes survive kill -9 of all processes', survivesProcesses, 120_000);

  test('a replica of another boot recovers from the others, and then votes again', async () => {
    const [lost, other] = await cluster.followers();
    const leader = await cluster.leader();
    await lost!.stop('SIGKILL');
    const { osBootId } = identityOf(lost!);
    forgetBoot(lost!);

    await lost!.start();
    // Only the end of the recovery stores the new boot: the log is durable up to an entry of this leader by then.
    await eventually(() => identityOf(lost!).osBootId === osBootId);
    await client.execute('INSERT INTO t VALUES (1)');

    // Now the leader dies, and the third one too: the recovered one is needed for the next majority.
    await leader.stop('SIGKILL');
    await client.execute('INSERT INTO t VALUES (2)');
    expect((await other!.status())!.leader).not.toBe(leader.id);
    expect(await client.query('SELECT n FROM t ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }]);
    await leader.start();
  }, 120_000);

  test('a recovering replica gives no vote', async () => {
    await client.execute('INSERT INTO t VALUES (1)');
    const leader = await cluster.leader();
    const [one, two] = await cluster.followers();
    await cluster.stop('SIGKILL');
    forgetBoot(one!);

    // One that knows what it has and one that does not: no majority that could be trusted.
    one!.launch();
    two!.launch();
    await Promise.all([one, two].map((node) => node!.says(/node starts/)));
    const refused = await fetchWrite(two!.url);
    expect(refused).toBe('NO_QUORUM');
    expect([one!.output, two!.output].join()).not.toMatch(/"role":"leader"/);

    await leader.start();
    const rows = await client.query('SELECT n FROM t');
    expect(rows).toEqual([{ n: 1 }]);
  }, 120_000);
});

/** The code with which a write fails that waits for longer than two elections take. */
async function fetchWrite(url: string): Promise<string> {
  const body = JSON.stringify({ sql: 'INSERT INTO t VALUES (9)', timeoutMs: 4500 });
  const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
  const response = await eventually(() => fetch(`${url}/v1/execute`, post).catch(() => null));
  return ((await response.json()) as { code: string }).code;
}
