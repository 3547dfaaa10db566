/** WebSocket upgrades on Bun. */
import type { Link, LinkEvents } from '../../platform/links.ts';
import { QuorliteError } from '../../wire/error.ts';
import type { Mount } from '../node/driver.ts';
import {
  type Endpoint,
  endpointsOf,
  judgeUpgrade,
  type UpgradeOptions,
} from '../node/upgrade-rules.ts';
import {
  CLOSE_CODE,
  closedWith,
  cutReason,
  GOING_AWAY,
  IncomingLimit,
  TOO_BIG,
} from '../node/web-links.ts';
import type { BunServer, BunSocket, BunSocketHandlers } from './api.ts';

/** Upgrades of one node on Bun. */
export interface BunMount extends Mount {
  upgrade(request: Request, server: unknown): Response | null;
  readonly websocket: BunSocketHandlers<BunLink>;
}

/** Bytes that Bun may buffer for one socket before it drops messages: those above decide, not Bun. */
const BACKPRESSURE_BYTES = 2 ** 31 - 1;
const OPEN = 1;

/** Makes the mount: `upgrade` takes what `Bun.serve` hands to `fetch`, and `websocket` goes beside it. */
export function createBunMount(options: UpgradeOptions): BunMount {
  const endpoints = endpointsOf(options);
  const links = new Set<BunLink>();
  let closing = false;

  const websocket: BunSocketHandlers<BunLink> = {
    // One bound for all endpoints: each link knows its own.
    maxPayloadLength: Math.max(1, ...[...endpoints.values()].map((one) => one.messageBytes)),
    backpressureLimit: BACKPRESSURE_BYTES,
    closeOnBackpressureLimit: false,
    // No pings of Bun's own: the protocols have theirs, and a stalled loop is no dead one.
    idleTimeout: 0,
    sendPings: false,
    perMessageDeflate: false,
    open(socket) {
      socket.binaryType = 'uint8array';
      links.add(socket.data);
      socket.data.open(socket);
    },
    message: (socket, data) => socket.data.receive(data),
    drain: (socket) => socket.data.drained(),
    close(socket, code, reason) {
      links.delete(socket.data);
      socket.data.closedBy(code, reason);
    },
  };

  return {
    websocket,
    upgrade(request, given) {
      const endpoint = judgeUpgrade(request, endpoints, options.origins, closing);
      if (endpoint === null || endpoint instanceof Response) return endpoint;
      const server = serverOf(given);
      const address = server.requestIP(request);
      const remote = address === null ? '' : `${address.address}:${address.port}`;
      server.upgrade(request, { data: new BunLink(endpoint, remote) });
      // Bun has answered; it takes no notice of this one.
      return new Response(null);
    },
    close() {
      closing = true;
      for (const link of links) link.end(GOING_AWAY, 'the node stops');
    },
    terminate() {
      for (const link of links) link.terminate();
    },
  };
}

function serverOf(given: unknown): BunServer {
  const server = given as BunServer | null | undefined;
  if (typeof server?.upgrade === 'function') return server;
  throw new QuorliteError('NOT_SUPPORTED', 'a WebSocket needs the server of Bun', {
    hint: 'Bun.serve({ fetch: (request, server) => node.fetch(request, server), websocket: node.websocket })',
  });
}

/** A link over an accepted socket. */
export class BunLink implements Link {
  readonly #endpoint: Endpoint;
  readonly #remote: string;
  readonly #limit: IncomingLimit;
  #socket: BunSocket<BunLink> | null = null;
  #events: LinkEvents | null = null;
  #closed = false;
  #failure = '';

  constructor(endpoint: Endpoint, remote: string) {
    this.#endpoint = endpoint;
    this.#remote = remote;
    this.#limit = new IncomingLimit(endpoint.messageBytes);
  }

  get bufferedBytes(): number {
    return this.#socket?.getBufferedAmount() ?? 0;
  }

  send(bytes: Uint8Array): void {
    const socket = this.#socket;
    if (this.#closed || socket?.readyState !== OPEN) return;
    // A message that is lost breaks the promise of a link: its order.
    if (socket.send(bytes) === 0 && bytes.length > 0) this.terminate();
  }

  close(reason: string = ''): void {
    if (this.#closed) return;
    this.#closed = true;
    this.end(CLOSE_CODE, reason);
  }

  limitIncoming(bytes: number | null): void {
    this.#limit.set(bytes);
  }

  open(socket: BunSocket<BunLink>): void {
    this.#socket = socket;
    this.#events = this.#endpoint.accept(this, this.#remote);
  }

  receive(data: Uint8Array | string): void {
    if (this.#closed) return;
    if (typeof data !== 'string' && this.#limit.admits(data.length)) {
      this.#events?.message(data);
      return;
    }
    this.#failure = typeof data === 'string' ? 'a text message' : 'a message is too big';
    this.end(typeof data === 'string' ? CLOSE_CODE : TOO_BIG, this.#failure);
    this.closedBy(CLOSE_CODE, '');
  }

  /** Bun tells of every part that has left; the owner hears when all of it has. */
  drained(): void {
    if (!this.#closed && this.bufferedBytes === 0) this.#events?.drained?.();
  }

  /** Asks the other side to close; the owner hears of it when it has. */
  end(code: number, reason: string): void {
    if (this.#socket?.readyState === OPEN) this.#socket.close(code, cutReason(reason));
  }

  terminate(): void {
    this.#socket?.terminate();
  }

  closedBy(code: number, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#events?.closed(closedWith(code, reason || this.#failure));
  }
}
