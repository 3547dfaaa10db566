import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createRecorder, post, type Recorder } from '../../../test/support/recorder-service.ts';
import { createApi } from '../../api/app.ts';
import { createOriginPolicy } from '../../api/origins.ts';
import { DEFAULT_LIMITS } from '../../config/limits.ts';
import type { Link, LinkEvents } from '../../platform/links.ts';
import type { ListenOptions, NodeServer } from './listening.ts';
import { listenNode } from './server.ts';
import { createUpgradeHandler } from './upgrade.ts';

let service: Recorder;
let servers: NodeServer[];
let accepted: { path: string; link: Link; remote: string; messages: string[]; closed: string[] }[];

beforeEach(() => {
  service = createRecorder();
  servers = [];
  accepted = [];
});

afterEach(async () => {
  await Promise.all(servers.map((server) => server.close()));
});

const secrets = { raft: false, api: false };
const origins = createOriginPolicy({
  origins: ['https://app.example'],
  url: '',
  authenticated: false,
});

function accept(path: string): (link: Link, remote: string) => LinkEvents {
  return (link, remote) => {
    const one = { path, link, remote, messages: [] as string[], closed: [] as string[] };
    accepted.push(one);
    return {
      opened() {},
      message(bytes) {
        one.messages.push(new TextDecoder().decode(bytes));
        link.send(bytes);
      },
      closed: (reason) => one.closed.push(reason),
    };
  };
}

async function listen(options: Partial<ListenOptions> = {}): Promise<NodeServer> {
  const server = await listenNode({
    host: '127.0.0.1',
    port: 0,
    app: createApi({ service, about: { version: '1' } }),
    origins,
    secrets,
    onRaft: accept('raft'),
    onStream: accept('stream'),
    ...options,
  });
  servers.push(server);
  return server;
}

/** Sends raw bytes and answers all that comes back until the other side closes. */
function raw(server: NodeServer, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, server.host);
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString()));
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
    socket.write(text);
  });
}

function dial(server: NodeServer, path: string, headers = {}): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(`${server.url.replace('http', 'ws')}${path}`, { headers });
    ws.once('open', () => resolve(ws));
    ws.once('unexpected-response', (_request, response) => {
      let body = '';
      response.on('data', (chunk) => (body += chunk));
      response.on('end', () => reject(new Error(`${response.statusCode} ${body}`)));
    });
    ws.once('error', reject);
  });
}

describe('binding', () => {
  test('a taken port', async () => {
    const { port } = await listen();
    const second = listen({ port });
    await expect(second).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(new RegExp(`^127.0.0.1:${port} is in use: .*--listen`)),
    });
  });

  test('an address of another machine', async () => {
    await expect(listen({ host: '192.0.2.1', secrets: { raft: true, api: true } })).rejects.toThrow(
      'no address of this machine',
    );
  });

  test.each([
    [{ raft: false, api: false }, 'secretRaft and secretApi: set them'],
    [{ raft: true, api: false }, 'needs secretApi: set it'],
  ])('beyond loopback with %j', async (secrets, message) => {
    const server = listen({ host: '0.0.0.0', secrets });
    await expect(server).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await expect(listen({ host: '::', secrets })).rejects.toThrow(message);
  });

  test('beyond loopback with both', async () => {
    const server = await listen({ host: '0.0.0.0', secrets: { raft: true, api: true } });
    expect(server.url).toBe(`http://127.0.0.1:${server.port}`);
    expect((await fetch(`${server.url}/livez`)).status).toBe(200);
  });
});

