import fc from 'fast-check';
import type { Hono } from 'hono';
import { beforeEach, describe, expect, test } from 'vitest';
import { createRecorder, post, type Recorder } from '../../test/support/recorder-service.ts';
import { DEFAULT_LIMITS } from '../config/limits.ts';
import { createApi, ROUTES } from './app.ts';

let service: Recorder;
let app: Hono;

beforeEach(() => {
  service = createRecorder();
  const limits = { ...DEFAULT_LIMITS, maxBodyBytes: 1000, maxPendingBytes: 1500 };
  app = createApi({ service, about: { version: '1.2.3' }, limits });
});

async function refused(response: Response, code: string, detail: string): Promise<void> {
  expect(await response.json()).toMatchObject({
    code,
    detail: expect.stringContaining(detail),
    outcome: 'not-applied',
  });
  expect(service.writes).toEqual([]);
  expect(service.queries).toEqual([]);
}

describe('bodies', () => {
  test.each([
    ['/v1/execute', {}, 'sql is missing'],
    ['/v1/execute', { sql: '' }, 'sql must not be empty'],
    ['/v1/execute', { sql: 5 }, 'sql must be a text, not a number'],
    ['/v1/execute', { sql: 'x', parmas: [] }, 'unknown field "parmas"; did you mean params?'],
    ['/v1/execute', { sql: 'x', zzzzzzzz: 1 }, 'unknown field "zzzzzzzz"; known: sql, params'],
    ['/v1/execute', { sql: 'x', slow: 'yes' }, 'slow must be true or false'],
    ['/v1/execute', { sql: 'x', params: null }, 'params must be an array or an object, not null'],
    ['/v1/execute', { sql: 'x', timeoutMs: 0 }, 'timeoutMs must be a whole number'],
    ['/v1/execute', { sql: 'x', timeoutMs: 600_001 }, 'timeoutMs must be at most 600000'],
    ['/v1/execute', [], 'the body must be an object, not an array'],
    ['/v1/execute', null, 'the body must be an object, not null'],
    ['/v1/execute', '{"sql":"x","__proto__":{}}', 'unknown field "__proto__"'],
    ['/v1/query', { sql: 'x', consistency: 'strong' }, 'must be "linearizable"'],
    ['/v1/query', { sql: 'x', consistency: { maxLag: 5 } }, 'did you mean maxLagMs?'],
    ['/v1/query', { sql: 'x', consistency: {} }, 'consistency.maxLagMs is missing'],
    ['/v1/query', { sql: 'x', consistency: 5 }, 'consistency must be "linearizable"'],
    ['/v1/query', { sql: 'x', minIndex: 1.5 }, 'minIndex must be a whole number'],
    ['/v1/query', { sql: 'x', format: 'csv' }, 'format must be one of "arrays", "objects"'],
    ['/v1/query', { sql: 'x', params: [[1]] }, 'params[0] must be a number'],
    ['/v1/txn', { statements: [] }, 'statements must have at least 1'],
    ['/v1/txn', { statements: [{ sql: 'x' }, 5] }, 'statements[1] must be an object'],
    ['/v1/txn', { statements: [{ sql: 'x', many: [[1], 2] }] }, 'statements[0].many[1] must be'],
    ['/v1/txn', { statements: [{ sql: 'x', many: [], params: [] }] }, 'params or many'],
    ['/v1/txn', { statements: [{ sql: 'x', expect: { row: 1 } }] }, 'did you mean rows?'],
    ['/v1/txn', { statements: [{ sql: 'x' }], guard: { index: 1 } }, 'guard.tables is missing'],
    ['/v1/batch', { sql: 'x', atomic: 1 }, 'atomic must be true or false'],
    ['/v1/migrate', { migrations: [{ id: 0, name: 'a', sql: '' }] }, 'migrations[0].id must be'],
    ['/v1/migrate', { migrations: [{ id: 1, name: 'a' }] }, 'migrations[0].sql is missing'],
    ['/v1/cluster/members', { id: 4, url: 'ftp://x' }, 'url is no URL of a node'],
    ['/v1/cluster/members', { id: 4, url: 'http://u:p@x' }, 'must not carry a user'],
    ['/v1/cluster/transfer', { to: '2' }, 'to must be a whole number'],
    ['/v1/snapshot', { a: 1 }, 'unknown field "a"'],
    ['/v1/execute', '{"sql":', 'the body is not JSON'],
    ['/v1/execute', '', 'a JSON body is needed'],
    ['/v1/execute', '['.repeat(900), 'nests deeper than 32 levels'],
  ])('%s %j', async (path, body, detail) => {
    const response = await app.request(path, post(body));
    expect(response.status).toBe(400);
    await refused(response, 'BAD_REQUEST', detail);
  });

  test.each([
    [{ keyz: 5 }, 'did you mean keys?'],
    [{ keys: 1 }, 'keys must be a whole number from 16'],
    [{}, 'names no setting'],
  ])('settings %j', async (body, detail) => {
    const response = await app.request('/v1/settings', { ...post(body), method: 'PATCH' });
    await refused(response, 'BAD_REQUEST', detail);
  });

  test('a name of megabytes costs nothing', async () => {
    app = createApi({ service, about: { version: '1.2.3' } });
    const body = `{"${'a'.repeat(4_000_000)}":1}`;
    const response = await app.request('/v1/execute', post(body));
    const { detail } = await response.json();
    expect(detail.length).toBeLessThan(300);
  });
});

