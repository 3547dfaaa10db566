/** Sees every message between nodes, and does to one what the visitor asked for. */
import type { Dialer, Link, LinkEvents } from '../../../src/platform/links.ts';
import type { VirtualRuntime, VirtualWorld } from '../../../src/runtime/virtual/contract.ts';
import type { Random } from '../../../src/runtime/virtual/random.ts';
import type { ArrivalView } from './protocol.ts';
import { type Said, said } from './words.ts';

/** How long a message is on its way, milliseconds; a long path makes it visible. */
export const LATENCY_MS: readonly [number, number] = [28, 62];
const DELAY_MS = 1500;

/** A message on its way. */
export interface Travelling extends Said {
  readonly id: number;
  readonly from: number;
  readonly to: number;
  readonly bytes: number;
  readonly sent: number;
  readonly due: number;
}

/** Who is told. */
export interface WireEvents {
  sent(message: Travelling): void;
  ended(arrival: ArrivalView): void;
  /** It is about to be taken in. */
  taken(message: Travelling): void;
}

/** The wires of one world. */
export class Wires {
  readonly #world: VirtualWorld;
  readonly #random: Random;
  readonly #events: WireEvents;
  readonly #travelling = new Map<Uint8Array, Travelling>();
  readonly #marks = new Map<number, 'drop' | 'duplicate' | 'delay'>();
  #last = 0;

  constructor(world: VirtualWorld, events: WireEvents) {
    this.#world = world;
    this.#random = world.random.split('latency');
    this.#events = events;
  }

  /** What shall happen to a message that is on its way; false when it is not. */
  mark(id: number, act: 'drop' | 'duplicate' | 'delay'): Travelling | null {
    for (const message of this.#travelling.values()) {
      if (message.id !== id) continue;
      this.#marks.set(id, act);
      if (act === 'drop') this.#events.ended({ id, at: this.#world.nowMs, lost: true });
      return message;
    }
    return null;
  }

  /** A process died: what it had not sent, or was to get, is lost. */
  died(node: number): void {
    for (const [bytes, message] of this.#travelling) {
      if (message.to !== node) continue;
      this.#travelling.delete(bytes);
      this.#events.ended({ id: message.id, at: this.#world.nowMs, lost: true });
    }
  }

  /** A node's way to dial others. */
  dialer(self: number, inner: Dialer): Dialer {
    return {
      dial: (url, events) => {
        const to = Number(/n(\d+)/.exec(url)?.[1] ?? 0);
        return this.#outgoing(self, to, inner.dial(url, this.#incoming(to, self, events)));
      },
    };
  }

  /** Lets others dial a node. */
  listen(
    self: number,
    runtime: VirtualRuntime,
    url: string,
    accept: (link: Link, remote: string) => LinkEvents,
  ): void {
    runtime.listen(url, (link, remote) => {
      const from = Number(remote.slice(1));
      return this.#incoming(from, self, accept(this.#outgoing(self, from, link), remote));
    });
  }

  #outgoing(from: number, to: number, link: Link): Link {
    return {
      get bufferedBytes() {
        return link.bufferedBytes;
      },
      send: (bytes) => {
        this.#sending(from, to, bytes);
        link.send(bytes);
      },
      close: (reason) => link.close(reason),
    };
  }

  #sending(from: number, to: number, bytes: Uint8Array): void {
    const latency = this.#random.between(LATENCY_MS[0] * 1000, LATENCY_MS[1] * 1000) / 1000;
    this.#world.network.setPath(`n${from}`, `n${to}`, { latencyMs: [latency, latency] });
    const words = said(bytes);
    if (words === null) return;
    const sent = this.#world.nowMs;
    const id = ++this.#last;
    const message = { ...words, id, from, to, bytes: bytes.length, sent, due: sent + latency };
    this.#travelling.set(bytes, message);
    this.#events.sent(message);
  }

  #incoming(from: number, to: number, events: LinkEvents): LinkEvents {
    const { drained } = events;
    return {
      opened: () => events.opened(),
      closed: (reason) => {
        this.#closed(from, to);
        this.#closed(to, from);
        events.closed(reason);
      },
      ...(drained ? { drained: () => drained.call(events) } : {}),
      message: (bytes) => this.#arrived(bytes, events),
    };
  }

  #closed(from: number, to: number): void {
    for (const [bytes, message] of this.#travelling) {
      if (message.from !== from || message.to !== to) continue;
      this.#travelling.delete(bytes);
      this.#events.ended({ id: message.id, at: this.#world.nowMs, lost: true });
    }
  }

  #arrived(bytes: Uint8Array, events: LinkEvents): void {
    const message = this.#travelling.get(bytes);
    if (message === undefined) {
      events.message(bytes);
      return;
    }
    const act = this.#marks.get(message.id);
    this.#marks.delete(message.id);
    if (act === 'delay') {
      this.#world.after(DELAY_MS, () => this.#late(bytes, events));
      return;
    }
    this.#travelling.delete(bytes);
    if (act === 'drop') return;
    this.#take(message, bytes, events);
    // Nobody keeps a view of a message that was taken in twice.
    if (act === 'duplicate') this.#take(message, bytes.slice(), events);
  }

  #late(bytes: Uint8Array, events: LinkEvents): void {
    const message = this.#travelling.get(bytes);
    if (message === undefined) return;
    if (this.#world.processes.find(({ name }) => name === `n${message.to}`)?.paused) {
      this.#world.after(DELAY_MS, () => this.#late(bytes, events));
      return;
    }
    this.#travelling.delete(bytes);
    this.#take(message, bytes, events);
  }

  #take(message: Travelling, bytes: Uint8Array, events: LinkEvents): void {
    this.#events.ended({ id: message.id, at: this.#world.nowMs, lost: false });
    this.#events.taken(message);
    events.message(bytes);
  }
}
