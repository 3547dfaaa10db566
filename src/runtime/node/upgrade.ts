/** WebSocket upgrades on Node: `/raft` for peers, `/v1/stream` for clients, under the origin rules of the API. */
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { OriginPolicy } from '../../api/origins.ts';
import { problemHeaders, toProblem } from '../../api/problem.ts';
import { DEFAULT_STREAM_LIMITS, MESSAGE_EXTRA_BYTES } from '../../api/stream/limits.ts';
import type { Link, LinkEvents } from '../../platform/links.ts';
import { asQuorliteError, QuorliteError } from '../../wire/error.ts';
import { STREAM_PATH } from '../../wire/stream.ts';
import { linkFromWebSocket, RAFT_PATH, RAFT_SOCKET_OPTIONS } from './links.ts';

/** Takes an accepted link; returns where its events go. `remote` is `address:port`, for the log. */
export type AcceptLink = (link: Link, remote: string) => LinkEvents;

/** What upgrades need. */
export interface UpgradeOptions {
  readonly origins: OriginPolicy;
  /** Absent: this listener has no such endpoint. */
  readonly onRaft?: AcceptLink | undefined;
  readonly onStream?: AcceptLink | undefined;
  /** Paths below which the endpoints are, such as `/db`; default: the root alone. */
  readonly basePaths?: readonly string[] | undefined;
  /** Bytes of one message of a peer; default that of the transport. */
  readonly raftMessageBytes?: number | undefined;
  /** Bytes of one request of a client; default that of the stream server. */
  readonly streamMessageBytes?: number | undefined;
}

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
  const { origins, onRaft, onStream, basePaths = [''] } = options;
  const messageBytes = options.streamMessageBytes ?? DEFAULT_STREAM_LIMITS.messageBytes;
  const raftServer = new WebSocketServer({
    noServer: true,
    ...RAFT_SOCKET_OPTIONS,
    maxPayload: options.raftMessageBytes ?? RAFT_SOCKET_OPTIONS.maxPayload,
  });
  const streamServer = new WebSocketServer({
    noServer: true,
    ...RAFT_SOCKET_OPTIONS,
    maxPayload: messageBytes + MESSAGE_EXTRA_BYTES,
  });
  const endpoints = new Map<string, { server: WebSocketServer; accept: AcceptLink }>();
  for (const base of basePaths) {
    if (onRaft) endpoints.set(base + RAFT_PATH, { server: raftServer, accept: onRaft });
    if (onStream) endpoints.set(base + STREAM_PATH, { server: streamServer, accept: onStream });
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
      admit(request, origins, closing);
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
    for (const ws of raftServer.clients) visit(ws);
    for (const ws of streamServer.clients) visit(ws);
  }

  for (const server of [raftServer, streamServer]) {
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

function admit(request: IncomingMessage, origins: OriginPolicy, closing: boolean): void {
  const { headers } = request;
  if (headers.upgrade?.toLowerCase() !== 'websocket') {
    throw new QuorliteError('BAD_REQUEST', 'only WebSocket upgrades are understood');
  }
  if (closing) throw new QuorliteError('SHUTTING_DOWN', 'the node stops');
  origins.admit({
    host: headers.host ?? null,
    origin: headers.origin ?? null,
    site: one(headers['sec-fetch-site']),
    mode: one(headers['sec-fetch-mode']),
  });
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
