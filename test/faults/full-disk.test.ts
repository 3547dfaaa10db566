/**
 * A disk that is full: the node stops accepting and says why, nothing acknowledged is lost, and it goes on when there is
 * space again (scenario 6). Once with a limit on the size of files, which every Linux can set on a running process, once
 * with a real, small file system, where one may be mounted.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { QuorliteError } from '../../src/wire/error.ts';
import {
  eventually,
  freePorts,
  type NodeProcess,
  ProcessCluster,
  patientClient,
} from '../kit/process-cluster.ts';

/** Bytes of the value in each row. */
const ROW_BYTES = 64 * 1024;
const FAILED = 1;

let cluster: ProcessCluster | null = null;
const cleanUp: (() => void)[] = [];

afterEach(async () => {
  await cluster?.dispose();
  cluster = null;
  for (const run of cleanUp.splice(0).reverse()) run();
});

/** Whether a command runs here without an error. */
function works(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Writes rows at `url` until the node refuses; returns what was acknowledged and the error. */
async function fill(url: string): Promise<{ acknowledged: number[]; error: QuorliteError }> {
  const client = patientClient(url, { followLeader: false });
  const acknowledged: number[] = [];
  try {
    await client.execute('CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, v BLOB)');
    for (let n = 1; ; n++) {
      const values = [n, new Uint8Array(ROW_BYTES)];
      await client.execute('INSERT INTO t VALUES (?, ?)', values, { timeoutMs: 3000 });
      acknowledged.push(n);
    }
  } catch (error) {
    expect(error).toBeInstanceOf(QuorliteError);
    return { acknowledged, error: error as QuorliteError };
  } finally {
    await client.close();
  }
}

/** Everything acknowledged is there; at most the one write in doubt is there besides. */
async function expectRows(url: string, acknowledged: readonly number[]): Promise<void> {
  const client = patientClient(url, { followLeader: false });
  const rows = await client.query<{ n: number }>('SELECT n FROM t ORDER BY n');
  const present = rows.map(({ n }) => n);
  expect(present.slice(0, acknowledged.length)).toEqual(acknowledged);
  expect(present.length - acknowledged.length).toBeLessThanOrEqual(1);
  await client.execute('INSERT INTO t VALUES (?, ?)', [1_000_000, null]);
  await client.close();
}

/** The node ended by itself, and said that its disk is full and what to do. */
async function expectStopped(node: NodeProcess, error: QuorliteError): Promise<void> {
  expect(await node.ended, node.output).toBe(FAILED);
  expect(node.output).toMatch(/"event":"node has stopped".*(ENOSPC|EFBIG)/);
  // Written and perhaps not: only a node that had not begun may say that nothing happened.
  expect(['unknown', 'not-applied']).toContain(error.outcome);
  expect(error.code).not.toBe('CORRUPT');
}

test.skipIf(!works('prlimit', ['--version']))(
  'no room in the log: one node of three stops, the others go on, and it comes back (needs prlimit)',
  async () => {
    cluster = await ProcessCluster.create(3);
    await cluster.start();
    const [node] = await cluster.followers();
    const others = cluster.nodes.filter((other) => other !== node);
    const client = patientClient(others.map(({ url }) => url));
    await client.execute('CREATE TABLE u (n INTEGER)');

    execFileSync('prlimit', ['--pid', String(node!.pid), `--fsize=${256 * 1024}:`]);
    const { acknowledged, error } = await fill(node!.url);
    await expectStopped(node!, error);
    for (let n = 0; n < 10; n++) await client.execute('INSERT INTO u VALUES (?)', [n]);

    await node!.start();
    await expectRows(node!.url, acknowledged);
    const index = (await client.queryRaw('SELECT 1')).index;
    await eventually(async () => ((await node!.status())?.index ?? 0) >= index);
    await client.close();
  },
  120_000,
);

/** A namespace with a small file system in it, which lives as long as the returned process. */
async function mountSmallDisk(folder: string, megabytes: number): Promise<number> {
  mkdirSync(folder, { recursive: true });
  const script = `mount -t tmpfs -o size=${megabytes}m tmpfs "$0" && echo mounted && exec sleep 600`;
  const holder = spawn('unshare', ['-Urm', 'sh', '-c', script, folder], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  cleanUp.push(() => holder.kill('SIGKILL'));
  await new Promise<void>((resolve, reject) => {
    holder.stdout.once('data', () => resolve());
    holder.once('exit', () => reject(new Error('no namespace could be made')));
  });
  return holder.pid!;
}

test.skipIf(!works('unshare', ['-Urm', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']))(
  'a full file system: a single node stops, and serves again when there is space (needs user namespaces)',
  async () => {
    cluster = await ProcessCluster.create(0);
    const folder = join(cluster.directory, 'disk');
    // Two segments of the log and its spare fit, and not much more.
    const holder = await mountSmallDisk(folder, 40);
    const inside = ['-t', String(holder), '-U', '-m', '--preserve-credentials'];
    const [port] = await freePorts(1);
    const url = `http://127.0.0.1:${port}`;
    const args = ['--data-dir', join(folder, 'data'), '--listen', `127.0.0.1:${port}`];
    const node = cluster.guest(1, url, join(folder, 'data'), args);
    const through = ['nsenter', ...inside];
    await node.start({ through });
    const { acknowledged, error } = await fill(url);
    await expectStopped(node, error);
    expect(acknowledged.length).toBeGreaterThan(10);

    // While the disk is full it says so at start, too, or serves what it has; it never forgets anything.
    execFileSync('nsenter', [...inside, 'mount', '-o', 'remount,size=400m', folder]);
    await node.start({ through });
    await expectRows(url, acknowledged);
  },
  120_000,
);
