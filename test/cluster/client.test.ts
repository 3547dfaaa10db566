/** The client suite over real sockets: remote clients of three processes, and clients inside of three nodes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '../../src/runtime/node/connect.ts';
import type { RunningNode } from '../../src/runtime/node/running-node.ts';
import { startNode } from '../../src/runtime/node/start-node.ts';
import { type ClientUnderTest, testClient } from '../conformance/client.ts';
import { engineUnderTest } from '../kit/engine.ts';
import { freePorts, ProcessCluster } from '../kit/process-cluster.ts';

const TOKEN = 'the API secret of this suite';
const RAFT_SECRET = 'the Raft secret of this suite';

async function remote(): Promise<ClientUnderTest> {
  const args = ['--secret-api', TOKEN, '--secret-raft', RAFT_SECRET];
  const cluster = await ProcessCluster.create(3, args);
  await cluster.start();
  const client = connect(cluster.urls, { token: TOKEN });
  // The other one stays with a node that need not lead.
  const secondClient = connect(cluster.urls[2]!, { token: TOKEN, followLeader: false });
  return {
    client,
    secondClient,
    async close() {
      await Promise.all([client.close(), secondClient.close()]);
      await cluster.dispose();
    },
  };
}

async function embedded(): Promise<ClientUnderTest> {
  const directory = mkdtempSync(join(tmpdir(), 'quorlite-embedded-'));
  const ports = await freePorts(3);
  const nodes = Object.fromEntries(ports.map((port, i) => [i + 1, `http://127.0.0.1:${port}`]));
  const started: RunningNode[] = await Promise.all(
    [1, 2, 3].map((id) => {
      const dataDir = join(directory, String(id));
      const engine = engineUnderTest();
      return startNode({ id, nodes, dataDir, engine, secretRaft: RAFT_SECRET, log: 'silent' });
    }),
  );
  const [one, two] = started;
  await one!.client.ready();
  return {
    client: one!.client,
    secondClient: two!.client,
    async close() {
      await Promise.all(started.map((node) => node.shutdown()));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

testClient('remote, three processes', remote);
testClient('embedded, three nodes of one process', embedded);