describe('HTTP', () => {
  test('requests and answers', async () => {
    const { url } = await listen();
    const response = await fetch(`${url}/v1/execute`, post({ sql: 'x' }));
    expect(await response.json()).toMatchObject({ rowsAffected: 1, index: 42 });
    expect(response.headers.get('quorlite-served-by')).toBe('1');
  });

  test('a body over the limit is not read', async () => {
    const limits = { ...DEFAULT_LIMITS, maxBodyBytes: 1000 };
    const server = await listen({ app: createApi({ service, about: { version: '1' }, limits }) });
    const head =
      'POST /v1/execute HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n';
    const declared = await raw(server, `${head}content-length: 99999999\r\n\r\n{"sql"`);
    expect(declared).toMatch(/^HTTP\/1.1 413 [\s\S]*ENTRY_TOO_LARGE/);
    const chunk = `400\r\n${'x'.repeat(1024)}\r\n`;
    const chunked = await raw(server, `${head}transfer-encoding: chunked\r\n\r\n${chunk}`);
    expect(chunked).toMatch(/^HTTP\/1.1 413 [\s\S]*ENTRY_TOO_LARGE/);
  });

  test.each([
    ['garbage\r\n\r\n', 400, 'this is not HTTP'],
    ['GET / HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n', 400, 'the request is malformed'],
    [`GET / HTTP/1.1\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'the headers exceed'],
    ['GET / HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n', 403, 'Host header'],
  ])('%j', async (text, status, detail) => {
    const answer = await raw(await listen(), text);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer.toLowerCase()).toContain('content-type: application/problem+json');
    expect(answer).toContain(detail);
  });

  test('headers that do not come end the connection', async () => {
    const server = await listen({ limits: { ...DEFAULT_LIMITS, headersMs: 100 } });
    expect(await raw(server, 'GET / HTTP/1.1\r\nhost: l')).toMatch(/^HTTP\/1.1 408 /);
  });

  test('a stall of this process is not held against a connection', async () => {
    const server = await listen({ limits: { ...DEFAULT_LIMITS, headersMs: 1500 } });
    const socket = connect(server.port, server.host);
    const answers: string[] = [];
    socket.on('data', (chunk) => answers.push(`${chunk}`));
    socket.write('GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\nGET /livez HTTP/1.1\r\nhost: ');
    while (answers.length < 1) await new Promise((resolve) => setImmediate(resolve));
    socket.write('localhost\r\n\r\n');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2000);
    while (answers.length < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(answers[1]).toMatch(/^HTTP\/1.1 200 /);
    socket.destroy();
  });

  test('a caller that hangs up stops the wait', async () => {
    const { url } = await listen();
    service.outcome = null;
    const caller = new AbortController();
    const init = { ...post({ sql: 'x' }), signal: caller.signal };
    const request = fetch(`${url}/v1/execute`, init).catch(() => {});
    while (service.writes.length === 0) await new Promise((resolve) => setImmediate(resolve));
    caller.abort();
    await request;
    while (service.givenUp === 0) await new Promise((resolve) => setImmediate(resolve));
  });

  test('an export that the caller leaves is closed', async () => {
    const { url } = await listen();
    service.chunks = Array.from({ length: 200 }, () => new Uint8Array(1024 * 1024));
    const response = await fetch(`${url}/v1/export`);
    const reader = response.body!.getReader();
    await reader.read();
    await reader.cancel();
    while (service.exportsClosed === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(service.chunks.length).toBeGreaterThan(0);
  });

  test('a listener for peers alone', async () => {
    const server = await listen({ app: undefined, onStream: undefined });
    expect((await fetch(`${server.url}/livez`)).status).toBe(404);
    await expect(dial(server, '/v1/stream')).rejects.toThrow('404');
    (await dial(server, '/raft')).close();
  });
});

describe('upgrades', () => {
  test.each([
    ['/raft', 'raft'],
    ['/v1/stream?a=1', 'stream'],
  ])('%s', async (path, name) => {
    const ws = await dial(await listen(), path);
    const echo = new Promise<string>((resolve) => ws.once('message', (data) => resolve(`${data}`)));
    ws.send(new TextEncoder().encode('hello'));
    expect(await echo).toBe('hello');
    expect(accepted).toMatchObject([{ path: name, messages: ['hello'] }]);
    expect(accepted[0]?.remote).toMatch(/^127\.0\.0\.1:\d+$/);
    const closed = new Promise((resolve) => ws.once('close', resolve));
    accepted[0]?.link.close('enough');
    await closed;
  });

  test.each([
    ['/raft', { origin: 'https://evil.example' }, '403'],
    ['/v1/stream', { origin: 'https://evil.example' }, '403'],
    ['/v1/stream', { host: 'evil.example' }, '403'],
    ['/other', {}, '404'],
  ])('%s with %j is refused', async (path, headers, status) => {
    await expect(dial(await listen(), path, headers)).rejects.toThrow(
      new RegExp(`^${status} .*"code":`),
    );
    expect(accepted).toEqual([]);
  });

  test('same and allowed origins', async () => {
    const server = await listen();
    (await dial(server, '/v1/stream', { origin: server.url })).close();
    (await dial(server, '/v1/stream', { origin: 'https://app.example' })).close();
    expect(accepted).toHaveLength(2);
  });

  test('a broken handshake', async () => {
    const head = 'GET /raft HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\n';
    const answer = await raw(await listen(), `${head}upgrade: websocket\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 400 .*\r\n[\s\S]*no WebSocket: /);
  });

  test('other protocols are refused', async () => {
    const text =
      'GET /raft HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n';
    expect(await raw(await listen(), text)).toMatch(/^HTTP\/1.1 400 .*\r\n[\s\S]*only WebSocket/);
  });

  test('inside an existing server, below a path', async () => {
    const upgrades = createUpgradeHandler({
      origins,
      basePaths: ['/db'],
      onStream: accept('stream'),
    });
    const mine: string[] = [];
    const existing = createServer().on('upgrade', (request, socket, head) => {
      if (upgrades.handle(request, socket, head)) return;
      mine.push(request.url!);
      socket.destroy();
    });
    await new Promise<void>((resolve) => existing.listen(0, '127.0.0.1', resolve));
    const { port } = existing.address() as AddressInfo;
    const server = { url: `http://127.0.0.1:${port}` } as NodeServer;
    (await dial(server, '/db/v1/stream')).terminate();
    await expect(dial(server, '/v1/stream')).rejects.toThrow();
    expect(mine).toEqual(['/v1/stream']);
    await new Promise((resolve) => existing.close(resolve));
  });
});

