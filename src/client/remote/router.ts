/** Which node the client talks to: dialling, failing over, following the leader. */
import type { TimerHandle } from '../../platform/contract.ts';
import { QuorliteError } from '../../wire/error.ts';
import type { LeaderHint, StreamWelcome } from '../../wire/stream-handshake.ts';
import { ClientConnection, type ConnectionEvents, type ConnectionOptions } from './connection.ts';
import { backoff } from './limits.ts';
import { randomFraction } from './runtime.ts';

/** What the dispatcher is told. */
export interface RouterEvents extends Pick<ConnectionEvents, 'answer'> {
  /** New calls go to this connection now. */
  available(connection: ClientConnection, welcome: StreamWelcome): void;
  /** A connection that had been open is gone. */
  lost(connection: ClientConnection, error: QuorliteError): void;
  /** No node will ever take this client as it is (wrong token, unknown protocol). */
  refused(error: QuorliteError): void;
  /** Whether calls wait for a connection. */
  isWanted(): boolean;
}

/** How a router is made. */
export interface RouterOptions extends Omit<ConnectionOptions, 'events'> {
  readonly urls: readonly string[];
  /** Whether to move to the leader. */
  readonly follow: boolean;
  readonly events: RouterEvents;
}

interface Node {
  readonly url: string;
  /** Given by the caller, not learned from the cluster. */
  readonly given: boolean;
  failures: number;
  /** Not dialled before this time. */
  blockedUntil: number;
}

/** Codes with which a node refuses the client itself, not its connection. */
const FINAL: ReadonlySet<string> = new Set(['UNAUTHENTICATED', 'FORBIDDEN', 'NOT_SUPPORTED']);

