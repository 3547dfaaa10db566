/** Node 24, Deno and Bun as servers: each alone, and in one cluster with Node 20. */
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import type { Client } from '../../src/client/contract.ts';
import {
  exportHash,
  type RuntimeNode,
  runWorkload,
  testRuntime,
  type WorkloadResult,
} from '../conformance/runtime.ts';
import { eventually, ProcessCluster, patientClient } from '../kit/process-cluster.ts';
import { quorliteOn, SERVER_RUNTIMES, type ServerRuntime, serverRuntime } from '../kit/runtimes.ts';

/** Time for a test that starts processes several times, on a machine that is busy with others. */
const TIMEOUT_MS = 120_000;

async function createNode(runtime: ServerRuntime): Promise<RuntimeNode> {
  const cluster = await ProcessCluster.create(1, [], [quorliteOn(runtime)]);
  return {
    start: () => cluster.start(),
    kill: () => cluster.stop('SIGKILL'),
    async stop() {
      expect(await cluster.nodes[0]!.stop('SIGTERM')).toBe(0);
    },
    connect: () => patientClient(cluster.urls),
    dispose: () => cluster.dispose(),
  };
}

let known: Promise<WorkloadResult> | null = null;

/** What the workload leaves on the Node that runs the tests. */
function reference(): Promise<WorkloadResult> {
  known ??= measureReference();
  return known;
}

async function measureReference(): Promise<WorkloadResult> {
  const node = await createNode(serverRuntime('node'));
  await node.start();
  const client = node.connect();
  try {
    return await runWorkload(client);
  } finally {
    await client.close();
    await node.dispose();
  }
}

for (const runtime of SERVER_RUNTIMES) {
  describe.skipIf(runtime.missing !== '')(`${runtime.name} ${runtime.missing}`, () => {
    const create = (): Promise<RuntimeNode> => createNode(runtime);
    testRuntime(runtime.name, { create, timeoutMs: TIMEOUT_MS }, reference);

    test('a second process on the same folder is refused, on whatever runtime', {
      timeout: TIMEOUT_MS,
    }, async () => {
      const cluster = await ProcessCluster.create(1, [], [quorliteOn(runtime)]);
      try {
        await cluster.start();
        const [first] = cluster.nodes;
        const version = await fetch(`${first!.url}/v1/version`);
        expect(((await version.json()) as { runtime: string }).runtime).toMatch(runtime.says);
        const intruder = cluster.guest(1, '', first!.dataDir, [
          ...['--listen', '127.0.0.1:0', '--data-dir', first!.dataDir],
        ]);
        intruder.launch();
        expect(await intruder.ended).toBe(2);
        expect(intruder.output).toMatch(/is in use by another node/);
      } finally {
        await cluster.dispose();
      }
    });
  });
}

const MIXED = ['node', 'deno', 'bun'] as const;
const missing = MIXED.map((name) => serverRuntime(name).missing).find((text) => text !== '') ?? '';

describe.skipIf(missing !== '')(`a cluster of Node, Deno and Bun ${missing}`, () => {
  let cluster: ProcessCluster | null = null;
  const clients: Client[] = [];

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await cluster?.dispose();
    cluster = null;
  });
  afterAll(() => {
    known = null;
  });

  function connected(urls: readonly string[]): Client {
    const client = patientClient(urls);
    clients.push(client);
    return client;
  }

  test('each of them leads, is killed and comes back; nothing acknowledged is lost', {
    timeout: 3 * TIMEOUT_MS,
  }, async () => {
    cluster = await ProcessCluster.create(
      3,
      [],
      MIXED.map((n) => quorliteOn(serverRuntime(n))),
    );
    await cluster.start();
    const client = connected(cluster.urls);
    await client.execute('CREATE TABLE written (round INTEGER, n INTEGER, PRIMARY KEY (round, n))');
    const acknowledged: [number, number][] = [];
    async function write(round: number, count: number): Promise<void> {
      for (let n = 1; n <= count; n++) {
        await client.execute('INSERT INTO written VALUES (?, ?)', [round, n]);
        acknowledged.push([round, n]);
      }
    }

    let round = 0;
    for (const node of cluster.nodes) {
      await eventually(async () => {
        if ((await cluster!.leader()) === node) return true;
        await client.cluster.transfer(node.id).catch(() => {});
        return null;
      });
      await write(++round, 20);
      // While writes are on their way: those without an answer are sent again, and happen once.
      const writing = write(++round, 60);
      await node.stop('SIGKILL');
      await writing;
      await write(++round, 20);
      await node.start();
    }

    const rows = await client.queryRaw('SELECT round, n FROM written ORDER BY round, n');
    expect(rows.rows).toEqual(acknowledged);
    const hashes = await Promise.all(
      cluster.urls.map(async (url) => {
        const one = connected([url]);
        await one.queryRaw('SELECT 1', [], { consistency: 'session', minIndex: rows.index });
        return exportHash(one);
      }),
    );
    expect(new Set(hashes).size).toBe(1);

    await cluster.stop('SIGKILL');
    await cluster.start();
    const after = await client.queryRaw('SELECT round, n FROM written ORDER BY round, n');
    expect(after.rows).toEqual(acknowledged);
  });

  test.each(['deno', 'bun'] as const)(
    '%s catches up from a snapshot',
    {
      timeout: TIMEOUT_MS,
    },
    async (name) => {
      const order = ['node', 'node', name] as const;
      cluster = await ProcessCluster.create(
        3,
        [],
        order.map((n) => quorliteOn(serverRuntime(n))),
      );
      await cluster.start();
      const client = connected(cluster.urls.slice(0, 2));
      await client.execute('CREATE TABLE filled (n INTEGER PRIMARY KEY, bytes BLOB)');
      const late = cluster.nodes[2]!;
      await late.stop('SIGKILL');
      late.wipe();
      for (let n = 1; n <= 30; n++) {
        await client.execute('INSERT INTO filled VALUES (?, randomblob(50000))', [n]);
      }
      for (const url of cluster.urls.slice(0, 2)) {
        const one = patientClient(url, { followLeader: false });
        clients.push(one);
        await one.snapshot();
      }
      const { index } = await client.queryRaw('SELECT count(*) FROM filled');
      await late.start();
      const own = connected([late.url]);
      await own.queryRaw('SELECT 1', [], { consistency: 'session', minIndex: index });
      expect(await exportHash(own)).toBe(await exportHash(client));
    },
  );
});
