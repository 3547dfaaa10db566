import { sha256 } from '@noble/hashes/sha2.js';
import type { Hono } from 'hono';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  createRecorder,
  post,
  type Recorder,
  STATUS,
} from '../../test/support/recorder-service.ts';
import { DEFAULT_LIMITS } from '../config/limits.ts';
import { ByteWriter } from '../wire/bytes.ts';
import { QuorliteError } from '../wire/error.ts';
import { writeOperation } from '../wire/operation.ts';
import { type ApiOptions, createApi, ROUTES } from './app.ts';

let service: Recorder;
let app: Hono;

function create(options: Partial<ApiOptions> = {}): Hono {
  return createApi({ service, about: { version: '1.2.3' }, ...options });
}

beforeEach(() => {
  service = createRecorder();
  app = create();
});

async function problemOf(response: Response | Promise<Response>, status: number, code: string) {
  const settled = await response;
  const body = await settled.json();
  expect(body).toMatchObject({ status, code, outcome: expect.any(String) });
  expect(settled.status).toBe(status);
  expect(settled.headers.get('content-type')).toBe('application/problem+json');
  expect(settled.headers.get('quorlite-served-by')).toBe('1');
  expect(settled.headers.get('quorlite-leader')).toBe('2');
  return body as { detail: string; outcome: string; hint?: string };
}

