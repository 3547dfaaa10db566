/**
 * Links that say nothing before what the node saved is durable. A storage that cannot wait for its medium (IndexedDB)
 * is then as good as one that can: nobody hears of an identity, a boot or a promise that may be lost (rules D1, M6).
 */
import type { Dialer, Link, LinkEvents } from '../../platform/links.ts';

/** What is waited for. */
export interface Gate {
  isDirty(): boolean;
  whenClean(run: () => void): void;
}

/** A dialer whose links wait for `gate`. */
export function gatedDialer(dialer: Dialer, gate: Gate): Dialer {
  return { dial: (url, events) => new GatedLink(dialer.dial(url, events), gate) };
}

/** A link that waits for `gate` before it sends. */
export function gatedLink(link: Link, gate: Gate): Link {
  return new GatedLink(link, gate);
}

/** Forwards what a node that accepted a link is told. */
export function acceptGated(
  gate: Gate,
  accept: (link: Link, remote: string) => LinkEvents,
): (link: Link, remote: string) => LinkEvents {
  return (link, remote) => accept(gatedLink(link, gate), remote);
}

class GatedLink implements Link {
  readonly #link: Link;
  readonly #gate: Gate;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #closing: { readonly reason: string | undefined } | null = null;

  constructor(link: Link, gate: Gate) {
    this.#link = link;
    this.#gate = gate;
  }

  get bufferedBytes(): number {
    return this.#link.bufferedBytes + this.#waitingBytes;
  }

  send(bytes: Uint8Array): void {
    if (this.#closing !== null) return;
    if (this.#waiting.length === 0 && !this.#gate.isDirty()) {
      this.#link.send(bytes);
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waiting.length === 1) this.#gate.whenClean(() => this.#release());
  }

  close(reason?: string): void {
    if (this.#waiting.length === 0) this.#link.close(reason);
    else this.#closing = { reason };
  }

  limitIncoming(bytes: number | null): void {
    this.#link.limitIncoming?.(bytes);
  }

  #release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    for (const bytes of waiting) this.#link.send(bytes);
    if (this.#closing !== null) this.#link.close(this.#closing.reason);
  }
}