/** Keeps one connection for new calls, and older ones until their calls are answered. */
export class Router implements ConnectionEvents {
  /** Takes new calls. */
  active: ClientConnection | null = null;
  /** Why the last attempt to connect failed. */
  lastError: QuorliteError | null = null;
  /** Cluster id, '' before it is known. A client never works with two clusters. */
  history = '';
  readonly #options: RouterOptions;
  readonly #nodes: Map<string, Node> = new Map();
  /** Where a node number was met: what the caller gave may be reachable when the advertised address is not. */
  readonly #met: Map<number, string> = new Map();
  readonly #open: Set<ClientConnection> = new Set();
  readonly #dialling: Set<ClientConnection> = new Set();
  /** When to look for a node again. */
  #redial: TimerHandle | null = null;
  #hint: LeaderHint | null = null;
  #followFailures = 0;
  #followBlockedUntil = 0;
  #followPending = false;
  #avoidedAt = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(options: RouterOptions) {
    this.#options = options;
    for (const url of options.urls) this.#learn(url, true);
  }

  #learn(url: string, given: boolean): void {
    if (!this.#nodes.has(url)) {
      this.#nodes.set(url, { url, given, failures: 0, blockedUntil: 0 });
    }
  }

  get #now(): number {
    return this.#options.runtime.monotonicMs();
  }

  get #random(): number {
    return randomFraction(this.#options.runtime.entropy);
  }

  /**
   * Connects if there is no connection: to the node that failed least, after its pause. A node that does not answer
   * must not hold up the others, so the next one is dialled beside it after a while.
   */
  connect(): void {
    if (this.#closed || this.active || this.#redial !== null) return;
    const now = this.#now;
    const free = [...this.#nodes.values()].filter(({ url }) => !this.#isDialling(url));
    free.sort(
      (a, b) =>
        Math.max(a.blockedUntil, now) - Math.max(b.blockedUntil, now) ||
        a.failures - b.failures ||
        Number(b.given) - Number(a.given),
    );
    const next = free[0];
    if (!next) return;
    if (next.blockedUntil > now) {
      this.#connectAfter(next.blockedUntil - now);
      return;
    }
    this.#connectAfter(this.#options.limits.hedgeMs);
    this.#dial(next.url);
  }

  #connectAfter(ms: number): void {
    this.#redial = this.#options.runtime.timers.after(ms, () => {
      this.#redial = null;
      if (this.#options.events.isWanted()) this.connect();
    });
  }

  /** A failure is known: there is nothing to wait for before the next node is tried. */
  #connectNow(): void {
    if (this.#redial !== null) this.#options.runtime.timers.cancel(this.#redial);
    this.#redial = null;
    this.connect();
  }

  #isDialling(url: string): boolean {
    for (const connection of this.#dialling) if (connection.url === url) return true;
    return false;
  }

  #dial(url: string): void {
    const connection = new ClientConnection(url, { ...this.#options, events: this });
    this.#dialling.add(connection);
    connection.start();
  }

  ready(connection: ClientConnection, welcome: StreamWelcome): void {
    this.#checkHistory(welcome.history);
    const node = this.#nodes.get(connection.url);
    if (node) node.failures = 0;
    this.#dialling.delete(connection);
    for (const other of this.#dialling) other.close('another node was faster');
    this.#dialling.clear();
    this.#open.add(connection);
    const before = this.active;
    this.active = connection;
    this.lastError = null;
    if (before) this.#drain(before);
    this.#options.events.available(connection, welcome);
  }

  #checkHistory(history: string): void {
    if (history === '' || history === this.history) return;
    if (this.history !== '') {
      throw new QuorliteError(
        'CLUSTER_MISMATCH',
        `the node belongs to cluster ${history}, this client has worked with ${this.history}`,
        { hint: 'make a new client' },
      );
    }
    this.history = history;
  }

  leader(connection: ClientConnection, hint: LeaderHint): void {
    this.#checkHistory(hint.history);
    this.#met.set(hint.node, connection.url);
    for (const { url } of hint.members) this.#learn(url.replace(/\/+$/, ''), false);
    if (connection !== this.active) return;
    this.#hint = hint;
    if (hint.leader === hint.node) this.#followFailures = 0;
    this.#follow();
  }

  /** Writes save a hop at the leader; while it cannot be reached, any other node serves. */
  #follow(): void {
    const { follow, runtime } = this.#options;
    const url = this.#leaderUrl();
    if (!follow || this.#closed || !this.active || url === null) return;
    if (this.#dialling.size > 0 || this.#followPending || url === this.active.url) return;
    const wait = this.#followBlockedUntil - this.#now;
    if (wait <= 0) {
      this.#followBlockedUntil = this.#now + this.#options.limits.followMs[0];
      this.#dial(url);
      return;
    }
    this.#followPending = true;
    runtime.timers.after(wait, () => {
      this.#followPending = false;
      this.#follow();
    });
  }

  #leaderUrl(): string | null {
    const hint = this.#hint;
    if (!hint || hint.leader === 0 || hint.leader === hint.node) return null;
    const member = hint.members.find(({ id }) => id === hint.leader);
    return this.#met.get(hint.leader) ?? member?.url.replace(/\/+$/, '') ?? null;
  }

  goodbye(connection: ClientConnection): void {
    this.#block(connection.url);
    this.#drain(connection);
    if (connection !== this.active) return;
    this.active = null;
    if (this.#options.events.isWanted()) this.#connectNow();
  }

  /** A node that cannot serve now: new calls go elsewhere, if there is an elsewhere. */
  avoid(connection: ClientConnection): void {
    const { avoidMs } = this.#options.limits;
    if (connection !== this.active || this.#nodes.size < 2) return;
    if (this.#now - this.#avoidedAt < avoidMs) return;
    this.#avoidedAt = this.#now;
    this.#block(connection.url);
    this.active = null;
    this.#drain(connection);
    this.#connectNow();
  }

  #drain(connection: ClientConnection): void {
    connection.draining = true;
    this.settle(connection);
  }

  /** Closes a draining connection after its last answer. */
  settle(connection: ClientConnection): void {
    if (!connection.draining || connection.calls.size > 0) return;
    this.#open.delete(connection);
    connection.close('done');
  }

  answer(...answer: Parameters<ConnectionEvents['answer']>): void {
    this.#options.events.answer(...answer);
  }

  closed(connection: ClientConnection, error: QuorliteError): void {
    this.#block(connection.url);
    const wasOpen = this.#open.delete(connection);
    if (this.#dialling.delete(connection)) this.#dialFailed(connection, error);
    if (connection === this.active) {
      this.active = null;
      this.lastError = error;
    }
    if (wasOpen) this.#options.events.lost(connection, error);
    if (this.#options.events.isWanted()) this.#connectNow();
  }

  #dialFailed(connection: ClientConnection, error: QuorliteError): void {
    if (!this.active) {
      this.lastError = error;
      if (FINAL.has(error.code)) this.#options.events.refused(error);
      return;
    }
    this.#followFailures++;
    const pause = backoff(this.#options.limits.followMs, this.#followFailures, this.#random);
    this.#followBlockedUntil = this.#now + pause;
    if (connection.url === this.#leaderUrl()) this.#follow();
  }

  #block(url: string): void {
    const node = this.#nodes.get(url);
    if (!node) return;
    node.failures++;
    const pause = backoff(this.#options.limits.redialMs, node.failures, this.#random);
    node.blockedUntil = this.#now + pause;
  }

  /** Closes every connection, without events. */
  close(): void {
    this.#closed = true;
    if (this.#redial !== null) this.#options.runtime.timers.cancel(this.#redial);
    for (const connection of this.#dialling) connection.close('closed');
    for (const connection of this.#open) connection.close('closed');
    this.#open.clear();
    this.#dialling.clear();
    this.active = null;
  }
}
