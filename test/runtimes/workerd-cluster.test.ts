/** Clusters whose members are Durable Objects: two Nodes and an object, and three objects. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { Client } from '../../src/client/contract.ts';
import type { ClusterStatus } from '../../src/node/contract.ts';
import { startNode } from '../../src/runtime/node/start-node.ts';
import { eventually, freePorts, patientClient } from '../kit/process-cluster.ts';
import { MISSING_WORKERD, WorkerdProcess } from './workerd-kit.ts';

const SECONDS = 1000;
const SECRET_RAFT = 'secret-of-the-nodes-1';
const SECRET_API = 'secret-of-the-clients';

describe.skipIf(MISSING_WORKERD !== '')(`clusters with workerd ${MISSING_WORKERD}`, () => {
  const undo: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const step of undo.splice(0).reverse()) await step();
  });

  function clientOf(url: string): Client {
    const client = patientClient(url, { token: SECRET_API });
    undo.push(() => client.close());
    return client;
  }

  test('two Nodes and an object, through losses', { timeout: 150 * SECONDS }, async () => {
    const ports = await freePorts(2);
    let nodes: { [id: number]: string } = {};
    const object = await WorkerdProcess.create((url) => {
      nodes = {
        1: `http://127.0.0.1:${ports[0]}`,
        2: `http://127.0.0.1:${ports[1]}`,
        3: `${url}/nodes/3`,
      };
      return variablesOf(nodes);
    });
    undo.push(() => object.destroy());
    const folder = mkdtempSync(join(tmpdir(), 'quorlite-mixed-'));
    undo.push(async () => rmSync(folder, { recursive: true }));
    const start = async (id: number): Promise<Awaited<ReturnType<typeof startNode>>> => {
      const node = await startNode({
        id,
        nodes,
        dataDir: join(folder, String(id)),
        secretRaft: SECRET_RAFT,
        secretApi: SECRET_API,
        log: 'silent',
      });
      undo.push(() => node.shutdown().catch(() => {}));
      return node;
    };
    await object.start();
    const first = await start(1);
    const second = await start(2);
    const edge = clientOf(`${object.url}/nodes/3`);
    await edge.execute('CREATE TABLE t (id INTEGER PRIMARY KEY, v REAL DEFAULT (random()))');
    for (let i = 0; i < 20; i++) await edge.execute('INSERT INTO t DEFAULT VALUES');
    expect(await first.client.queryOne('SELECT count(*) AS n FROM t')).toEqual({ n: 20 });

    // Without the object the Nodes go on; it catches up when it is back.
    await object.kill();
    for (let i = 0; i < 20; i++) await first.client.execute('INSERT INTO t DEFAULT VALUES');
    await object.start();
    expect(await edge.queryOne('SELECT count(*) AS n FROM t')).toEqual({ n: 40 });

    // Without a Node the object is half of the quorum; it may lead.
    await first.shutdown();
    for (let i = 0; i < 20; i++) await edge.execute('INSERT INTO t DEFAULT VALUES');
    expect(await second.client.queryOne('SELECT count(*) AS n FROM t')).toEqual({ n: 60 });
    await second.client.execute('DELETE FROM t WHERE id % 7 = 0');
    await start(1);
    expect(await exported(nodes[3]!)).toBe(await exported(nodes[2]!));
    expect(await exported(nodes[1]!)).toBe(await exported(nodes[2]!));
  });

  test('an object leads Nodes', { timeout: 120 * SECONDS }, async () => {
    const [port] = await freePorts(1);
    let nodes: { [id: number]: string } = {};
    const objects = await WorkerdProcess.create((url) => {
      nodes = { 1: `${url}/nodes/1`, 2: `${url}/nodes/2`, 3: `http://127.0.0.1:${port}` };
      return variablesOf(nodes);
    });
    undo.push(() => objects.destroy());
    await objects.start();
    const folder = mkdtempSync(join(tmpdir(), 'quorlite-mixed-'));
    undo.push(async () => rmSync(folder, { recursive: true }));
    const node = await startNode({
      id: 3,
      nodes,
      dataDir: folder,
      secretRaft: SECRET_RAFT,
      secretApi: SECRET_API,
      log: 'silent',
    });
    undo.push(() => node.shutdown().catch(() => {}));
    await node.client.ready();
    await node.client.execute('CREATE TABLE t (id INTEGER PRIMARY KEY)');
    await eventually(async () => {
      const status = await transfer(nodes[3]!, 2);
      return status.leader === 2;
    });
    for (let i = 0; i < 10; i++) await node.client.execute('INSERT INTO t DEFAULT VALUES');
    expect(await clientOf(nodes[2]!).queryOne('SELECT count(*) AS n FROM t')).toEqual({ n: 10 });
    expect(await exported(nodes[2]!)).toBe(await exported(nodes[3]!));
  });

  test('three objects, all killed at once', { timeout: 120 * SECONDS }, async () => {
    let urls: string[] = [];
    const objects = await WorkerdProcess.create((url) => {
      urls = [1, 2, 3].map((id) => `${url}/nodes/${id}`);
      return variablesOf({ 1: urls[0]!, 2: urls[1]!, 3: urls[2]! });
    });
    undo.push(() => objects.destroy());
    await objects.start();
    const before = patientClient(objects.url, { token: SECRET_API });
    await before.execute('CREATE TABLE t (id INTEGER PRIMARY KEY)');
    for (let i = 0; i < 30; i++) await before.execute('INSERT INTO t DEFAULT VALUES');
    await before.close();
    await objects.kill();
    await objects.start();
    const after = clientOf(urls[2]!);
    expect(await after.queryOne('SELECT count(*) AS n FROM t')).toEqual({ n: 30 });
    const files = await Promise.all(urls.map((url) => exported(url)));
    expect(new Set(files).size).toBe(1);
  });
});

function variablesOf(nodes: { readonly [id: number]: string }): {
  readonly [name: string]: string;
} {
  return {
    QUORLITE_NODES: Object.entries(nodes)
      .map(([id, address]) => `${id}=${address}`)
      .join(','),
    QUORLITE_SECRET_RAFT: SECRET_RAFT,
    QUORLITE_SECRET_API: SECRET_API,
  };
}

async function transfer(url: string, to: number): Promise<ClusterStatus> {
  const headers = { authorization: `Bearer ${SECRET_API}`, 'content-type': 'application/json' };
  await fetch(`${url}/v1/cluster/transfer`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ to }),
  });
  return (await (await fetch(`${url}/v1/cluster`, { headers })).json()) as ClusterStatus;
}

/** Hash of a node's database, once it has everything that was committed when this was called. */
async function exported(url: string): Promise<string> {
  const client = patientClient(url, { token: SECRET_API });
  await client.query('SELECT 1', [], { consistency: 'linearizable' });
  await client.close();
  const headers = { authorization: `Bearer ${SECRET_API}` };
  const response = await fetch(`${url}/v1/export`, { headers });
  expect(response.status).toBe(200);
  return createHash('sha256')
    .update(new Uint8Array(await response.arrayBuffer()))
    .digest('hex');
}
