/** One port for everything on Node: the API over HTTP, clients and peers over WebSocket. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import type { RequestEnvironment } from '../../api/context.ts';
import { problemResponse } from '../../api/problem.ts';
import { formatHostPort } from '../../config/address.ts';
import { DEFAULT_LIMITS } from '../../config/limits.ts';
import { QuorliteError } from '../../wire/error.ts';
import { type Connections, watchConnections } from './connections.ts';
import {
  explainBind,
  type ListenOptions,
  type NodeServer,
  nothingHere,
  reachable,
  requireSecrets,
} from './listening.ts';
import { createUpgradeHandler, refuseSocket, type UpgradeHandler } from './upgrade.ts';

/** Receiving a whole request, body included, milliseconds. */
const REQUEST_MS = 120_000;
/** An idle connection is kept a little longer than proxies usually do, so that they never meet a closed one. */
const KEEP_ALIVE_MS = 65_000;
const MAX_HEADER_BYTES = 16 * 1024;

/**
 * Binds the port. Rejects with `CONFIG_INVALID` when it is taken or not allowed, with the fix in the message.
 *
 * @example
 * const server = await listenNode({ host: '127.0.0.1', port: 4001, app, origins, secrets, onRaft, onStream });
 */
export async function listenNode(options: ListenOptions): Promise<NodeServer> {
  const { host, port, app, secrets, limits = DEFAULT_LIMITS } = options;
  requireSecrets(host, secrets);
  const upgrades = createUpgradeHandler(options);
  const server = createServer(
    {
      // `watchConnections` does this without counting time in which the process stood still.
      headersTimeout: 0,
      requestTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
    },
    getRequestListener(
      (request, env) => (app ? app.fetch(request, tellClient(env)) : nothingHere()),
      {
        hostname: host,
        errorHandler: explain,
      },
    ),
  );
  function tellClient(env: { readonly incoming: unknown }): RequestEnvironment {
    return { client: connections.clientOf(env.incoming as IncomingMessage) };
  }
  const connections = watchConnections(server, {
    headersMs: limits.headersMs,
    requestMs: Math.max(REQUEST_MS, limits.headersMs),
    expired: refuseLate,
  });
  server.maxConnections = limits.maxConnections;
  server.on('clientError', refuseGarbage);
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Uint8Array) => {
    if (upgrades.handle(request, socket, head)) return;
    socket.on('error', () => {});
    refuseSocket(socket, new QuorliteError('NOT_FOUND', 'there is no WebSocket at this path'));
  });
  await bind(server, host, port);

  let closed: Promise<void> | null = null;
  const address = server.address() as AddressInfo;
  return {
    url: `http://${formatHostPort({ host: reachable(host), port: address.port })}`,
    host,
    port: address.port,
    close() {
      closed ??= closeServer(server, connections, upgrades, limits.shutdownMs);
      return closed;
    },
  };
}

function bind(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    function failed(error: NodeJS.ErrnoException): void {
      reject(explainBind(error, formatHostPort({ host, port })));
    }
    server.once('error', failed);
    server.listen({ host, port }, () => {
      server.off('error', failed);
      resolve();
    });
  });
}

/** A request whose line or Host header is no URL never reaches the API. */
function explain(error: unknown): Response {
  const message = error instanceof Error ? error.message : String(error);
  return problemResponse(new QuorliteError('BAD_REQUEST', `the request is malformed: ${message}`));
}

/** Headers or a body that do not come. */
function refuseLate(socket: Duplex): void {
  refuseSocket(socket, new QuorliteError('BAD_REQUEST', 'the request did not arrive in time'), 408);
}

/** What Node's parser refuses: garbage and oversized headers. */
function refuseGarbage(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  socket.on('error', () => {});
  if (error.code === 'HPE_HEADER_OVERFLOW') {
    const message = `the headers exceed ${MAX_HEADER_BYTES} bytes`;
    refuseSocket(socket, new QuorliteError('BAD_REQUEST', message), 431);
  } else {
    refuseSocket(socket, new QuorliteError('BAD_REQUEST', 'this is not HTTP'));
  }
}

function closeServer(
  server: Server,
  connections: Connections,
  upgrades: UpgradeHandler,
  graceMs: number,
): Promise<void> {
  return new Promise((resolve) => {
    const deadline = setTimeout(() => {
      upgrades.terminate();
      server.closeAllConnections();
    }, graceMs);
    server.close(() => {
      clearTimeout(deadline);
      resolve();
    });
    upgrades.close();
    connections.drain();
  });
}