describe('sizes', () => {
  const big = { sql: 'x'.repeat(1000) };

  test.each(['', 'chunked'])('a body over the limit %s', async (how) => {
    const headers = how === '' ? { 'content-length': '1010' } : undefined;
    const response = await app.request('/v1/execute', post(big, headers));
    expect(response.status).toBe(413);
    await refused(response, 'ENTRY_TOO_LARGE', 'the body exceeds 1000 bytes');
  });

  test('a body longer than it says', async () => {
    const response = await app.request('/v1/execute', post(big, { 'content-length': '10' }));
    expect(response.status).toBe(413);
  });

  test('bodies together over the limit', async () => {
    function slowBody(): { init: RequestInit; finish: () => void } {
      let finish = () => {};
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(new TextEncoder().encode(`{"sql":"${'x'.repeat(800)}`));
          finish = () => {
            controller.enqueue(new TextEncoder().encode('"}'));
            controller.close();
          };
        },
      });
      return { init: { ...post(''), body, duplex: 'half' } as RequestInit, finish };
    }
    const first = slowBody();
    const answer = app.request('/v1/execute', first.init);
    const second = await app.request('/v1/execute', slowBody().init);
    expect(second.status).toBe(503);
    await refused(second, 'OVERLOADED', 'request bodies of 1500 bytes');
    first.finish();
    expect((await answer).status).toBe(200);
    const third = slowBody();
    third.finish();
    expect((await app.request('/v1/execute', third.init)).status).toBe(200);
  });
});

describe('media types', () => {
  test.each([
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'Text/Plain;charset=UTF-8',
  ])('%s is refused on every route', async (type) => {
    for (const { method, path } of ROUTES) {
      if (method === 'GET') continue;
      const init = { method, headers: { 'content-type': type }, body: '{"sql":"x"}' };
      const response = await app.request(path, init);
      expect([path, response.status]).toEqual([path, 400]);
      await refused(response, 'BAD_REQUEST', 'is refused everywhere');
    }
  });

  test.each([
    ['application/octet-stream', 'must be application/json, not application/octet-stream'],
    ['application/jsonp', 'must be application/json'],
    ['application/json; charset=latin1', 'read as UTF-8 only'],
  ])('%s', async (type, detail) => {
    const init = post({ sql: 'x' }, { 'content-type': type });
    await refused(await app.request('/v1/execute', init), 'BAD_REQUEST', detail);
  });

  test('none, and an encoding', async () => {
    const body = new TextEncoder().encode('{"sql":"x"}');
    const none = await app.request('/v1/execute', { method: 'POST', body });
    await refused(none, 'BAD_REQUEST', 'must be application/json, not none');
    const zipped = post({ sql: 'x' }, { 'content-encoding': 'gzip' });
    await refused(await app.request('/v1/execute', zipped), 'BAD_REQUEST', 'encoded body');
  });

  test('JSON with a charset is JSON', async () => {
    const headers = { 'content-type': 'Application/JSON; charset="UTF-8"' };
    expect((await app.request('/v1/execute', post({ sql: 'x' }, headers))).status).toBe(200);
  });
});

describe('fuzz', () => {
  const paths = ROUTES.filter(({ body }) => body !== undefined).map(({ method, path }) => ({
    method,
    path: path.replace(':id', '1'),
  }));
  const names = ['sql', 'params', 'statements', 'many', 'expect', 'guard', 'index', 'tables'];
  const tags = ['$int', '$blob', '$real', '$ref', 'statement', 'column', 'migrations', 'id', 'url'];
  const key = fc.oneof(fc.constantFrom(...names, ...tags, 'consistency', '__proto__'), fc.string());
  const { json } = fc.letrec((tie) => ({
    json: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      fc.oneof(fc.string(), fc.double(), fc.integer(), fc.boolean(), fc.constant(null)),
      fc.array(tie('json'), { maxLength: 4 }),
      fc.dictionary(key, tie('json'), { maxKeys: 4 }),
    ),
  }));

  test('no JSON is an internal error', async () => {
    service.write = (request, done) => {
      const { outcome } = service;
      createRecorder().write(request, () => done(outcome!));
      return () => {};
    };
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), json, async ({ method, path }, body) => {
        const response = await app.request(path, { ...post(body), method });
        // The recorder answers every write like an execute: that is the one thing that may look broken.
        const { code, detail = '' } = (await response.json()) as { code?: string; detail?: string };
        if (!detail.startsWith('the node answered')) expect(code).not.toBe('CORRUPT');
        expect(response.status === 200 || code !== undefined).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  test('no bytes are an internal error', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        const body = new Uint8Array(bytes);
        const response = await app.request('/v1/execute', { ...post(''), body });
        expect(response.status).toBe(400);
      }),
    );
  });
});
