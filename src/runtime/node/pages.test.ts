/** A real node on a real disk whose database is larger than its page memory. */
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PAGE_SIZE } from '../../../wasm/page-store.ts';
import type { Client } from '../../client/contract.ts';
import type { RunningNode } from './running-node.ts';
import { startNode } from './start-node.ts';

const CACHE_PAGES = 64;
const ROWS = 20 * CACHE_PAGES;

let dataDir = '';
let node: RunningNode | null = null;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'quorlite-pages-'));
});
afterEach(async () => {
  await node?.shutdown();
  node = null;
  rmSync(dataDir, { recursive: true });
});

async function start(pageCacheBytes = CACHE_PAGES * PAGE_SIZE): Promise<Client> {
  node = await startNode({ dataDir, log: 'error', limits: { pageCacheBytes } });
  return node.client;
}

function metric(name: string): number {
  const found = node!.service.metrics().find((one) => one.name === `quorlite_${name}`);
  return found?.value ?? Number.NaN;
}

function checkpoint(): Promise<void> {
  return new Promise((resolve, reject) => {
    node!.service.checkpoint((error) => (error ? reject(error) : resolve()));
  });
}

async function fill(db: Client): Promise<void> {
  await db.execute('CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)');
  for (let first = 1; first <= ROWS; first += 128) {
    const many = Array.from({ length: 128 }, (_, i) => [first + i, 'x'.repeat(1900)]);
    await db.txn([{ sql: 'INSERT INTO t VALUES (?, ?)', many }]);
  }
}

describe('a database ten times the page memory', () => {
  test('serves, is checkpointed, and comes back; its scratch ends with it', async () => {
    const db = await start();
    await fill(db);
    const scratch = join(dataDir, 'pages.scratch');
    expect(metric('pages')).toBeGreaterThanOrEqual(10 * CACHE_PAGES);
    expect(statSync(scratch).size).toBeGreaterThan(0);
    await checkpoint();
    expect(metric('page_scratch_bytes')).toBe(0);
    expect(statSync(scratch).size).toBe(0);
    await db.execute("UPDATE t SET v = v || 'y' WHERE id % 10 = 0");
    const sums = 'SELECT count(*) AS rows, sum(length(v)) AS bytes FROM t';
    const expected = await db.query(sums);
    expect(expected).toEqual([{ rows: ROWS, bytes: ROWS * 1900 + ROWS / 10 }]);
    const { hash } = node!.service.databaseHash();
    await node!.shutdown();
    expect(existsSync(scratch)).toBe(false);
    const again = await start();
    expect(await again.query(sums)).toEqual(expected);
    expect(node!.service.databaseHash().hash).toBe(hash);
    expect(await again.query('PRAGMA integrity_check')).toEqual([{ integrity_check: 'ok' }]);
    expect(metric('page_cache_bytes')).toBeLessThanOrEqual(CACHE_PAGES * PAGE_SIZE);
  });

  test('is opened with all pages in memory, and back, whatever it was written with', async () => {
    await fill(await start());
    await checkpoint();
    await node!.shutdown();
    const inMemory = await start(0);
    expect(existsSync(join(dataDir, 'pages.scratch'))).toBe(false);
    expect(Number.isNaN(metric('page_cache_bytes'))).toBe(true);
    await inMemory.execute('DELETE FROM t WHERE id > 100');
    await node!.shutdown();
    const db = await start();
    expect(await db.query('SELECT count(*) AS rows FROM t')).toEqual([{ rows: 100 }]);
  });
});
