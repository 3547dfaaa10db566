/** `cluster recover` that is cut off half way, and one that cuts the log. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openSurvivor, type Survivor } from '../../src/node/survivor.ts';
import { timing } from '../../src/node/timing.ts';
import { resolveNodeConfig } from '../../src/runtime/node/config.ts';
import { openSurvivorFolder } from '../../src/runtime/node/open-survivor.ts';
import { createNodePlatform } from '../../src/runtime/node/platform.ts';
import { startNode } from '../../src/runtime/node/start-node.ts';
import { openStorage } from '../../src/runtime/node/storage.ts';
import { silentLogger } from '../../src/telemetry/logger.ts';
import { loadSqliteEngine } from '../../wasm/load/node.ts';

let dataDir = '';
let clusterId = '';
let lastIndex = 0;

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'quorlite-survivor-'));
  const node = await startNode({ dataDir, log: 'silent' });
  await node.client.execute('CREATE TABLE t (n INTEGER PRIMARY KEY)');
  await node.client.snapshot();
  for (let n = 1; n <= 5; n++) {
    lastIndex = (await node.client.execute('INSERT INTO t VALUES (?)', [n])).index;
  }
  clusterId = (await node.client.status()).clusterId;
  await node.shutdown();
});
afterEach(() => rmSync(dataDir, { recursive: true }));

const DOWN = 'the machine went down';
let armed = '';

/** The same store; the machine goes down when the armed step is done. */
function fragile<T extends object>(store: T): T {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        if (name !== armed) return value.apply(target, args);
        const done = args.at(-1);
        if (typeof done !== 'function') {
          value.apply(target, args);
          throw new Error(DOWN);
        }
        return value.apply(target, [...args.slice(0, -1), () => done(new Error(DOWN))]);
      };
    },
  });
}

/** The folder, whose storage fails at one step of the recovery as a crash would end it there. */
async function failing(step: string): Promise<Survivor> {
  const resolved = resolveNodeConfig({ dataDir });
  const platform = createNodePlatform();
  const storage = openStorage(resolved, platform);
  const survivor = await openSurvivor({
    node: 1,
    url: '',
    before: null,
    platform,
    storage: {
      ...storage,
      identity: fragile(storage.identity),
      log: fragile(storage.log),
      snapshots: fragile(storage.snapshots),
    },
    engine: loadSqliteEngine(),
    limits: resolved.limits,
    timing: timing(resolved),
    logger: silentLogger,
  });
  armed = step;
  return {
    ...survivor,
    close: async () => {
      armed = '';
      await survivor.close();
      storage.close();
    },
  };
}

async function recoverAndRead(
  before: number | null = null,
): Promise<{ id: string; rows: unknown }> {
  const survivor = await openSurvivorFolder(resolveNodeConfig({ dataDir }), before);
  const id = await survivor.restart();
  await survivor.close();
  const node = await startNode({ dataDir, log: 'silent' });
  await node.client.execute('INSERT INTO t VALUES (100)');
  const rows = (await node.client.query<{ n: number }>('SELECT n FROM t')).map(({ n }) => n);
  expect((await node.client.status()).clusterId).toBe(id);
  await node.shutdown();
  return { id, rows };
}

// What fails after one step is what fails before the next.
test.each(['save', 'append', 'write', 'reset'])(
  'a crash after %s: done again, it works',
  async (step) => {
    const survivor = await failing(step);
    await expect(survivor.restart()).rejects.toThrow(DOWN);
    await survivor.close();
    const { id, rows } = await recoverAndRead();
    expect(id).not.toBe(clusterId);
    expect(rows).toEqual([1, 2, 3, 4, 5, 100]);
  },
);

test('reading changes nothing: the node goes on as it was', async () => {
  const survivor = await openSurvivorFolder(resolveNodeConfig({ dataDir }), null);
  expect(survivor.report).toMatchObject({
    node: 1,
    clusterId,
    keptIndex: survivor.report.lastIndex,
  });
  await survivor.close();
  const node = await startNode({ dataDir, log: 'silent' });
  expect(await node.client.queryOne('SELECT count(*) AS n FROM t')).toEqual({ n: 5 });
  expect((await node.client.status()).clusterId).toBe(clusterId);
  await node.shutdown();
});

test('--before cuts the log; the checkpoint cannot be cut', async () => {
  const config = resolveNodeConfig({ dataDir });
  await expect(openSurvivorFolder(config, 2)).rejects.toThrow('the checkpoint already holds index');
  await expect(
    openSurvivorFolder(resolveNodeConfig({ dataDir, id: 2, nodes: { 2: 'http://a:1' } }), null),
  ).rejects.toThrow('belongs to node 1');
  const { rows } = await recoverAndRead(lastIndex);
  expect(rows).toEqual([1, 2, 3, 4, 100]);
});
