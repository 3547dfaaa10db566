/** Aborts of reads that run for long inside a node of this process, in real time: slices of reads depend on the clock. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunningNode } from '../../src/runtime/node/running-node.ts';
import { startNode } from '../../src/runtime/node/start-node.ts';
import { expectCode } from '../conformance/client-support.ts';

/** Gives a row every few milliseconds, for hours. */
const SLOW_ROWS =
  'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x FROM c WHERE x % 50000 = 0';

let node: RunningNode;

beforeAll(async () => {
  node = await startNode({ storage: 'memory', log: 'silent' });
  await node.client.ready();
});
afterAll(() => node.shutdown());

function openStreams(): number {
  return node.service.metrics().find(({ name }) => name === 'quorlite_streams_open')!.value;
}

test('a stream that waits for its next rows ends, and so does its read', async () => {
  const controller = new AbortController();
  const rows = node.client.stream(SLOW_ROWS, [], controller)[Symbol.asyncIterator]();
  const next = rows.next();
  while (openStreams() === 0) await new Promise(setImmediate);
  controller.abort();
  await expectCode(next, 'ABORTED');
  expect(openStreams()).toBe(0);
});

test('a query that runs in slices ends', async () => {
  const controller = new AbortController();
  const query = node.client.query(SLOW_ROWS, [], controller);
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
  controller.abort();
  await expectCode(query, 'ABORTED');
});
