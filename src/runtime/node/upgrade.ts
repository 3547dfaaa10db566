/** WebSocket upgrades on Node: `/raft` for peers, `/v1/stream` for clients, under the origin rules of the API. */
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { problemHeaders, toProblem } from '../../api/problem.ts';
import { asQuorliteError, QuorliteError } from '../../wire/error.ts';
import { linkFromWebSocket, RAFT_SOCKET_OPTIONS } from './links.ts';
import {
  type AcceptLink,
  admitUpgrade,
  endpointsOf,
  type UpgradeOptions,
} from './upgrade-rules.ts';

/** Upgrades of one node. */
export interface UpgradeHandler {
  /**
   * Takes an upgrade request. False, with the socket untouched, when its path is none of ours: an existing server may
   * then do with it what it likes.
   */
  handle(request: IncomingMessage, socket: Duplex, head: Uint8Array): boolean;
  /** Refuses new upgrades and asks open sockets to close. */
  close(): void;
  /** Cuts what is still open. */
  terminate(): void;
}

/** WebSocket's "going away". */
const GOING_AWAY = 1001;

/** Makes the handler. */
export function createUpgradeHandler(options: UpgradeOptions): UpgradeHandler {
  const { origins } = options;
  const endpoints = new Map<string, { server: WebSocketServer; accept: AcceptLink }>();
  const servers: WebSocketServer[] = [];
  for (const [path, { accept, messageBytes }] of endpointsOf(options)) {
    const settings = { noServer: true, ...RAFT_SOCKET_OPTIONS, maxPayload: messageBytes };
    const server = new WebSocketServer(settings);
    servers.push(server);
    endpoints.set(path, { server, accept });
  }
  let closing = false;

  function handle(request: IncomingMessage, socket: Duplex, head: Uint8Array): boolean {
    const endpoint = endpoints.get(pathOf(request.url ?? ''));
    if (endpoint === undefined) return false;
    const { server, accept } = endpoint;
    // Until the WebSocket has listeners of its own, a broken connection must not throw.
    const ignore = () => {};
    socket.on('error', ignore);
    try {
      admitUpgrade((name) => one(request.headers[name]), origins, closing);
    } catch (error) {
      refuseSocket(socket, asQuorliteError(error, 'not-applied'));
      return true;
    }
    server.handleUpgrade(request, socket, Buffer.from(head), (ws) => {
      socket.off('error', ignore);
      const tcp = socket as Socket;
      const link = linkFromWebSocket(ws, tcp);
      link.listen(accept(link, `${tcp.remoteAddress}:${tcp.remotePort}`));
    });
    return true;
  }

  function everySocket(visit: (ws: WebSocket) => void): void {
    for (const server of servers) for (const ws of server.clients) visit(ws);
  }

  for (const server of servers) {
    server.on('wsClientError', (error, socket) => {
      refuseSocket(socket, new QuorliteError('BAD_REQUEST', `no WebSocket: ${error.message}`));
    });
  }
  return {
    handle,
    close() {
      closing = true;
      everySocket((ws) => ws.close(GOING_AWAY, 'the node stops'));
    },
    terminate() {
      everySocket((ws) => ws.terminate());
    },
  };
}

function pathOf(url: string): string {
  const end = url.indexOf('?');
  return end < 0 ? url : url.slice(0, end);
}

function one(header: string | string[] | undefined): string | null {
  return typeof header === 'string' ? header : null;
}

/** Answers on a bare socket with a problem, then closes it. `status` where the code's own does not fit. */
export function refuseSocket(
  socket: Duplex,
  error: QuorliteError,
  status: number = error.status,
): void {
  if (socket.destroyed || !socket.writable) return;
  const body = JSON.stringify(toProblem(error, status));
  const headers = {
    ...problemHeaders(error),
    connection: 'close',
    'content-length': String(Buffer.byteLength(body)),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.once('finish', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}\r\n${lines.join('')}\r\n${body}`,
  );
}