describe('writes', () => {
  test('execute: operation, answer, headers', async () => {
    const response = await app.request(
      '/v1/execute',
      post({ sql: 'INSERT INTO t VALUES (?, ?)', params: [1, { $int: '9223372036854775807' }] }),
    );
    expect(await response.json()).toEqual({
      rowsAffected: 1,
      lastInsertRowid: 7,
      index: 42,
      history: STATUS.clusterId,
    });
    expect(response.headers.get('quorlite-served-by')).toBe('1');
    expect(response.headers.get('quorlite-leader')).toBe('2');
    expect(service.writes[0]).toMatchObject({
      timeoutMs: DEFAULT_LIMITS.requestTimeoutMs,
      decoded: {
        op: 'execute',
        sql: 'INSERT INTO t VALUES (?, ?)',
        params: [1, 9223372036854775807n],
        slow: false,
      },
    });
  });

  test('RETURNING rows carry every kind of value', async () => {
    service.outcome = {
      ok: true,
      index: 42,
      result: {
        type: 'statement',
        result: {
          rowsAffected: 1,
          lastInsertRowid: 2n ** 60n,
          columns: [{ name: 'a', decltype: 'BLOB' }],
          rows: [[Uint8Array.of(1, 2, 3)], [Infinity], [null], [-0], ['é']],
        },
      },
    };
    const response = await app.request('/v1/execute', post({ sql: 'x' }));
    const text = await response.text();
    expect(text).toContain('"rows":[[{"$blob":"AQID"}],[{"$real":"Infinity"}],[null],[-0],["é"]]');
    expect(text).toContain(`"lastInsertRowid":{"$int":"${2n ** 60n}"}`);
  });

  test('an Idempotency-Key carries the scope of the token and the hash of the operation', async () => {
    const body = { sql: 'DELETE FROM t', params: { ':a': { $blob: 'AQID' } } };
    await app.request('/v1/execute', post(body, { 'idempotency-key': 'k-1' }));
    const out = new ByteWriter();
    const params = { ':a': Uint8Array.of(1, 2, 3) };
    writeOperation(out, { op: 'execute', sql: body.sql, params });
    expect(service.writes[0]?.key).toEqual({
      scope: 'local',
      key: 'k-1',
      hash: sha256(out.view()).slice(0, 16),
    });
  });

  test.each(['', 'x'.repeat(256)])('a bad Idempotency-Key: %j', async (key) => {
    const request = app.request('/v1/execute', post({ sql: 'x' }, { 'idempotency-key': key }));
    await problemOf(request, 400, 'BAD_REQUEST');
    expect(service.writes).toEqual([]);
  });

  test('txn: refs, many, expectations, guard', async () => {
    service.outcome = {
      ok: true,
      index: 9,
      result: { type: 'statements', results: [{ rowsAffected: 2, lastInsertRowid: 1 }] },
    };
    const statements = [
      { sql: 'a', params: { $id: 5 }, expect: { rowsAffected: 1 } },
      { sql: 'b', params: [{ $ref: { statement: 0, column: 'id' } }] },
      { sql: 'c', many: [[1], [2]] },
    ];
    const guard = { index: 3, tables: ['t'] };
    const response = await app.request('/v1/txn', post({ statements, guard, slow: true }));
    expect(await response.json()).toEqual({
      results: [{ rowsAffected: 2, lastInsertRowid: 1 }],
      index: 9,
      history: STATUS.clusterId,
    });
    expect(service.writes[0]?.decoded).toMatchObject({
      op: 'txn',
      slow: true,
      guard,
      statements: [
        { sql: 'a', params: { $id: 5 }, expect: { rowsAffected: 1 } },
        { sql: 'b', params: [{ $ref: { statement: 0, column: 'id', row: 0 } }] },
        { sql: 'c', many: [[1], [2]] },
      ],
    });
  });

  test('batch shows an error per statement', async () => {
    const error = new QuorliteError('SQL_CONSTRAINT', 'UNIQUE', { sqliteCode: 'SQLITE_X' });
    service.outcome = { ok: true, index: 9, result: { type: 'statements', results: [{ error }] } };
    const response = await app.request('/v1/batch', post({ sql: 'a; b', atomic: false }));
    const { results } = await response.json();
    expect(results).toMatchObject([{ error: { code: 'SQL_CONSTRAINT', sqliteCode: 'SQLITE_X' } }]);
    expect(service.writes[0]?.decoded).toMatchObject({ op: 'batch', atomic: false });
  });

  test('migrate and settings', async () => {
    const applied = [{ id: 1, name: 'one' }];
    service.outcome = { ok: true, index: 9, result: { type: 'migrated', applied, current: 1 } };
    const migrations = [{ id: 1, name: 'one', sql: 'x' }];
    const migrated = await app.request('/v1/migrate', post({ migrations }));
    expect(await migrated.json()).toMatchObject({ applied, current: 1, index: 9 });

    const settings = { keys: 99 };
    service.outcome = { ok: true, index: 10, result: { type: 'settings', settings } };
    const patch = { ...post(settings), method: 'PATCH' };
    expect(await (await app.request('/v1/settings', patch)).json()).toMatchObject({ settings });
    expect(service.writes[1]?.decoded).toEqual({ op: 'settings', patch: settings });
    const current = await (await app.request('/v1/settings')).json();
    expect(current).toMatchObject({ settings: { keys: 100_000 }, index: 41 });
  });

  test('a failed write is shown with everything that is known', async () => {
    const error = new QuorliteError('SQL_CONSTRAINT', 'UNIQUE constraint failed: t.id', {
      sqliteCode: 'SQLITE_CONSTRAINT_UNIQUE',
      statement: 1,
      offset: 4,
      leader: 'http://n2',
    });
    service.outcome = { ok: false, index: 5, error };
    const body = await problemOf(app.request('/v1/execute', post({ sql: 'x' })), 409, error.code);
    expect(body).toMatchObject({
      type: 'urn:quorlite:error:sql-constraint',
      title: 'SQL constraint',
      detail: error.message,
      outcome: 'not-applied',
      retryable: false,
      sqliteCode: 'SQLITE_CONSTRAINT_UNIQUE',
      statement: 1,
      offset: 4,
      leader: 'http://n2',
    });
  });

  test('an answer of the wrong kind says that the write was applied', async () => {
    service.outcome = { ok: true, index: 5, result: { type: 'done' } };
    const body = await problemOf(app.request('/v1/execute', post({ sql: 'x' })), 500, 'CORRUPT');
    expect(body.outcome).toBe('applied');
  });

  test('a service that throws leaves the outcome unknown', async () => {
    service.write = () => {
      throw new Error('broken');
    };
    const body = await problemOf(app.request('/v1/execute', post({ sql: 'x' })), 500, 'CORRUPT');
    expect(body.outcome).toBe('unknown');
  });

  test('a caller that hangs up stops the wait', async () => {
    service.outcome = null;
    const caller = new AbortController();
    const response = app.request('/v1/execute', {
      ...post({ sql: 'x' }),
      signal: caller.signal,
    });
    while (service.writes.length === 0) await new Promise((resolve) => setImmediate(resolve));
    caller.abort();
    expect((await problemOf(response, 499, 'ABORTED')).outcome).toBe('unknown');
    expect(service.givenUp).toBe(1);
  });
});

