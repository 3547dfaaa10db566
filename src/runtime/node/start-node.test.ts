import { mkdirSync, mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { RunningNode } from './running-node.ts';
import { startNode } from './start-node.ts';

let dataDir = '';
const nodes: RunningNode[] = [];

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'quorlite-stopped-'));
});

afterEach(async () => {
  for (const node of nodes.splice(0)) await node.shutdown().catch(() => {});
  rmSync(dataDir, { recursive: true });
});

async function start(): Promise<RunningNode> {
  const node = await startNode({ dataDir, log: 'silent' });
  nodes.push(node);
  return node;
}

/** Makes the next write of the identity fail. */
function breakIdentity(): void {
  mkdirSync(join(dataDir, 'identity.tmp'));
}

describe('stopped', () => {
  test('settles with null after a shutdown', async () => {
    const node = await start();
    await node.client.execute('CREATE TABLE t (x)');
    let settled: unknown = 'open';
    void node.stopped.then((failure) => {
      settled = failure;
    });
    await node.client.execute('INSERT INTO t VALUES (1)');
    expect(settled).toBe('open');
    await node.shutdown();
    expect(await node.stopped).toBeNull();
  });

  test('settles with the reason when the storage fails; what was acknowledged is there after a restart', async () => {
    const node = await start();
    await node.client.execute('CREATE TABLE t (x)');
    await node.client.execute('INSERT INTO t VALUES (1)');
    breakIdentity();
    // The identity is written after each checkpoint.
    node.service.checkpoint(() => {});
    const failure = await node.stopped;
    expect(failure).toMatchObject({ code: 'STORAGE_FAILED' });
    expect(failure?.message).toContain('identity');
    expect(failure?.cause).toBeInstanceOf(Error);
    expect(node.service.live().ok).toBe(false);
    const refused = node.client.execute('INSERT INTO t VALUES (2)', [], { timeoutMs: 5000 });
    await expect(refused).rejects.toMatchObject({ code: 'STORAGE_FAILED' });

    await node.shutdown().catch(() => {});
    expect(await node.stopped).toBe(failure);
    rmdirSync(join(dataDir, 'identity.tmp'));
    const again = await start();
    expect(await again.client.query('SELECT x FROM t')).toEqual([{ x: 1 }]);
  });

  test('whoever asks late hears at once', async () => {
    const node = await start();
    await node.client.execute('CREATE TABLE t (x)');
    breakIdentity();
    node.service.checkpoint(() => {});
    await node.stopped;
    const heard: string[] = [];
    node.service.whenFailed?.((error) => heard.push(error.code));
    const withdraw = node.service.whenFailed?.((error) => heard.push(error.code));
    withdraw?.();
    expect(heard).toEqual(['STORAGE_FAILED', 'STORAGE_FAILED']);
  });
});
