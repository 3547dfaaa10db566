/** Limits of a node's connections that an operator sets reach what they bound. */
import { afterEach, expect, test } from 'vitest';
import { streamLimits } from '../../src/api/stream/limits.ts';
import type { Client } from '../../src/client/contract.ts';
import { DEFAULT_LIMITS, NODE_LIMITS } from '../../src/config/limits.ts';
import { connect } from '../../src/runtime/node/connect.ts';
import type { RunningNode } from '../../src/runtime/node/running-node.ts';
import { startNode } from '../../src/runtime/node/start-node.ts';
import { SETTINGS } from '../../src/state-machine/settings.ts';
import { TRANSPORT_LIMITS, transportLimits } from '../../src/transport/limits.ts';
import { expectCode, failure } from '../conformance/client-support.ts';

let node: RunningNode | null = null;
let db: Client | null = null;

async function start(limits: { readonly [name: string]: number }): Promise<Client> {
  node = await startNode({ listen: '127.0.0.1:0', storage: 'memory', log: 'silent', limits });
  db = connect(node.url);
  await db.ready();
  return db;
}

afterEach(async () => {
  await db?.close();
  await node?.shutdown();
});

const NUMBERS = 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c';

test('row streams of one connection', async () => {
  const client = await start({ maxClientStreams: 1 });
  const first = client.stream(NUMBERS)[Symbol.asyncIterator]();
  await first.next();
  const second = client.stream(NUMBERS, [], { timeoutMs: 300 })[Symbol.asyncIterator]();
  await expectCode(second.next(), 'OVERLOADED');
  await first.return?.();
  const third = client.stream(NUMBERS)[Symbol.asyncIterator]();
  expect(await third.next()).toMatchObject({ done: false });
  await third.return?.();
});

test('messages of a client are bounded like bodies', async () => {
  const client = await start({ maxBodyBytes: 4096 });
  const sql = 'SELECT length(?) AS n';
  expect(await client.queryOne(sql, ['x'.repeat(2000)])).toEqual({ n: 2000 });
  expect((await failure(client.query(sql, ['x'.repeat(8000)]))).code).toBe('ENTRY_TOO_LARGE');
});

test('the defaults are those of the rooms, and any entry fits into a frame', () => {
  expect(TRANSPORT_LIMITS).toMatchObject(transportLimits(DEFAULT_LIMITS));
  expect(streamLimits(DEFAULT_LIMITS)).toMatchObject({ streams: 64, requests: 1024 });
  const { maxFrameBytes, maxAppendBytes, maxSnapshotQueueBytes } = NODE_LIMITS;
  expect(maxFrameBytes.min).toBeGreaterThan(SETTINGS.entryBytes.max);
  expect(maxFrameBytes.min).toBeGreaterThan(maxAppendBytes.max);
  expect(maxSnapshotQueueBytes.min).toBeGreaterThan(0);
});
