/** Bytes that this process sends and receives over the connections that it opens. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

/** Bytes since something began. */
export interface Traffic {
  readonly sent: number;
  readonly received: number;
}

/** Counts until it is closed. */
export interface TrafficCounter {
  /** So far; null when no connection was seen, as over TLS. */
  read(): Traffic | null;
  close(): void;
}

/** Node.js tells here of every TCP connection that is dialled, by whatever library. */
const CHANNEL = 'net.client.socket';

/** Starts counting: connections opened from now on, WebSocket and HTTP alike. */
export function countTraffic(): TrafficCounter {
  const open = new Set<Socket>();
  let seen = false;
  let sent = 0;
  let received = 0;
  function note(message: unknown): void {
    const { socket } = message as { readonly socket: Socket };
    seen = true;
    open.add(socket);
    socket.once('close', () => {
      open.delete(socket);
      sent += socket.bytesWritten;
      received += socket.bytesRead;
    });
  }
  subscribe(CHANNEL, note);
  return {
    read() {
      if (!seen) return null;
      const now = { sent, received };
      for (const socket of open) {
        now.sent += socket.bytesWritten;
        now.received += socket.bytesRead;
      }
      return now;
    },
    close: () => void unsubscribe(CHANNEL, note),
  };
}
