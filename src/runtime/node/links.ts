/**
 * Links over WebSockets on Node, through `ws`.
 *
 * `send` writes to the kernel before it returns as long as nothing is buffered: `ws` frames synchronously and libuv
 * tries the write at once. A leader relies on it when it sends and then blocks in its own sync (architecture 4).
 */
import type { Socket } from 'node:net';
import { type ClientOptions, WebSocket } from 'ws';
import type { Dialer, Link, LinkEvents } from '../../platform/links.ts';
import { TRANSPORT_LIMITS } from '../../transport/limits.ts';
import { raftEndpoint } from './raft-endpoint.ts';

/** After `close`, so long the other side may take to answer before the socket is destroyed. */
const CLOSE_MS = 1_000;
/** WebSocket limits a close reason to 123 bytes of UTF-8. */
const CLOSE_REASON_BYTES = 120;
const CLOSE_CODE = 4000;

/** Options that Raft sockets need on both sides; servers pass them to `new WebSocketServer({ noServer: true, … })`. */
export const RAFT_SOCKET_OPTIONS: {
  readonly perMessageDeflate: false;
  readonly maxPayload: number;
  readonly closeTimeout: number;
} = {
  perMessageDeflate: false,
  maxPayload: TRANSPORT_LIMITS.frameBytes,
  closeTimeout: CLOSE_MS,
};

/** A link over an accepted socket; `listen` says where its events go. */
export interface AcceptedLink extends Link {
  listen(events: LinkEvents): void;
}

/**
 * A mask of zeros, which `ws` takes as leave to send bytes as they are. Masks keep scripts in browsers from forging what
 * a proxy on the way may cache; between nodes they would only cost a pass over every log entry.
 */
function leaveZero(): void {}

/**
 * Opens links with WebSockets to `URL/raft`.
 *
 * @param options of `ws`, such as certificate authorities for `https:` URLs, and `maxPayload`, the bytes of a message.
 */
export function createWebSocketDialer(options: ClientOptions = {}): Dialer {
  return {
    dial(url: string, events: LinkEvents): Link {
      const link = new WebSocketLink();
      try {
        const ws = new WebSocket(raftEndpoint(url), {
          ...RAFT_SOCKET_OPTIONS,
          ...options,
          generateMask: leaveZero,
        });
        ws.once('open', () => {
          link.socket?.setNoDelay(true);
          link.watchSocket();
          events.opened();
        });
        link.bind(ws, null);
        link.listen(events);
      } catch (error) {
        // A URL that cannot be dialled is a failed dial like any other.
        setImmediate(() => link.fail(events, (error as Error).message));
      }
      return link;
    },
  };
}

/**
 * A link over a WebSocket that a server accepted on the Raft endpoint. `socket` is the one under it: it allows cutting
 * off a stranger in the middle of a message.
 *
 * @example
 * server.handleUpgrade(request, socket, head, (ws) => {
 *   const link = linkFromWebSocket(ws, socket);
 *   link.listen(transport.accept(link, remote));
 * });
 */
export function linkFromWebSocket(ws: WebSocket, socket: Socket): AcceptedLink {
  socket.setNoDelay(true);
  const link = new WebSocketLink();
  link.bind(ws, socket);
  return link;
}

class WebSocketLink implements AcceptedLink {
  socket: Socket | null = null;
  #ws: WebSocket | null = null;
  #events: LinkEvents | null = null;
  #limit: number | null = null;
  /** What had come over the socket when counting began: the upgrade. */
  #readBefore = 0;
  #closed = false;
  #failure = '';

  get bufferedBytes(): number {
    return this.#ws?.bufferedAmount ?? 0;
  }

  bind(ws: WebSocket, socket: Socket | null): void {
    this.#ws = ws;
    this.socket = socket;
    if (socket !== null) this.watchSocket();
    else ws.once('upgrade', (response) => (this.socket = response.socket));
    ws.on('error', (error) => (this.#failure = error.message));
    ws.on('close', (code, reason) => this.#onClose(code, reason.toString()));
  }

  listen(events: LinkEvents): void {
    this.#events = events;
    // A ws without a listener drops messages, so this must happen in the turn in which the link was made.
    this.#ws?.on('message', (data) => {
      if (!this.#closed) events.message(plainBytes(data as Buffer));
    });
  }

  /** Tells a dialler that this link never came to be. */
  fail(events: LinkEvents, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    events.closed(reason);
  }

  /** Watches the stream below: when it has drained, and how much a stranger sends. */
  watchSocket(): void {
    const { socket } = this;
    if (socket === null) return;
    socket.on('drain', () => this.#events?.drained?.());
    this.#readBefore = socket.bytesRead;
    if (this.#limit !== null) socket.on('data', this.#countIncoming);
  }

  send(bytes: Uint8Array): void {
    if (!this.#closed && this.#ws?.readyState === WebSocket.OPEN) this.#ws.send(bytes);
  }

  close(reason: string = ''): void {
    if (this.#closed) return;
    this.#closed = true;
    const ws = this.#ws;
    if (ws === null) return;
    if (ws.readyState === WebSocket.OPEN) ws.close(CLOSE_CODE, cutText(reason));
    else ws.terminate();
  }

  limitIncoming(bytes: number | null): void {
    const { socket } = this;
    if (bytes === null) socket?.off('data', this.#countIncoming);
    else if (this.#limit === null) socket?.on('data', this.#countIncoming);
    this.#limit = bytes;
  }

  readonly #countIncoming = (): void => {
    const { socket } = this;
    if (socket === null || this.#limit === null) return;
    if (socket.bytesRead - this.#readBefore <= this.#limit) return;
    this.#failure = `more than ${this.#limit} bytes before a proof`;
    this.#ws?.terminate();
  };

  #onClose(code: number, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#events?.closed(reason || this.#failure || closeReason(code));
  }
}

/** The same bytes without Node's methods: `slice` of a Buffer is no copy, which shared code must not meet. */
function plainBytes(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}

function closeReason(code: number): string {
  return code === 1006 ? 'the connection broke' : `closed with code ${code}`;
}

/** Cuts a text to what a close frame carries, at a character. */
function cutText(text: string): string {
  let cut = text.slice(0, CLOSE_REASON_BYTES);
  while (Buffer.byteLength(cut) > CLOSE_REASON_BYTES) cut = cut.slice(0, -1);
  return cut;
}
