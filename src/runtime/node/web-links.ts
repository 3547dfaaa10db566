/** What links over the WebSockets of Deno and Bun have in common. */
import { dialWebSocket } from '../../client/remote/websocket.ts';
import type { Dialer } from '../../platform/links.ts';
import { raftEndpoint } from './raft-endpoint.ts';

/** Code of a close that our side decided. */
export const CLOSE_CODE = 4000;
/** Code for a message that is larger than its endpoint takes. */
export const TOO_BIG = 1009;
/** Code of a node that stops. */
export const GOING_AWAY = 1001;
/** A close frame carries at most 123 bytes of text. */
const CLOSE_REASON_BYTES = 120;

/** Opens links to peers with the runtime's own `WebSocket`. */
export function createWebDialer(): Dialer {
  return {
    dial(url, events) {
      let endpoint = url;
      try {
        endpoint = raftEndpoint(url);
      } catch {
        // The constructor says what is wrong with it, as a failed dial.
      }
      return dialWebSocket(WebSocket, endpoint, events);
    },
  };
}

/** Cuts a text to what a close frame carries, at a character. */
export function cutReason(text: string): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= CLOSE_REASON_BYTES) return text;
  let cut = CLOSE_REASON_BYTES;
  // The bytes behind the first one of a character begin with 10.
  while ((bytes[cut]! & 0xc0) === 0x80) cut--;
  return new TextDecoder().decode(bytes.subarray(0, cut));
}

/** Why a link ended. */
export function closedWith(code: number, reason: string): string {
  return reason || (code === 1006 ? 'the connection broke' : `closed with code ${code}`);
}

/** Counts what comes in over a link: `admits` is false when a message is too big or comes before a proof. */
export class IncomingLimit {
  readonly #messageBytes: number;
  #allowed: number | null = null;
  #received = 0;

  constructor(messageBytes: number) {
    this.#messageBytes = messageBytes;
  }

  set(bytes: number | null): void {
    this.#allowed = bytes;
  }

  admits(bytes: number): boolean {
    this.#received += bytes;
    if (this.#allowed !== null && this.#received > this.#allowed) return false;
    return bytes <= this.#messageBytes;
  }
}
