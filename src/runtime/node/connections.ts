/**
 * Which connections of an HTTP server work on a request. Node's own `closeIdleConnections` leaves out connections that
 * have not sent anything yet, so that a server with one of them would never close.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** The connections of a server; upgraded ones belong to somebody else. */
export interface Connections {
  /** Closes connections without a request now, the others after their answers. */
  drain(): void;
}

/** Watches `server` from before it listens. */
export function trackConnections(server: Server): Connections {
  /** Requests in flight per connection: more than one when they are pipelined. */
  const requests = new Map<Duplex, number>();
  let draining = false;

  server.on('connection', (socket) => {
    requests.set(socket, 0);
    socket.once('close', () => requests.delete(socket));
  });
  server.on('upgrade', (_request, socket) => requests.delete(socket));
  server.on('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    requests.set(socket, (requests.get(socket) ?? 0) + 1);
    response.once('close', () => {
      const left = requests.get(socket);
      if (left === undefined) return;
      requests.set(socket, left - 1);
      if (draining && left === 1) socket.destroySoon();
    });
  });

  return {
    drain() {
      draining = true;
      for (const [socket, count] of requests) if (count === 0) socket.destroy();
    },
  };
}
