/**
 * The transport over links: keeps one proven connection to each peer, whoever dialled it.
 *
 * Both sides may dial, so two connections can come up at once. Rules, the same on both sides:
 *
 * - a newer boot of a replica replaces what is left of an older one; an older boot is refused;
 * - a connection that is up and alive stays, and a second one is refused as a duplicate (after a ping to the first, so
 *   that a dead one is found sooner), unless the same peer dialled both: it would not have dialled with the first alive;
 * - when both are being made, the one that the smaller replica id dialled is kept. The dialer decides, since it hears
 *   first that both sides have proved themselves.
 */
import type { Platform } from '../platform/contract.ts';
import type { Dialer, Link, LinkEvents } from '../platform/links.ts';
import type { Logger } from '../telemetry/logger.ts';
import { assert, must } from '../wire/assert.ts';
import type { ReplicaId } from '../wire/entry.ts';
import {
  type Hello,
  type Lane,
  type Peer,
  REPLACED,
  type Transport,
  type TransportHandler,
} from './contract.ts';
import { handshakeKey, incompatibility } from './handshake.ts';
import { TRANSPORT_LIMITS, type TransportLimits } from './limits.ts';
import { type Origin, PeerLink, type PeerLinkOwner } from './peer-link.ts';
import { PendingLink, type PendingOwner } from './pending-link.ts';
import { type RedialOwner, RedialTarget } from './redial.ts';
import type { Refusal } from './refusal.ts';
import { ReportedRefusals } from './reported-refusals.ts';
import { type MutableStats, newStats } from './stats.ts';

/** What a link transport is made of. */
export interface LinkTransportOptions {
  readonly dialer: Dialer;
  readonly platform: Platform;
  /** Shared by all nodes; null (an empty key) is for loopback only, which the runtime enforces. */
  readonly secret: string | null;
  readonly logger: Logger;
  readonly limits?: Partial<TransportLimits> | undefined;
}

/**
 * A transport over links.
 *
 * @example
 * const transport = createLinkTransport({ dialer, platform, secret: 'a secret of 16+ characters', logger });
 * transport.start(handler);
 * transport.setPeers([{ node: 2, url: 'http://10.0.0.2:4001' }]);
 */
export function createLinkTransport(options: LinkTransportOptions): Transport {
  return new LinkTransport(options);
}

class LinkTransport implements Transport, PeerLinkOwner, PendingOwner, RedialOwner {
  readonly limits: TransportLimits;
  readonly platform: Platform;
  readonly key: Uint8Array;
  readonly stats: MutableStats = newStats();
  cluster = 0;
  readonly #dialer: Dialer;
  readonly #logger: Logger;
  readonly #peers = new Map<ReplicaId, PeerLink>();
  readonly #pending = new Map<PendingLink, RedialTarget | null>();
  readonly #reported = new ReportedRefusals();
  #targets: RedialTarget[] = [];
  #handler: TransportHandler | null = null;
  #closed = false;
  #connections = 0;
  #polling = false;

  constructor(options: LinkTransportOptions) {
    this.limits = { ...TRANSPORT_LIMITS, ...options.limits };
    this.platform = options.platform;
    this.key = handshakeKey(options.secret);
    this.#dialer = options.dialer;
    this.#logger = options.logger;
  }

