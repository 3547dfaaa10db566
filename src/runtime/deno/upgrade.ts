/** WebSocket upgrades on Deno. */
import type { Link, LinkEvents } from '../../platform/links.ts';
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
import { type DenoAddress, denoApi } from './api.ts';

/** Upgrades of one node on Deno. */
export interface DenoMount extends Mount {
  upgrade(request: Request, info: unknown): Response | null;
}

/** Makes the mount: `upgrade` takes what `Deno.serve` hands to its handler. */
export function createDenoMount(options: UpgradeOptions): DenoMount {
  const endpoints = endpointsOf(options);
  const links = new Set<DenoLink>();
  let closing = false;

  function accept(request: Request, endpoint: Endpoint, remote: string): Response {
    // No pings of Deno's own: the protocols have theirs, and a stalled loop is no dead one.
    const { socket, response } = denoApi().upgradeWebSocket(request, { idleTimeout: 0 });
    const link = new DenoLink(socket, endpoint, remote, () => links.delete(link));
    links.add(link);
    return response;
  }

  return {
    upgrade(request, info) {
      const endpoint = judgeUpgrade(request, endpoints, options.origins, closing);
      if (endpoint === null || endpoint instanceof Response) return endpoint;
      return accept(request, endpoint, remoteOf(info));
    },
    close() {
      closing = true;
      for (const link of links) link.end(GOING_AWAY, 'the node stops');
    },
    terminate() {
      for (const link of [...links]) link.abandon();
    },
  };
}

/** `address:port`, for the log; '' when a framework in between keeps it to itself. */
function remoteOf(info: unknown): string {
  const address = (info as { readonly remoteAddr?: DenoAddress } | null | undefined)?.remoteAddr;
  return address === undefined ? '' : `${address.hostname}:${address.port}`;
}

/** A link over an accepted socket. Deno does not tell when one has drained: `bufferedBytes` is polled. */
class DenoLink implements Link {
  readonly #socket: WebSocket;
  readonly #limit: IncomingLimit;
  readonly #gone: () => void;
  #events: LinkEvents | null = null;
  #closed = false;
  #failure = '';

  constructor(socket: WebSocket, endpoint: Endpoint, remote: string, gone: () => void) {
    this.#socket = socket;
    this.#limit = new IncomingLimit(endpoint.messageBytes);
    this.#gone = gone;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.#events = endpoint.accept(this, remote);
    };
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onerror = (event) => {
      const { message } = event as Event & { readonly message?: string };
      this.#failure = message ?? '';
    };
    socket.onclose = ({ code, reason }) => this.#onClose(code, reason);
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  send(bytes: Uint8Array): void {
    if (!this.#closed && this.#socket.readyState === WebSocket.OPEN) {
      this.#socket.send(bytes as Uint8Array<ArrayBuffer>);
    }
  }

  close(reason: string = ''): void {
    if (this.#closed) return;
    this.#closed = true;
    this.end(CLOSE_CODE, reason);
  }

  limitIncoming(bytes: number | null): void {
    this.#limit.set(bytes);
  }

  /** Asks the other side to close; the owner hears of it when it has. */
  end(code: number, reason: string): void {
    if (this.#socket.readyState <= WebSocket.OPEN) this.#socket.close(code, cutReason(reason));
  }

  /** The other side does not answer: nobody waits for it any longer. */
  abandon(): void {
    this.end(GOING_AWAY, 'the node stops');
    this.#onClose(GOING_AWAY, 'the other side did not close');
  }

  #receive(data: unknown): void {
    if (this.#closed) return;
    const bytes = data instanceof ArrayBuffer ? new Uint8Array(data) : null;
    if (bytes !== null && this.#limit.admits(bytes.length)) {
      this.#events?.message(bytes);
      return;
    }
    this.#failure = bytes === null ? 'a text message' : 'a message is too big';
    this.end(bytes === null ? CLOSE_CODE : TOO_BIG, this.#failure);
    this.#onClose(CLOSE_CODE, '');
  }

  #onClose(code: number, reason: string): void {
    this.#gone();
    if (this.#closed) return;
    this.#closed = true;
    this.#events?.closed(closedWith(code, reason || this.#failure));
  }
}
