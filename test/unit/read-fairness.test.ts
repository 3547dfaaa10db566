/** Many long reads sent at once over one connection: they run a few at a time, and others are served meanwhile. */
import { connect as connectSocket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/config/limits.ts';
import { connect } from '../../src/runtime/node/connect.ts';
import type { RunningNode } from '../../src/runtime/node/running-node.ts';
import { startNode } from '../../src/runtime/node/start-node.ts';

/** Takes several slices and gives few rows. */
const LONG =
  'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 400000) SELECT x FROM c WHERE x % 20000 = 0';
const READS = 12;

let node: RunningNode;

beforeAll(async () => {
  node = await startNode({ listen: '127.0.0.1:0', storage: 'memory', log: 'silent' });
  await node.client.ready();
});
afterAll(() => node.shutdown());

function metric(name: string): number {
  return node.service.metrics().find((one) => one.name === `quorlite_${name}`)!.value;
}

/** Reads of another client, one after the other, until `isDone`; gives how many, and the most long ones that ran. */
async function readBeside(isDone: () => boolean): Promise<{ short: number; running: number }> {
  const other = connect(node.url);
  let short = 0;
  let running = 0;
  while (!isDone()) {
    await other.queryOne('SELECT 1 AS one', [], { consistency: 'stale' });
    short++;
    running = Math.max(running, metric('reads_running'));
  }
  await other.close();
  return { short, running };
}

function expectFair({
  short,
  running,
}: {
  readonly short: number;
  readonly running: number;
}): void {
  expect(running).toBeGreaterThan(0);
  expect(running).toBeLessThanOrEqual(DEFAULT_LIMITS.maxClientReads);
  expect(short).toBeGreaterThan(READS);
  expect([metric('reads_running'), metric('reads_queued')]).toEqual([0, 0]);
}

test('over the client protocol', async () => {
  const greedy = connect(node.url, { timeoutMs: 60_000 });
  await greedy.ready();
  let done = false;
  const reads = Array.from({ length: READS }, () =>
    greedy.query(LONG, [], { consistency: 'stale' }),
  );
  const all = Promise.all(reads).finally(() => {
    done = true;
  });
  const beside = await readBeside(() => done);
  for (const rows of await all) expect(rows).toHaveLength(20);
  await greedy.close();
  expectFair(beside);
}, 60_000);

test('pipelined over HTTP', async () => {
  const { hostname, port } = new URL(node.url);
  const body = JSON.stringify({ sql: LONG, consistency: 'stale', timeoutMs: 60_000 });
  const head = `POST /v1/query HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
  const socket = connectSocket(Number(port), hostname);
  let answers = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    answers += text;
  });
  socket.write(`${head}${body}`.repeat(READS));
  const count = (): number => answers.split('HTTP/1.1 200 ').length - 1;
  const beside = await readBeside(() => count() === READS && answers.endsWith('}'));
  socket.destroy();
  expectFair(beside);
}, 60_000);