describe('queries', () => {
  const columns = [
    { name: 'id', decltype: 'INTEGER' },
    { name: '__proto__', decltype: null },
  ];

  test('arrays, objects, index, lag, history', async () => {
    service.rows = { columns, rows: [[1, 'a']], index: 12, lagMs: null };
    const arrays = await app.request('/v1/query', post({ sql: 'x' }));
    expect(await arrays.json()).toEqual({
      columns,
      rows: [[1, 'a']],
      lagMs: null,
      index: 12,
      history: STATUS.clusterId,
    });
    const objects = await app.request('/v1/query', post({ sql: 'x', format: 'objects' }));
    expect(await objects.text()).toContain('"rows":[{"id":1,"__proto__":"a"}]');
  });

  test('two columns of one name are refused as objects, not as arrays', async () => {
    const twice = [columns[0]!, columns[0]!];
    service.rows = { columns: twice, rows: [[1, 2]], index: 12, lagMs: 0 };
    expect((await app.request('/v1/query', post({ sql: 'x' }))).status).toBe(200);
    const objects = app.request('/v1/query', post({ sql: 'x', format: 'objects' }));
    expect((await problemOf(objects, 400, 'BAD_REQUEST')).detail).toContain('"id"');
  });

  test.each([
    [{}, 'linearizable'],
    [{ consistency: 'stale' }, 'stale'],
    [{ consistency: { maxLagMs: 5 } }, { maxLagMs: 5 }],
  ])('consistency of %j', async (extra, consistency) => {
    const where = { minIndex: 4, history: 'abc', timeoutMs: 50 };
    await app.request('/v1/query', post({ sql: 'x', ...where, ...extra }));
    expect(service.queries[0]).toMatchObject({ sql: 'x', consistency, ...where });
  });

  test('an error of the node', async () => {
    service.rows = new QuorliteError('SQL_READ_ONLY', 'this statement writes');
    await problemOf(app.request('/v1/query', post({ sql: 'x' })), 400, 'SQL_READ_ONLY');
  });
});

describe('the cluster', () => {
  test('status and changes', async () => {
    expect(await (await app.request('/v1/cluster')).json()).toEqual(STATUS);
    await app.request('/v1/cluster/members', post({ id: 4, url: 'http://n4:4001/' }));
    await app.request('/v1/cluster/members/4/promote', { method: 'POST' });
    await app.request('/v1/cluster/transfer', post({ to: 2 }));
    await app.request('/v1/cluster/transfer', { method: 'POST' });
    await app.request('/v1/cluster/members/4?timeoutMs=5', { method: 'DELETE' });
    expect(service.admins).toEqual([
      { op: 'addMember', id: 4, url: 'http://n4:4001', voter: true },
      { op: 'promote', id: 4 },
      { op: 'transfer', to: 2 },
      { op: 'transfer', to: undefined },
      { op: 'removeMember', id: 4 },
    ]);
  });

  test.each([
    ['/v1/cluster/members/x', 'DELETE'],
    ['/v1/cluster/members/0', 'DELETE'],
    ['/v1/cluster/members/1?timeoutMs=0', 'DELETE'],
    ['/v1/cluster/members/1?timeotMs=5', 'DELETE'],
    ['/v1/cluster/members/1e9/promote', 'POST'],
  ])('%s by %s is refused', async (path, method) => {
    await problemOf(app.request(path, { method }), 400, 'BAD_REQUEST');
    expect(service.admins).toEqual([]);
  });
});

