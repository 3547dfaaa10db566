/** Nodes inside an existing server, below a path. */
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { afterEach, expect, test } from 'vitest';
import type { NodeConfig } from '../../config/node-config.ts';
import { connect } from './connect.ts';
import type { RunningNode } from './running-node.ts';
import { startNode } from './start-node.ts';

const servers: Server[] = [];
const nodes: RunningNode[] = [];

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.shutdown()));
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** A server of somebody else, and where it is. */
async function existing(): Promise<{ server: Server; url: string }> {
  const server = createServer();
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { server, url: `http://127.0.0.1:${port}` };
}

/** Starts a node in `server`; upgrades that are not the node's are noted in `refused`. */
async function mount(
  server: Server,
  config: NodeConfig,
  listener: (node: RunningNode) => RequestListener,
  refused: string[] = [],
): Promise<RunningNode> {
  const node = await startNode({ listen: false, storage: 'memory', log: 'silent', ...config });
  nodes.push(node);
  server.on('request', listener(node));
  server.on('upgrade', (request, socket, head) => {
    if (node.handleUpgrade(request, socket, head)) return;
    refused.push(request.url!);
    socket.destroy();
  });
  return node;
}

function below(prefix: string): (node: RunningNode) => RequestListener {
  return (node) => getRequestListener(new Hono().mount(prefix, node.fetch).fetch);
}

const all = (node: RunningNode): RequestListener => {
  const app = new Hono().get('/', (c) => c.text('not the node'));
  app.all('/db/*', (c) => node.fetch(c.req.raw));
  return getRequestListener(app.fetch);
};

const routed = (node: RunningNode): RequestListener => {
  const sub = new Hono().all('*', (c) => node.fetch(c.req.raw));
  return getRequestListener(new Hono().route('/db', sub).fetch);
};

async function query(url: string, sql: string): Promise<unknown> {
  const response = await fetch(`${url}/v1/query`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ sql }),
  });
  return ((await response.json()) as { readonly rows: unknown }).rows;
}

test.each([
  ['app.mount', below('/db')],
  ['app.all', all],
  ['app.route', routed],
  ['no framework', (node: RunningNode) => getRequestListener(node.fetch)],
])(
  'HTTP and WebSocket below a path: %s',
  async (_name, listener) => {
    const { server, url } = await existing();
    const refused: string[] = [];
    await mount(server, { advertise: `${url}/db` }, listener, refused);
    const db = connect(`${url}/db/`);
    await db.execute('CREATE TABLE t (a)');
    await db.execute('INSERT INTO t VALUES (?)', [7]);
    await db.close();
    expect(await query(`${url}/db`, 'SELECT a FROM t')).toEqual([[7]]);
    const missing = await fetch(`${url}/db/nowhere?x=1`);
    expect([missing.status, missing.headers.get('content-type')]).toEqual([
      404,
      'application/problem+json',
    ]);
    const wrongMethod = await fetch(`${url}/db/v1/query`);
    expect([wrongMethod.status, wrongMethod.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
    const page = await (await fetch(`${url}/db/`)).text();
    expect(page).toContain('href="/db/readyz"');
    const document = (await (await fetch(`${url}/db/openapi.json`)).json()) as { servers: unknown };
    expect(document.servers).toEqual([{ url: '/db' }]);
    expect(refused).toEqual([]);
    const elsewhere = connect(url, { timeoutMs: 300 });
    await expect(elsewhere.query('SELECT 1')).rejects.toMatchObject({ code: 'NO_QUORUM' });
    await elsewhere.close();
    expect(new Set(refused)).toEqual(new Set(['/v1/stream']));
  },
  30_000,
);

test('three nodes, each in a server of its own, find each other below their paths', async () => {
  const homes = await Promise.all([existing(), existing(), existing()]);
  const urls = Object.fromEntries(homes.map(({ url }, i) => [i + 1, `${url}/base/node-${i + 1}`]));
  const started = await Promise.all(
    homes.map(({ server }, i) =>
      mount(server, { id: i + 1, nodes: urls }, below(`/base/node-${i + 1}`)),
    ),
  );
  const db = connect(Object.values(urls));
  await db.execute('CREATE TABLE t (a)');
  for (const node of started) {
    await node.client.execute('INSERT INTO t VALUES (?)', [node.id]);
  }
  expect(await db.query('SELECT a FROM t ORDER BY a')).toEqual([{ a: 1 }, { a: 2 }, { a: 3 }]);
  await db.close();
  expect(await query(urls[2]!, 'SELECT count(*) FROM t')).toEqual([[3]]);
}, 60_000);

test('a port of its own behind a proxy, which passes the path on or strips it', async () => {
  const advertise = 'http://localhost:1/some/db';
  const config: NodeConfig = { listen: '127.0.0.1:0', advertise, storage: 'memory', log: 'silent' };
  const node = await startNode({ ...config, nodes: { 1: advertise } });
  nodes.push(node);
  for (const url of [node.url, `${node.url}/some/db`]) {
    const db = connect(url, { followLeader: false });
    expect(await db.queryOne('SELECT 1 AS a')).toEqual({ a: 1 });
    await db.close();
    expect(await query(url, 'SELECT 2')).toEqual([[2]]);
  }
}, 30_000);
