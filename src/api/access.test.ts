import type { Hono } from 'hono';
import { beforeEach, describe, expect, test } from 'vitest';
import { createRecorder, post, type Recorder } from '../../test/support/recorder-service.ts';
import { createLogger, type Logger } from '../telemetry/logger.ts';
import { type ApiOptions, createApi, ROUTES } from './app.ts';
import { createSecretAuth } from './auth.ts';
import { createOriginPolicy } from './origins.ts';

const SECRET = 'correct horse battery staple';
let service: Recorder;
let lines: string[];
let logger: Logger;
let now: number;
let failures: number;

beforeEach(() => {
  service = createRecorder();
  lines = [];
  now = 0;
  failures = 0;
  logger = createLogger({
    level: 'debug',
    format: 'json',
    wallMs: () => 0,
    write: (line) => lines.push(line),
  });
});

function create(options: Partial<ApiOptions> = {}): Hono {
  return createApi({ service, about: { version: '1' }, logger, ...options });
}

function secured(origins: string[] = []): Hono {
  const auth = createSecretAuth({
    secret: SECRET,
    monotonicMs: () => now,
    failed: () => failures++,
  });
  const policy = createOriginPolicy({ origins, url: service.url, authenticated: true });
  return create({ auth, origins: policy });
}

const bearer = { authorization: `Bearer ${SECRET}` };

describe('tokens', () => {
  test('every route but probes and pages needs one', async () => {
    const app = secured();
    const open: string[] = [];
    for (const { method, path } of ROUTES) {
      now += 1000;
      const response = await app.request(path, { method });
      if (response.status !== 401) open.push(path);
      else expect(response.headers.get('www-authenticate')).toBe('Bearer realm="quorlite"');
    }
    expect(open).toEqual(['/livez', '/readyz', '/', '/openapi.json']);
    expect(service.writes).toEqual([]);
  });

  test.each([
    ['Bearer x', 'not valid'],
    [`Bearer ${SECRET}x`, 'not valid'],
    [`Basic ${SECRET}`, 'must be: Bearer TOKEN'],
    ['Bearer ', 'must be: Bearer TOKEN'],
    [SECRET, 'must be: Bearer TOKEN'],
  ])('%s', async (authorization, detail) => {
    const response = await secured().request('/v1/cluster', { headers: { authorization } });
    expect(response.status).toBe(401);
    const body = await response.json();
    expect(body).toMatchObject({ code: 'UNAUTHENTICATED', outcome: 'not-applied' });
    expect(body.detail).toContain(detail);
  });

  test('the right one; its name is the scope of keys', async () => {
    const headers = { authorization: `bearer ${SECRET}`, 'idempotency-key': 'k' };
    const response = await secured().request('/v1/execute', post({ sql: 'x' }, headers));
    expect(response.status).toBe(200);
    expect(service.writes[0]?.key?.scope).toBe('api');
  });

  test('failures are bounded, the right token still passes', async () => {
    const app = secured();
    const statuses: number[] = [];
    for (let i = 0; i < 60; i++) {
      const headers = { authorization: `Bearer guess ${i}` };
      statuses.push((await app.request('/v1/cluster', { headers })).status);
    }
    expect(statuses.filter((status) => status === 401)).toHaveLength(50);
    expect(failures).toBe(50);
    const limited = await app.request('/v1/cluster');
    expect(limited.status).toBe(429);
    expect(limited.headers.get('retry-after')).toBe('10');
    expect((await app.request('/v1/cluster', { headers: bearer })).status).toBe(200);
    now += 1000;
    expect((await app.request('/v1/cluster')).status).toBe(401);
  });

  test('the page says nothing about the cluster', async () => {
    const html = await (await secured().request('/')).text();
    expect(html).not.toContain('follower');
    expect(html).toContain('with a token');
  });
});

