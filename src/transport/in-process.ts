/**
 * Links inside one process: nodes that share an event loop, in tests and in embedding programs. Messages are handed over
 * without copying, each in a later turn, in order.
 */
import type { Timers } from '../platform/contract.ts';
import type { Dialer, Link, LinkEvents } from '../platform/links.ts';

/** Where in-process links meet. */
export interface LinkHub {
  /** `remote` is what acceptors hear. */
  dialer(remote: string): Dialer;
  /** Accepts links at `url`; the returned function stops it. */
  listen(url: string, accept: (link: Link, remote: string) => LinkEvents): () => void;
}

/** A hub of its own; links of different hubs never meet. */
export function createLinkHub(timers: Timers): LinkHub {
  const listeners = new Map<string, (link: Link, remote: string) => LinkEvents>();
  return {
    dialer(remote) {
      return {
        dial(url, events) {
          const near = new InProcessLink(timers);
          near.events = events;
          timers.soon(() => {
            const accept = listeners.get(url);
            if (accept === undefined) near.fail('connection refused');
            else near.connect(remote, accept);
          });
          return near;
        },
      };
    },
    listen(url, accept) {
      listeners.set(url, accept);
      return () => {
        if (listeners.get(url) === accept) listeners.delete(url);
      };
    },
  };
}

class InProcessLink implements Link {
  events: LinkEvents | null = null;
  readonly #timers: Timers;
  #other: InProcessLink | null = null;
  #open = true;
  /** What the other side has sent and this one has not taken. */
  #inbox: Uint8Array[] = [];
  #inboxBytes = 0;
  #closing: string | null = null;
  #scheduled = false;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  get bufferedBytes(): number {
    return this.#other === null ? 0 : this.#other.#inboxBytes;
  }

  connect(remote: string, accept: (link: Link, remote: string) => LinkEvents): void {
    if (!this.#open) return;
    const far = new InProcessLink(this.#timers);
    this.#other = far;
    far.#other = this;
    far.events = accept(far, remote);
    this.events?.opened();
  }

  fail(reason: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.events?.closed(reason);
  }

  send(bytes: Uint8Array): void {
    const other = this.#other;
    if (!this.#open || other === null || !other.#open) return;
    other.#inbox.push(bytes);
    other.#inboxBytes += bytes.length;
    other.#schedule();
  }

  close(reason: string = 'closed'): void {
    if (!this.#open) return;
    this.#open = false;
    const other = this.#other;
    if (other === null || !other.#open) return;
    other.#closing = reason;
    other.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#timers.soon(() => this.#take());
  }

  /** Hands over what has come until now; what comes meanwhile waits for the next turn. */
  #take(): void {
    this.#scheduled = false;
    const messages = this.#inbox;
    const closing = this.#closing;
    this.#inbox = [];
    this.#inboxBytes = 0;
    for (const bytes of messages) if (this.#open) this.events?.message(bytes);
    const other = this.#other;
    if (messages.length > 0 && other !== null && other.#open) other.events?.drained?.();
    if (closing !== null) this.fail(closing);
  }
}