  start(handler: TransportHandler): void {
    assert(this.#handler === null && !this.#closed, 'a transport is started once');
    this.#handler = handler;
    this.hello();
    this.#scheduleBeat();
  }

  setPeers(peers: readonly { readonly node: number; readonly url: string }[]): void {
    if (this.#closed) return;
    const self = this.hello();
    const before = this.#targets;
    const wanted = peers.filter((peer) => peer.node !== self.node || peer.node === 0);
    this.#targets = wanted.map(
      ({ node, url }) =>
        before.find((target) => target.node === node && target.url === url) ??
        new RedialTarget(this, node, url),
    );
    for (const target of before) if (!this.#targets.includes(target)) this.#drop(target);
    for (const target of this.#targets) if (!before.includes(target)) target.dial();
  }

  accept(link: Link, remote: string): LinkEvents {
    const pending = new PendingLink(this, 'acceptor', remote, 0);
    pending.attach(link);
    if (this.#closed || this.#handler === null) {
      pending.cancel('not serving');
    } else {
      this.#makeRoom();
      this.#pending.set(pending, null);
    }
    return pending;
  }

  send(to: ReplicaId, lane: Lane, parts: readonly Uint8Array[]): boolean {
    const sent = this.#peers.get(to)?.send(lane, parts) ?? false;
    if (!sent) this.stats.framesDropped++;
    return sent;
  }

  buffered(to: ReplicaId, lane: Lane): number {
    return this.#peers.get(to)?.buffered(lane) ?? 0;
  }

  peers(): readonly Peer[] {
    return Array.from(this.#peers.values(), (link) => link.peer);
  }

  refreshHello(): void {
    if (this.#closed) return;
    const self = this.hello();
    for (const link of [...this.#peers.values()]) {
      const reason = incompatibility(self, link.peer.hello);
      if (reason === null) link.sayHello(self);
      else link.refuse({ duplicate: false, reason });
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const target of this.#targets) target.stop();
    for (const pending of this.#pending.keys()) pending.cancel('the node is leaving');
    for (const link of this.#peers.values()) link.close('the node is leaving', true);
    this.#targets = [];
    this.#pending.clear();
    this.#peers.clear();
  }

  // What targets need.

  connected(node: number): boolean {
    for (const link of this.#peers.values()) if (link.peer.hello.node === node) return true;
    return false;
  }

  dial(target: RedialTarget): void {
    const pending = new PendingLink(this, 'dialer', target.url, target.node);
    this.#pending.set(pending, target);
    pending.attach(this.#dialer.dial(target.url, pending));
  }

  // What pending links need.

  hello(): Hello {
    const self = must(this.#handler, 'a transport is started before it is used').hello();
    this.cluster = self.cluster;
    return self;
  }

  judge(pending: PendingLink, hello: Hello): Refusal | null {
    const old = this.#peers.get(hello.replica)?.peer.hello;
    if (old !== undefined && hello.boot < old.boot) {
      return { duplicate: false, reason: 'an older boot of a replica that is connected' };
    }
    if (this.#isDuplicate(pending, hello)) {
      return { duplicate: true, reason: 'another connection is kept' };
    }
    const reason = must(this.#handler).admit(hello);
    return reason === null ? null : { duplicate: false, reason };
  }

  connect(pending: PendingLink, link: Link, origin: Origin, self: Hello, hello: Hello): PeerLink {
    this.#pending.get(pending)?.settled();
    this.#pending.delete(pending);
    const peer = new PeerLink(this, link, origin, self, hello, ++this.#connections);
    const old = this.#peers.get(hello.replica);
    this.#peers.set(hello.replica, peer);
    for (const target of this.#targets) if (target.node === hello.node) target.up();
    this.#reported.forget();
    const handler = must(this.#handler);
    if (old !== undefined) {
      old.close(REPLACED, false);
      handler.down(old.peer, REPLACED, false);
    }
    this.#logger.debug('peer connected', { node: hello.node, by: origin.side, at: origin.label });
    // The handshake may have been under way while this node founded or joined a cluster.
    const now = this.hello();
    if (now.cluster !== self.cluster || now.pristine !== self.pristine) peer.sayHello(now);
    if (!this.#closed) handler.up(peer.peer);
    return peer;
  }

  failed(pending: PendingLink, refusal: Refusal | null, reason: string): void {
    const target = this.#pending.get(pending);
    this.#pending.delete(pending);
    if (this.#closed) return;
    this.#logger.debug('no connection', { side: pending.side, at: pending.label, reason });
    const refused = refusal !== null && !refusal.duplicate;
    target?.failed(refused);
    if (refused) this.#report(pending.label, reason);
  }

  // What peer links need.

  frame(link: PeerLink, lane: Lane, bytes: Uint8Array): void {
    must(this.#handler).frame(link.peer, lane, bytes);
  }

  renewed(link: PeerLink, hello: Hello): Refusal | null {
    const handler = must(this.#handler);
    const reason = incompatibility(this.hello(), hello) ?? handler.admit(hello);
    if (reason !== null) return { duplicate: false, reason };
    link.peer.hello = hello;
    handler.changed?.(link.peer);
    return null;
  }

  ended(link: PeerLink, reason: string, clean: boolean): void {
    const { replica, node } = link.peer.hello;
    if (this.#peers.get(replica) !== link) return;
    this.#peers.delete(replica);
    this.#logger.debug('peer gone', { node, reason, clean });
    must(this.#handler).down(link.peer, reason, clean);
    for (const target of this.#targets) {
      if (target.node === node || target.url === link.origin.label) target.down(clean);
    }
  }

  refused(link: PeerLink, refusal: Refusal): void {
    if (!refusal.duplicate) this.#report(link.origin.label, refusal.reason);
  }

  blocked(): void {
    if (this.#polling) return;
    this.#polling = true;
    this.platform.timers.after(this.limits.drainPollMs, () => this.#poll());
  }

  #poll(): void {
    this.#polling = false;
    for (const link of this.#peers.values()) {
      link.drain();
      if (link.waiting) this.blocked();
    }
  }

  #scheduleBeat(): void {
    this.platform.timers.after(this.limits.heartbeatMs, () => {
      if (this.#closed) return;
      this.#scheduleBeat();
      for (const link of [...this.#peers.values()]) link.beat();
    });
  }

  #isDuplicate(pending: PendingLink, hello: Hello): boolean {
    const old = this.#peers.get(hello.replica);
    if (old !== undefined && hello.boot === old.peer.hello.boot && !old.suspect) {
      const redialled = pending.side === 'acceptor' && old.origin.side === 'acceptor';
      if (!redialled) old.ping();
      return !redialled;
    }
    if (pending.side === 'acceptor' || hello.replica > this.hello().replica) return false;
    for (const other of this.#pending.keys()) if (isRival(other, hello)) return true;
    return false;
  }

  /**
   * When too many strangers are connected the one that has had the longest time to prove itself goes, not the newest:
   * so that whoever opens connections and says nothing keeps no peer out.
   */
  #makeRoom(): void {
    const strangers = [...this.#pending.keys()].filter(
      ({ side, accepted }) => side === 'acceptor' && accepted === null,
    );
    if (strangers.length < this.limits.unauthenticatedLinks) return;
    const oldest = strangers[0]!;
    this.#pending.delete(oldest);
    oldest.cancel('too many connections that have proved nothing');
  }

  #drop(target: RedialTarget): void {
    target.stop();
    for (const [pending, its] of this.#pending) {
      if (its !== target) continue;
      this.#pending.delete(pending);
      pending.cancel('no longer wanted');
    }
  }

  #report(url: string, reason: string): void {
    if (this.#reported.isNew(url, reason)) must(this.#handler).refused(url, reason);
  }
}

/** Whether a pending link was accepted for the same boot of the same replica. */
function isRival(pending: PendingLink, hello: Hello): boolean {
  const accepted = pending.accepted;
  return accepted !== null && accepted.replica === hello.replica && accepted.boot === hello.boot;
}