describe('logs', () => {
  test('requests by number, no secret, no SQL', async () => {
    const app = secured();
    await app.request('/v1/execute', post({ sql: 'SELECT secret' }, bearer));
    await app.request(`/v1/cluster?access_token=${SECRET}`, { headers: bearer });
    expect(lines.map((line) => JSON.parse(line).event)).toEqual(['request', 'request']);
    expect(JSON.parse(lines[0]!)).toMatchObject({ request: 1, route: '/v1/execute', status: 200 });
    expect(lines.join()).not.toMatch(/horse|SELECT|token/);
  });

  test('what should not happen is logged with its stack', async () => {
    service.status = () => {
      throw new TypeError('broken');
    };
    const response = await create().request('/v1/cluster');
    expect(await response.json()).toMatchObject({ code: 'CORRUPT', outcome: 'not-applied' });
    expect(lines.join()).toContain('TypeError: broken\\n');
  });
});

describe('origins', () => {
  const host = { host: 'db.example:4001' };

  test.each([
    [{}, 200, null],
    [{ origin: 'http://db.example:4001' }, 200, null],
    [{ origin: 'https://DB.example:4001' }, 200, null],
    [{ origin: 'https://app.example' }, 200, 'https://app.example'],
    [{ origin: 'https://app.example.evil' }, 403, null],
    [{ origin: 'http://app.example' }, 403, null],
    [{ origin: 'http://db.example' }, 403, null],
    [{ origin: 'null' }, 403, null],
    [{ origin: '' }, 403, null],
  ])('%j', async (headers, status, allowed) => {
    const app = secured(['https://app.example/']);
    const init = { headers: { ...host, ...bearer, ...headers } };
    const response = await app.request('/v1/cluster', init);
    expect(response.status).toBe(status);
    expect(response.headers.get('access-control-allow-origin')).toBe(allowed);
    expect((await app.request('/nowhere', init)).status).toBe(status === 200 ? 404 : 403);
  });

  test('preflight needs no token', async () => {
    const app = secured(['https://app.example']);
    const headers = { ...host, origin: 'https://app.example' };
    const response = await app.request('/v1/execute', { method: 'OPTIONS', headers });
    expect(response.status).toBe(204);
    expect(response.headers.get('access-control-allow-methods')).toBe('POST, OPTIONS');
    expect(response.headers.get('access-control-allow-headers')).toContain('Idempotency-Key');
    expect(response.headers.get('vary')).toBe('Origin');
    const other = { ...headers, origin: 'https://evil.example' };
    expect((await app.request('/v1/execute', { method: 'OPTIONS', headers: other })).status).toBe(
      403,
    );
  });

  test('errors reach allowed origins too', async () => {
    const app = secured(['https://app.example']);
    const response = await app.request('/v1/cluster', {
      headers: { ...host, origin: 'https://app.example' },
    });
    expect(response.status).toBe(401);
    expect(response.headers.get('access-control-allow-origin')).toBe('https://app.example');
  });

  test('any origin only with a token', () => {
    const url = service.url;
    expect(() => createOriginPolicy({ origins: ['*'], url, authenticated: false })).toThrow(
      'needs secretApi',
    );
    expect(() => createOriginPolicy({ origins: ['app'], url, authenticated: true })).toThrow(
      'is not scheme://host',
    );
    const policy = createOriginPolicy({ origins: ['*'], url, authenticated: true });
    const caller = { host: 'a', origin: 'https://b', site: null, mode: null };
    expect(policy.admit(caller)).toBe('https://b');
  });
});

describe('a node without a token', () => {
  test.each([
    ['localhost:4001', 200],
    ['app.localhost', 200],
    ['127.0.0.1:4001', 200],
    ['127.1.2.3', 200],
    ['[::1]:4001', 200],
    ['evil.example', 403],
    ['127.0.0.1.evil.example', 403],
    ['localhost.evil.example:4001', 403],
    ['', 403],
  ])('Host %s', async (host, status) => {
    const app = create();
    expect((await app.request('/v1/cluster', { headers: { host } })).status).toBe(status);
    expect((await app.request('/livez', { headers: { host } })).status).toBe(200);
  });

  test('pages of other sites cannot make it work', async () => {
    const app = create();
    const cross = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' };
    expect((await app.request('/v1/export', { headers: cross })).status).toBe(403);
    const link = { ...cross, 'sec-fetch-mode': 'navigate' };
    expect((await app.request('/', { headers: link })).status).toBe(200);
    const evil = post({ sql: 'x' }, { origin: 'https://evil.example' });
    expect((await app.request('/v1/execute', evil)).status).toBe(403);
    expect(service.writes).toEqual([]);
  });
});
