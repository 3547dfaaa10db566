/**
 * Links between tabs and workers of one origin, over `BroadcastChannel`: one channel per address, named by it. Each side
 * holds a lock as long as it lives, and the other side waits for that lock: whoever gets it knows at once that the tab is
 * gone, however it ended.
 */
import type { Entropy } from '../../platform/contract.ts';
import type { Dialer, Link, LinkEvents } from '../../platform/links.ts';
import { type LinkMessage, MessageLink } from './message-link.ts';

/** What goes over a channel: between two ends of a link, or a dial to whoever listens. */
interface TabMessage {
  readonly from: string;
  /** The agent meant; '' for whoever listens. */
  readonly to: string;
  /** Number of the link, given by the one who dialled. */
  readonly link: number;
  readonly dialler: boolean;
  readonly body: LinkMessage | { readonly kind: 'dial' } | { readonly kind: 'listening' };
}

/** Takes a link that another tab dialled. */
export type AcceptLink = (link: Link, remote: string) => LinkEvents;

/** Links of this page or worker to others of its origin. */
export interface TabLinks extends Dialer {
  /** Accepts links at `url`. The returned function stops it; links that are open stay so. */
  listen(url: string, accept: AcceptLink): () => void;
  /** Closes everything; the other tabs notice. */
  close(): void;
}

const PREFIX = 'quorlite';

/** Links of this agent (a page or a worker). Other agents see it under a name of chance. */
export function createTabLinks(entropy: Entropy): TabLinks {
  const id = new Uint8Array(12);
  entropy.fill(id);
  return new Agent([...id].map((byte) => byte.toString(16).padStart(2, '0')).join(''));
}

class Agent implements TabLinks {
  readonly #name: string;
  readonly #life: AbortController = new AbortController();
  readonly #ports: Set<Exchange> = new Set();
  /** Nobody hears of this agent before it holds its lock. */
  readonly #ready: Promise<void>;
  #numbers = 0;

  constructor(name: string) {
    this.#name = name;
    this.#ready = holdLock(lockName(name), this.#life.signal);
  }

  dial(url: string, events: LinkEvents): Link {
    return this.#exchange(url).dial(++this.#numbers, events);
  }

  listen(url: string, accept: AcceptLink): () => void {
    return this.#exchange(url).listen(accept);
  }

  close(): void {
    this.#life.abort();
    for (const port of this.#ports) port.close();
  }

  #exchange(url: string): Exchange {
    const port = new Exchange(this.#name, url, this.#ready, () => this.#ports.delete(port));
    this.#ports.add(port);
    return port;
  }
}

/** One channel: of the listener at an address with all its links, or of one dialled link. */
class Exchange {
  readonly #name: string;
  readonly #ready: Promise<void>;
  readonly #channel: BroadcastChannel;
  readonly #links: Map<string, { readonly link: MessageLink; readonly life: AbortController }> =
    new Map();
  readonly #ended: () => void;
  #accept: AcceptLink | null = null;
  #dials: { readonly number: number; readonly link: MessageLink } | null = null;
  #closed = false;

  constructor(name: string, url: string, ready: Promise<void>, ended: () => void) {
    this.#name = name;
    this.#ready = ready;
    this.#ended = ended;
    this.#channel = new BroadcastChannel(`${PREFIX}:${url}`);
    this.#channel.onmessage = ({ data }: MessageEvent<TabMessage>) => this.#receive(data);
  }

  listen(accept: AcceptLink): () => void {
    let over = false;
    void this.#ready.then(() => {
      if (over) return;
      this.#accept = accept;
      // Who dialled before there was somebody dials again.
      this.#post('', 0, false, { kind: 'listening' });
    });
    return () => {
      over = true;
      this.#accept = null;
      if (this.#links.size === 0) this.close();
    };
  }

  dial(number: number, events: LinkEvents): Link {
    let other = '';
    const link = new MessageLink({
      open: false,
      post: (message) => this.#post(other, number, true, message),
      ended: () => {
        this.#links.get(key(other, number))?.life.abort();
        this.close();
      },
    });
    link.events = {
      opened: () => events.opened(),
      message: (bytes) => events.message(bytes),
      drained: () => events.drained?.(),
      closed: (reason) => events.closed(reason),
    };
    this.#dials = { number, link };
    this.#found = (name) => {
      other = name;
      this.#add(name, number, link);
    };
    void this.#ready.then(() => this.#post('', number, true, { kind: 'dial' }));
    return link;
  }

  /** Told who answers the dial of this exchange. */
  #found: (name: string) => void = () => {};

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ended();
    for (const { link } of this.#links.values()) link.lost('closed');
    // What was posted in this turn still has to leave.
    setTimeout(() => this.#channel.close(), 0);
  }

  #receive({ from, to, link: number, dialler, body }: TabMessage): void {
    if (this.#closed || (to !== '' && to !== this.#name)) return;
    if (body.kind === 'dial') {
      if (this.#accept !== null) this.#accepted(from, number, this.#accept);
      return;
    }
    const dials = this.#dials;
    if (body.kind === 'listening') {
      if (dials !== null) this.#post('', dials.number, true, { kind: 'dial' });
      return;
    }
    // A message for the end that dialled comes from the one that accepted, and the other way round.
    if ((to === '' && body.kind !== 'close') || dialler !== (dials === null)) return;
    if (dials !== null && body.kind === 'opened' && number === dials.number) {
      if (!this.#links.has(key(from, number))) this.#found(from);
    }
    this.#links.get(key(from, number))?.link.receive(body);
  }

  #accepted(from: string, number: number, accept: AcceptLink): void {
    if (this.#links.has(key(from, number))) return;
    const link = new MessageLink({
      open: true,
      post: (message) => this.#post(from, number, false, message),
      ended: () => {
        this.#links.get(key(from, number))?.life.abort();
        this.#links.delete(key(from, number));
        if (this.#accept === null && this.#links.size === 0) this.close();
      },
    });
    link.events = accept(link, `tab ${from.slice(0, 8)}`);
    this.#add(from, number, link);
    this.#post(from, number, false, { kind: 'opened' });
  }

  #add(other: string, number: number, link: MessageLink): void {
    const life = new AbortController();
    this.#links.set(key(other, number), { link, life });
    whenLockFree(lockName(other), life.signal, () => link.lost('the tab is gone'));
  }

  #post(to: string, link: number, dialler: boolean, body: TabMessage['body']): void {
    if (this.#closed) return;
    this.#channel.postMessage({ from: this.#name, to, link, dialler, body } satisfies TabMessage);
  }
}

function key(name: string, number: number): string {
  return `${name}/${number}`;
}

function lockName(agent: string): string {
  return `${PREFIX}:agent:${agent}`;
}

/**
 * Holds a lock until `signal`; resolves when it has it. Without Web Locks (pages without TLS) the silence of the other
 * side has to do.
 */
function holdLock(name: string, signal: AbortSignal): Promise<void> {
  const { locks } = globalThis.navigator ?? {};
  if (locks === undefined) return Promise.resolve();
  return new Promise((held) => {
    void locks.request(name, () => {
      held();
      return new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener('abort', () => resolve(), { once: true });
      });
    });
  });
}

/** Calls `free` when nobody holds the lock any more, unless `signal` comes first. */
function whenLockFree(name: string, signal: AbortSignal, free: () => void): void {
  const { locks } = globalThis.navigator ?? {};
  if (locks === undefined) return;
  locks
    .request(name, { mode: 'shared', signal }, async () => {
      free();
    })
    .catch(() => {
      // Aborted: the link ended by itself.
    });
}