describe('whole databases', () => {
  test('snapshot', async () => {
    const response = await app.request('/v1/snapshot', { method: 'POST' });
    expect(await response.json()).toEqual({ bytes: 8192, index: 40, history: STATUS.clusterId });
  });

  test('export streams chunk by chunk and closes', async () => {
    service.chunks = [Uint8Array.of(1, 2), Uint8Array.of(3)];
    const response = await app.request('/v1/export');
    expect(response.headers.get('content-length')).toBe('3');
    expect(response.headers.get('quorlite-index')).toBe('40');
    expect(service.chunks).toHaveLength(2);
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(Uint8Array.of(1, 2, 3));
    expect(service.exportsClosed).toBe(1);
  });

  test('an export that the caller leaves, one that fails and one of headers only are closed', async () => {
    service.chunks = [Uint8Array.of(1), Uint8Array.of(2)];
    await (await app.request('/v1/export')).body?.cancel();
    expect(service.exportsClosed).toBe(1);
    service.chunks = [new QuorliteError('SNAPSHOT_TOO_OLD', 'held too long')];
    await expect((await app.request('/v1/export')).arrayBuffer()).rejects.toThrow('held too long');
    expect(service.exportsClosed).toBe(2);
    await app.request('/v1/export', { method: 'HEAD' });
    expect(service.exportsClosed).toBe(3);
  });

  test('exports are bounded', async () => {
    app = create({ limits: { ...DEFAULT_LIMITS, maxOpenStreams: 1 } });
    service.chunks = [Uint8Array.of(1)];
    const first = await app.request('/v1/export');
    const second = await app.request('/v1/export');
    expect(second.headers.get('retry-after')).toBe('1');
    await problemOf(second, 503, 'OVERLOADED');
    await first.arrayBuffer();
    expect((await app.request('/v1/export')).status).toBe(200);
  });
});

describe('health, metrics, page', () => {
  test('health', async () => {
    expect(await (await app.request('/livez?verbose')).json()).toEqual({ ok: true, reasons: [] });
    service.healthy = false;
    const ready = await app.request('/readyz');
    expect(ready.status).toBe(503);
    expect(await ready.json()).toEqual({ ok: false, reasons: ['no leader is known'] });
  });

  test('metrics', async () => {
    const help = 'first\\line\nsecond';
    service.samples = [
      { name: 'a', type: 'gauge', help, value: 1.5, labels: { who: 'x"y\\\nz' } },
      { name: 'b', type: 'counter', help: 'b', value: Infinity },
      { name: 'a', type: 'gauge', help, value: 2, labels: {} },
    ];
    await app.request('/v1/cluster');
    await app.request('/nowhere');
    const response = await app.request('/metrics');
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toBe(
      [
        '# HELP a first\\\\line\\nsecond',
        '# TYPE a gauge',
        'a{who="x\\"y\\\\\\nz"} 1.5',
        'a 2',
        '# HELP b b',
        '# TYPE b counter',
        'b +Inf',
        '# HELP quorlite_http_requests_total HTTP requests answered, by route and status.',
        '# TYPE quorlite_http_requests_total counter',
        'quorlite_http_requests_total{method="GET",route="/v1/cluster",status="200"} 1',
        'quorlite_http_requests_total{method="GET",route="unmatched",status="404"} 1',
        '',
      ].join('\n'),
    );
  });

  test('the page loads nothing', async () => {
    const response = await app.request('/');
    const html = await response.text();
    expect(response.headers.get('content-security-policy')).toMatch(/default-src 'none'.*sha256-/);
    expect(html).toContain('<dd>follower</dd>');
    expect(html).not.toMatch(/<script|src=|https?:/);
  });

  test('version', async () => {
    const response = await app.request('/v1/version');
    expect(await response.json()).toEqual({ name: 'quorlite', version: '1.2.3' });
  });
});

describe('paths and methods', () => {
  test('unknown paths are 404, other methods 405 with Allow', async () => {
    await problemOf(app.request('/v1/exekute', post({})), 404, 'NOT_FOUND');
    const wrong = await app.request('/v1/execute');
    expect(wrong.headers.get('allow')).toBe('POST, OPTIONS');
    await problemOf(wrong, 405, 'BAD_REQUEST');
    const options = await app.request('/v1/settings', { method: 'OPTIONS' });
    expect(options.status).toBe(204);
    expect(options.headers.get('allow')).toBe('GET, HEAD, PATCH, OPTIONS');
  });

  test.each(ROUTES.filter(({ later }) => later).map(({ method, path }) => [method, path]))(
    '%s %s is promised for later',
    async (method, path) => {
      const init = { method: method as string, body: null };
      await problemOf(app.request(path!, init), 501, 'NOT_SUPPORTED');
    },
  );

  test('every route is mounted once, and nothing else', () => {
    const mounted = app.routes.map(({ method, path }) => `${method} ${path}`);
    expect(mounted).toEqual(ROUTES.map(({ method, path }) => `${method} ${path}`));
    expect(new Set(mounted).size).toBe(mounted.length);
  });
});
