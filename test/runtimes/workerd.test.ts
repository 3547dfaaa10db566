/** A database in one Durable Object, on plain workerd with its storage on disk. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { startNode } from '../../src/runtime/node/start-node.ts';
import { loadSqliteEngine } from '../../wasm/load/node.ts';
import { patientClient } from '../kit/process-cluster.ts';
import { BUNDLE_FILES, MISSING_WORKERD, WorkerdProcess } from './workerd-kit.ts';

const SECONDS = 1000;
const BUNDLE_BYTES_MAX = 1_000_000;

describe.skipIf(MISSING_WORKERD !== '')(`workerd ${MISSING_WORKERD}`, () => {
  const made: WorkerdProcess[] = [];
  afterEach(async () => {
    for (const it of made.splice(0)) await it.destroy();
  });

  async function workerd(
    ...args: Parameters<typeof WorkerdProcess.create>
  ): Promise<WorkerdProcess> {
    const it = await WorkerdProcess.create(...args);
    made.push(it);
    return it;
  }

  test('a write that was answered is there after kill -9', { timeout: 120 * SECONDS }, async () => {
    const it = await workerd();
    await it.start();
    await it.post('/v1/execute', { sql: 'CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)' });
    let acknowledged = 0;
    for (let round = 1; round <= 3; round++) {
      const writing = (async () => {
        for (;;) {
          const value = String(acknowledged + 1);
          const sql = 'INSERT INTO t VALUES (?, ?)';
          const answer = await it
            .post('/v1/execute', { sql, params: [acknowledged + 1, value] })
            .catch(() => null);
          if (answer === null) return;
          // The row of a write whose answer was lost is there already: that is the one taken up.
          expect([200, 409]).toContain(answer.status);
          acknowledged++;
          if (acknowledged >= round * 60) void it.kill();
        }
      })();
      await writing;
      await it.kill();
      await it.start();
      const { rows } = await it.post('/v1/query', { sql: 'SELECT id FROM t ORDER BY id' });
      const ids = rows!.map(([id]) => id);
      expect(ids).toEqual(Array.from(ids, (_, i) => i + 1));
      expect(ids.length).toBeGreaterThanOrEqual(acknowledged);
      expect(ids.length).toBeLessThanOrEqual(acknowledged + 1);
    }
  });

  test('the same commands give the same bytes as on Node', { timeout: 90 * SECONDS }, async () => {
    const it = await workerd();
    await it.start();
    const node = await startNode({ storage: 'memory', log: 'silent' });
    try {
      const remote = patientClient(it.url);
      for (const client of [remote, node.client]) {
        await client.batch(
          'CREATE TABLE t (id INTEGER PRIMARY KEY, n, s TEXT); CREATE VIRTUAL TABLE f USING fts5(s);',
        );
        for (let i = 0; i < 40; i++) {
          const text = `row ${i} ${'é'.repeat(i * 20)}`;
          await client.execute('INSERT INTO t (n, s) VALUES (? * 1.25, ?)', [i, text]);
          await client.execute('INSERT INTO f VALUES (?)', [text]);
        }
        await client.execute('DELETE FROM t WHERE id % 3 = 0');
      }
      expect(await remote.query('SELECT * FROM t')).toEqual(
        await node.client.query('SELECT * FROM t'),
      );
      await remote.close();
      const there = new Uint8Array(await (await it.get('/v1/export')).arrayBuffer());
      const file = node.service.openExport();
      const here = readAll(file);
      file.close();
      expect(sha256(there)).toBe(sha256(here));
      const about = (await (await it.get('/v1/version')).json()) as { engine: string };
      expect(about.engine.endsWith(loadSqliteEngine().id.hash)).toBe(true);
    } finally {
      await node.shutdown();
    }
  });

  test('a database ten times its page cache', { timeout: 120 * SECONDS }, async () => {
    const it = await workerd(() => ({
      QUORLITE_LIMITS: 'pageCacheBytes=512KiB',
      QUORLITE_CHECKPOINT: 'bytes=512KiB',
    }));
    await it.start();
    await it.post('/v1/execute', { sql: 'CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB)' });
    const sql = 'INSERT INTO t (b) VALUES (zeroblob(3000) || hex(?))';
    for (let i = 0; i < 20; i++) {
      const many = Array.from({ length: 80 }, (_, k) => [`row ${i} ${k}`]);
      const { status } = await it.post('/v1/txn', { statements: [{ sql, many }] });
      expect(status).toBe(200);
    }
    const look = async (): Promise<readonly unknown[]> => {
      const query = 'SELECT count(*), sum(length(b)), max(id) FROM t';
      const answer = await it.post('/v1/query', { sql: query });
      expect(answer).toMatchObject({ status: 200 });
      return answer.rows![0]!;
    };
    const before = await look();
    expect(before[0]).toBe(1600);
    const check = await it.post('/v1/query', { sql: 'PRAGMA integrity_check' });
    expect(check).toMatchObject({ status: 200, rows: [['ok']] });
    await it.kill();
    await it.start();
    expect(await look()).toEqual(before);
  });

  test('a read without end is ended, and others are served', {
    timeout: 90 * SECONDS,
  }, async () => {
    const it = await workerd(() => ({ QUORLITE_LIMITS: 'readDeadlineMs=300' }));
    await it.start();
    const endless = it.post('/v1/query', {
      sql: 'WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c) SELECT sum(x) FROM c',
    });
    const other = await it.post('/v1/query', { sql: 'SELECT 1' });
    expect(other.rows).toEqual([[1]]);
    expect(await endless).toMatchObject({ status: 408, code: 'SQL_TIMEOUT' });
  });

  test('numbers of other nodes lead nowhere', { timeout: 60 * SECONDS }, async () => {
    const it = await workerd();
    await it.start();
    expect((await it.get('/nodes/2/livez')).status).toBe(404);
    expect((await it.get('/nodes/1/livez')).status).toBe(200);
  });

  test('who is public needs secrets', { timeout: 60 * SECONDS }, async () => {
    const it = await workerd(() => ({
      QUORLITE_NODES: '1=https://db.example.com/nodes/1',
    }));
    await expect(Promise.race([it.start(), untilSaid(it)])).resolves.toBeUndefined();
    const answer = (await (await it.get('/livez')).json()) as { code: string; detail: string };
    expect(answer.code).toBe('CONFIG_INVALID');
    expect(answer.detail).toContain('QUORLITE_SECRET_API');
  });

  test('the bundle is under a megabyte, engine included', { timeout: 60 * SECONDS }, async () => {
    const { folder } = await workerd();
    const sizes = BUNDLE_FILES.map((name) => gzipSync(readFileSync(join(folder, name))).length);
    expect(sizes.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(BUNDLE_BYTES_MAX);
  });
});

/** Resolves as soon as the Worker answers anything at all. */
async function untilSaid(it: WorkerdProcess): Promise<void> {
  for (;;) {
    const answered = await it.get('/livez').then(
      () => true,
      () => false,
    );
    if (answered) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function readAll(file: { read(maxBytes: number): Uint8Array | null }): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let part = file.read(65_536); part !== null; part = file.read(65_536)) {
    parts.push(part.slice());
  }
  return Buffer.concat(parts);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
