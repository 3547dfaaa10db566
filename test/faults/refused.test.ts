/** Mistakes of operators: refused at start or at the connection, with what to do about it, and without harm to the others. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Hello } from '../../src/transport/contract.ts';
import {
  eventually,
  freePorts,
  type NodeProcess,
  ProcessCluster,
  patientClient,
} from '../kit/process-cluster.ts';
import { approach, newcomer, type Reception } from '../kit/stranger.ts';

/** Exit code of wrong usage, which a wrong configuration is. */
const USAGE = 2;
/** Exit code of everything else that fails. */
const FAILED = 1;
const RAFT_SECRET = 'the Raft secret of this cluster';

vi.setConfig({ testTimeout: 120_000 });

let cluster: ProcessCluster;
let engine = '';

beforeAll(async () => {
  cluster = await ProcessCluster.create(3, ['--secret-raft', RAFT_SECRET]);
  await cluster.start();
  const version = (await (await fetch(`${cluster.urls[0]}/v1/version`)).json()) as {
    engine: string;
  };
  engine = version.engine;
}, 120_000);
afterAll(() => cluster?.dispose());

/** Runs a node that is to be refused at start. */
async function refusedAtStart(node: NodeProcess, code: number): Promise<string> {
  node.launch();
  expect(await node.ended, node.output).toBe(code);
  expect(node.output).not.toMatch(/^ready/m);
  expect(node.output).not.toMatch(/\n\s+at /);
  return node.output;
}

/** The cluster is none the worse: all three nodes take writes. */
async function expectHealthy(): Promise<void> {
  await cluster.start();
  for (const url of cluster.urls) {
    const client = patientClient(url, { followLeader: false });
    await client.execute('CREATE TABLE IF NOT EXISTS t (n)');
    await client.close();
  }
}

describe('at start', () => {
  test('a second process on a folder that is in use (scenario 20)', async () => {
    const [port] = await freePorts(1);
    const { id, dataDir, pid } = cluster.nodes[1]!;
    const url = `http://127.0.0.1:${port}`;
    const args = ['--data-dir', dataDir, '--listen', `127.0.0.1:${port}`];
    const twin = cluster.guest(id, url, dataDir, args);
    const output = await refusedAtStart(twin, USAGE);
    expect(output).toContain(`in use by another node (process ${pid})`);
    expect(output).toContain('dataDir');
    await expectHealthy();
  });

  test('a data folder that cannot be', async () => {
    const file = join(cluster.directory, 'file');
    writeFileSync(file, '');
    const args = ['--data-dir', join(file, 'data'), '--listen', '127.0.0.1:0'];
    const output = await refusedAtStart(cluster.guest(1, '', '', args), FAILED);
    expect(output).toMatch(/STORAGE_FAILED: the data folder cannot be used: .*ENOTDIR/);
    expect(output).toMatch(/correct dataDir/);
  });

  test('a second process on a port that is in use', async () => {
    const { id, url, dataDir } = cluster.nodes[1]!;
    const args = ['--data-dir', `${dataDir}-twin`, '--listen', new URL(url).host];
    const output = await refusedAtStart(cluster.guest(id, url, dataDir, args), USAGE);
    expect(output).toMatch(/is in use: stop the process that has it, or set listen/);
    await expectHealthy();
  });

  test('a folder under another id', async () => {
    const two = cluster.nodes[1]!;
    await two.stop();
    const args = ['--id', '3', '--nodes', cluster.nodesFlag, '--data-dir', two.dataDir];
    const listen = ['--listen', new URL(two.url).host, '--secret-raft', RAFT_SECRET];
    const changed = cluster.guest(3, two.url, two.dataDir, [...args, ...listen]);
    const output = await refusedAtStart(changed, USAGE);
    expect(output).toContain('this data folder belongs to node 2');
    expect(output).toContain('start with --id 2');
    await expectHealthy();
  });

  test('a mistyped key', async () => {
    const file = join(cluster.directory, 'mistyped.toml');
    writeFileSync(file, 'id = 1\ndataDri = "data"\n');
    const output = await refusedAtStart(
      cluster.guest(1, '', '', ['--config', file, '--listen', '127.0.0.1:0']),
      USAGE,
    );
    expect(output).toMatch(/unknown key "dataDri" in .*mistyped\.toml:2; did you mean dataDir\?/);
  });

  test('other interfaces without secrets', async () => {
    const output = await refusedAtStart(
      cluster.guest(1, '', '', ['--listen', '0.0.0.0:0', '--secret-raft', RAFT_SECRET]),
      USAGE,
    );
    expect(output).toMatch(/secretApi/);
    expect(output).toMatch(/listen on 127\.0\.0\.1|loopback/);
  });
});

describe('at the connection', () => {
  /** Knocks at node 1 and tells what came of it; node 1's log must say the same. */
  async function knock(hello: Hello, secret: string | null = RAFT_SECRET): Promise<Reception> {
    const [one] = cluster.nodes;
    const stranger = approach(one!.url, 1, hello, secret);
    try {
      const reception = await stranger.reception;
      if (reception.refused !== null) {
        const logged = JSON.stringify(reception.refused).slice(1, -1);
        await eventually(() => one!.output.includes(logged));
      }
      return reception;
    } finally {
      stranger.transport.close();
    }
  }

  test('somebody with the secret and nothing wrong is let in: the cases below differ in one thing each', async () => {
    expect((await knock(newcomer(9, engine))).by?.node).toBe(1);
  });

  test('another secret, or none', async () => {
    for (const secret of ['the Raft secret of another cluster', null]) {
      const { refused } = await knock(newcomer(10, engine), secret);
      expect(refused).toMatch(/the Raft secrets differ: give all nodes the same secretRaft/);
    }
  });

  test('another cluster', async () => {
    const { refused } = await knock({ ...newcomer(11, engine), cluster: 4711, pristine: false });
    expect(refused).toMatch(/another cluster: node 1 belongs to [0-9a-f]{14}, node 11 to/);
    expect(refused).toMatch(/wipe the data folder of the one that is wrong/);
  });

  test('another engine', async () => {
    const { refused } = await knock(newcomer(12, `${engine}0`));
    expect(refused).toMatch(/ENGINE_MISMATCH: node 12 runs .*: run the same release on all nodes/);
  });

  test('another protocol version', async () => {
    const { refused } = await knock({ ...newcomer(13, engine), protocol: [7, 9] });
    expect(refused).toMatch(/another protocol version: .*; upgrade the older one/);
  });

  test('the number of a live replica', async () => {
    const { refused } = await knock(newcomer(2, engine));
    expect(refused).toMatch(/CONFIG_INVALID: number 2 belongs to a live replica/);
  });

  test('a node of another cluster that is configured into this one', async () => {
    const two = cluster.nodes[1]!;
    const other = join(cluster.directory, 'other');
    const founder = cluster.guest(2, two.url, other, ['--data-dir', other, '--id', '2']);
    await two.stop();
    const own = ['--nodes', `2=${two.url}`];
    founder.launch({ args: own });
    await founder.says(/^ready/m);
    await founder.stop();

    const args = ['--nodes', cluster.nodesFlag, '--secret-raft', RAFT_SECRET];
    founder.launch({ args });
    await founder.says(/another cluster: .*wipe the data folder/);
    await founder.stop();
    await expectHealthy();
    const { members } = (await cluster.nodes[0]!.status())!;
    expect(members.map(({ id }) => id)).toEqual([1, 2, 3]);
  });
});
