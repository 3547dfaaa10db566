/**
 * Watches the connections of an HTTP server: which of them work on a request, and which take too long to send one.
 *
 * Node's own means have two gaps. `closeIdleConnections` leaves out connections that have not sent anything yet, so
 * that a server with one of them would never close. And `headersTimeout` counts time in which this process did not read:
 * after a long computation or a suspension it would cut connections whose requests have long arrived. Here only ticks
 * count, of which a stalled loop delivers one at most.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ReadClient } from '../../node/contract.ts';

/** What connections are allowed, and what happens beyond. */
export interface ConnectionOptions {
  /** Sending the headers of a request, milliseconds; counted in ticks of `TICK_MS`. */
  readonly headersMs: number;
  /** Sending the whole request, milliseconds. */
  readonly requestMs: number;
  /** Ends a connection that took longer. */
  expired(socket: Socket): void;
}

/** The connections of a server; upgraded ones belong to somebody else. */
export interface Connections {
  /** The connection that a request came over, as reads know it; undefined when it is gone. */
  clientOf(request: IncomingMessage): ReadClient | undefined;
  /** Closes connections without a request now, the others after their answers. */
  drain(): void;
}

/** How often connections are looked at. */
export const TICK_MS = 1_000;

interface Watched extends ReadClient {
  /** Answers that are not sent yet: of pipelined requests, each waits for those before it. */
  readonly answers: Set<ServerResponse>;
  /** Requests in flight: more than one when they are pipelined. */
  requests: number;
  /** The newest of them. */
  request: IncomingMessage | null;
  /** Bytes read when the connection became idle; −1 before its first request, which is awaited from the start. */
  idleFrom: number;
  /** Ticks since it is behind with something. */
  ticks: number;
}

/** Watches `server` from before it listens until it closes. */
export function watchConnections(server: Server, options: ConnectionOptions): Connections {
  const connections = new Map<Socket, Watched>();
  let draining = false;
  const timer = setInterval(tick, TICK_MS);
  timer.unref();
  server.on('close', () => clearInterval(timer));

  function tick(): void {
    for (const [socket, watched] of connections) {
      const limit = isBehind(socket, watched);
      if (limit === 0) watched.ticks = 0;
      else if (++watched.ticks * TICK_MS > limit) options.expired(socket);
    }
  }

  /** The limit of what the connection is behind with, 0 when with nothing. */
  function isBehind(socket: Socket, { requests, request, idleFrom }: Watched): number {
    if (requests > 0) return request?.complete ? 0 : options.requestMs;
    return socket.bytesRead > idleFrom ? options.headersMs : 0;
  }

  server.on('connection', (socket: Socket) => {
    connections.set(socket, watch());
    socket.once('close', () => connections.delete(socket));
  });
  server.on('upgrade', (request: IncomingMessage) => connections.delete(request.socket));
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    const watched = connections.get(socket);
    if (watched === undefined) return;
    watched.requests++;
    watched.answers.add(response);
    watched.request = request;
    watched.ticks = 0;
    response.once('close', () => {
      watched.requests--;
      watched.answers.delete(response);
      watched.ticks = 0;
      if (watched.requests > 0) return;
      watched.request = null;
      watched.idleFrom = socket.bytesRead;
      if (draining) socket.destroySoon();
    });
  });

  return {
    clientOf: ({ socket }) => connections.get(socket),
    drain() {
      draining = true;
      for (const [socket, { requests }] of connections) if (requests === 0) socket.destroy();
    },
  };
}

function watch(): Watched {
  const answers = new Set<ServerResponse>();
  return {
    answers,
    requests: 0,
    request: null,
    idleFrom: -1,
    ticks: 0,
    get bufferedBytes() {
      let bytes = 0;
      for (const { writableLength } of answers) bytes += writableLength;
      return bytes;
    },
  };
}
