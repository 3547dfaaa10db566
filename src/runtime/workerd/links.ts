/**
 * Links over the platform's WebSockets, dialled and accepted. A socket here does not say how much it has buffered, so
 * what is in flight is bounded by the node's own windows (`WORKER_LIMITS`).
 */
import type { Dialer, Link, LinkEvents } from '../../platform/links.ts';
import type { Fetcher, WorkerSocket } from './contract.ts';

/** Path of the Raft endpoint below a node's URL. */
export const RAFT_PATH = '/raft';

const CLOSE_CODE = 4000;
/** WebSocket limits a close reason to 123 bytes of UTF-8. */
const CLOSE_REASON_BYTES = 120;

/**
 * Opens links with `fetch` and an upgrade.
 *
 * @param fetcherOf The object behind a URL of this very Worker, which cannot reach itself over the network; null for others.
 */
export function createFetchDialer(fetcherOf: (url: URL) => Fetcher | null): Dialer {
  return {
    dial(url, events) {
      const link = new SocketLink(() => {});
      void upgrade(url, fetcherOf).then(
        (socket) => {
          if (link.bind(socket, events)) events.opened();
        },
        (error: unknown) => link.fail(events, error instanceof Error ? error.message : 'failed'),
      );
      return link;
    },
  };
}

async function upgrade(
  url: string,
  fetcherOf: (url: URL) => Fetcher | null,
): Promise<WorkerSocket> {
  const endpoint = new URL(url);
  endpoint.pathname = endpoint.pathname.replace(/\/+$/, '') + RAFT_PATH;
  const fetcher = fetcherOf(endpoint);
  const init = { headers: { upgrade: 'websocket' } };
  const response = await (fetcher?.fetch(endpoint.href, init) ?? fetch(endpoint.href, init));
  const { webSocket } = response as Response & { readonly webSocket?: WorkerSocket | null };
  if (webSocket) return webSocket;
  await response.body?.cancel();
  throw new Error(`no WebSocket there, but status ${response.status}`);
}

/**
 * Takes an upgrade request: the answer to it, and the link of this side, for `accept` to say where its events go.
 *
 * The socket is a plain one, not one that hibernates: a node that serves peers or clients has timers running, and those
 * keep an object awake whatever its sockets are.
 *
 * @param ended Called once, when the link is closed from either side.
 */
export function acceptSocket(accept: (link: Link) => LinkEvents, ended: () => void): Response {
  const pair = new (globalThis as unknown as PairConstructor).WebSocketPair();
  const link = new SocketLink(ended);
  link.bind(pair[1], accept(link));
  return new Response(null, { status: 101, webSocket: pair[0] } as ResponseInit);
}

interface PairConstructor {
  readonly WebSocketPair: new () => { readonly 0: WorkerSocket; readonly 1: WorkerSocket };
}

class SocketLink implements Link {
  /** Not known on this platform. */
  readonly bufferedBytes = 0;
  #socket: WorkerSocket | null = null;
  #limit: number | null = null;
  #received = 0;
  #closed = false;
  readonly #ended: () => void;

  constructor(ended: () => void) {
    this.#ended = ended;
  }

  /** False when the link was closed meanwhile. */
  bind(socket: WorkerSocket, events: LinkEvents): boolean {
    socket.binaryType = 'arraybuffer';
    socket.accept();
    if (this.#closed) {
      socket.close(CLOSE_CODE);
      return false;
    }
    this.#socket = socket;
    socket.addEventListener('message', ({ data }: { readonly data: unknown }) => {
      if (this.#closed) return;
      if (!(data instanceof ArrayBuffer)) this.#end(events, 'a text message');
      else if (this.#admit(data.byteLength)) events.message(new Uint8Array(data));
      else this.#end(events, `more than ${this.#limit} bytes before a proof`);
    });
    socket.addEventListener('close', ({ code, reason }: { code: number; reason: string }) =>
      this.#end(events, reason || `closed with code ${code}`),
    );
    socket.addEventListener('error', ({ message }: { readonly message?: unknown }) =>
      this.#end(events, typeof message === 'string' ? message : 'the connection broke'),
    );
    return true;
  }

  /** Tells a dialler that this link never came to be. */
  fail(events: LinkEvents, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    events.closed(reason);
  }

  send(bytes: Uint8Array): void {
    if (this.#closed) return;
    try {
      this.#socket?.send(bytes);
    } catch {
      // It closed meanwhile; the event says so.
    }
  }

  close(reason: string = ''): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#closeSocket(reason);
    this.#ended();
  }

  limitIncoming(bytes: number | null): void {
    this.#limit = bytes;
  }

  #admit(bytes: number): boolean {
    this.#received += bytes;
    return this.#limit === null || this.#received <= this.#limit;
  }

  #end(events: LinkEvents, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#closeSocket('');
    this.#ended();
    events.closed(reason);
  }

  #closeSocket(reason: string): void {
    try {
      this.#socket?.close(CLOSE_CODE, cutText(reason));
    } catch {
      // It is closed already.
    }
  }
}

/** Cuts a text to what a close frame carries, at a character. */
function cutText(text: string): string {
  const encoder = new TextEncoder();
  let cut = text.slice(0, CLOSE_REASON_BYTES);
  while (encoder.encode(cut).length > CLOSE_REASON_BYTES) cut = cut.slice(0, -1);
  return cut;
}
