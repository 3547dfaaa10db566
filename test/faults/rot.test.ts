/** Bytes of a stopped node that changed on its disk: noticed at start, never served (scenarios 7 and 8). */
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type NodeProcess, ProcessCluster, patientClient } from '../kit/process-cluster.ts';

const FAILED = 1;
/** A value that is easy to find in a file. */
const MARK = 'a value that stands in the log once, in clear';

const ROWS = 21;

let cluster: ProcessCluster;

beforeAll(async () => {
  cluster = await ProcessCluster.create(3);
  await cluster.start();
  const client = patientClient(cluster.urls);
  await client.execute('CREATE TABLE t (v TEXT)');
  await client.execute('INSERT INTO t VALUES (?)', [MARK]);
  for (let n = 1; n < ROWS; n++) await client.execute('INSERT INTO t VALUES (?)', [`row ${n}`]);
  await client.close();
}, 120_000);
afterAll(() => cluster?.dispose());

/** Stops a follower with a signal, and returns it. */
async function stoppedFollower(signal: NodeJS.Signals): Promise<NodeProcess> {
  const [node] = await cluster.followers();
  await node!.stop(signal);
  return node!;
}

/** Overwrites one byte where `text` begins in the node's log. */
function spoil(node: NodeProcess, text: string): void {
  const files = readdirSync(node.dataDir).filter((name) => name.endsWith('.seg'));
  for (const file of files) {
    const path = join(node.dataDir, file);
    const at = readFileSync(path).indexOf(text);
    if (at < 0) continue;
    const fd = openSync(path, 'r+');
    writeSync(fd, new Uint8Array([0xff]), 0, 1, at);
    closeSync(fd);
    return;
  }
  throw new Error(`"${text}" is in no segment of node ${node.id}`);
}

async function rowsAt(node: NodeProcess): Promise<number> {
  const client = patientClient(node.url, { followLeader: false });
  const { n } = await client.queryOne<{ n: number }>('SELECT count(*) AS n FROM t');
  await client.close();
  return n;
}

test('rot in the middle of the log: refused, with what to do about it, which then helps', async () => {
  const node = await stoppedFollower('SIGTERM');
  spoil(node, MARK);
  node.launch();
  expect(await node.ended).toBe(FAILED);
  expect(node.output).toMatch(/error CORRUPT: .*\.seg/);
  expect(node.output).toMatch(/it rejoins as a new replica and is filled by its peers/);
  expect(node.output).not.toMatch(/^ready/m);
  node.wipe();
  await node.start();
  expect(await rowsAt(node)).toBe(ROWS);
}, 120_000);

test('a newest write that is torn is dropped, and the node goes on', async () => {
  const node = await stoppedFollower('SIGKILL');
  spoil(node, `row ${ROWS - 1}`);
  node.launch();
  // The last batch may or may not be claimed as synced by a record behind it: both are named, neither is served.
  const [said] = await node.says(/unfinished write at the end of the log was cut off|CORRUPT/);
  if (said === 'CORRUPT') {
    expect(await node.ended).toBe(FAILED);
    node.wipe();
    node.launch();
  }
  expect(await rowsAt(node)).toBe(ROWS);
}, 120_000);