describe('closing', () => {
  function idle(server: NodeServer): Promise<Socket> {
    return new Promise((resolve) => {
      const socket = connect(server.port, server.host, () => resolve(socket));
    });
  }

  test('ends idle connections and WebSockets, lets requests finish', async () => {
    const server = await listen();
    const ws = await dial(server, '/v1/stream');
    const closed = new Promise((resolve) => ws.once('close', (code) => resolve(code)));
    let finish: (() => void) | undefined;
    service.write = (_request, done) => {
      finish = () => done(service.outcome!);
      return () => {};
    };
    const answer = fetch(`${server.url}/v1/execute`, post({ sql: 'x' }));
    while (finish === undefined) await new Promise((resolve) => setImmediate(resolve));
    const socket = await idle(server);
    const end = new Promise((resolve) => socket.once('close', resolve));
    socket.resume();
    const closing = server.close();
    expect(await closed).toBe(1001);
    finish();
    expect((await answer).status).toBe(200);
    await end;
    await closing;
    await expect(fetch(`${server.url}/livez`)).rejects.toThrow();
  });

  test('cuts what does not end in time', async () => {
    const server = await listen({ limits: { ...DEFAULT_LIMITS, shutdownMs: 50 } });
    service.outcome = null;
    const answer = fetch(`${server.url}/v1/execute`, post({ sql: 'x' })).catch(() => 'cut');
    while (service.writes.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await server.close();
    expect(await answer).toBe('cut');
    await server.close();
  });
});
