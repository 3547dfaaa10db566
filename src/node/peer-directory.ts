/**
 * Who is connected, and what is remembered of each replica across restarts: its boot counter and min(acknowledged,
 * commit), by which a restored old disk is recognised (architecture, section 3).
 */
import type { PeerMemory } from '../storage/contract.ts';
import type { Hello, Peer } from '../transport/contract.ts';
import type { LogIndex, ReplicaId } from '../wire/entry.ts';

/** A connected peer and the clock stamps exchanged with it. */
export interface ConnectedPeer {
  readonly peer: Peer;
  /** Its newest `sentAt`, echoed back to it. */
  theirSentAt: number;
}

/** Connected peers, and what is remembered of those that are not. */
export class PeerDirectory {
  readonly #connected = new Map<ReplicaId, ConnectedPeer>();
  readonly #memory = new Map<ReplicaId, { boot: number; index: LogIndex }>();

  constructor(memory: readonly PeerMemory[]) {
    for (const { replica, boot, index } of memory) this.#memory.set(replica, { boot, index });
  }

  connected(replica: ReplicaId): ConnectedPeer | undefined {
    return this.#connected.get(replica);
  }

  all(): Peer[] {
    return [...this.#connected.values()].map(({ peer }) => peer);
  }

  byNode(node: number): Peer | undefined {
    return this.all().find((peer) => peer.hello.node === node);
  }

  /** Why a peer's claims contradict what is remembered of it, or null. `durable`: it runs in durable mode. */
  contradiction(hello: Hello): string | null {
    const known = this.#memory.get(hello.replica);
    if (!known) return null;
    if (hello.boot < known.boot) {
      return `node ${hello.node} came back with an older boot counter (${hello.boot} after ${known.boot}): its disk was restored from an old copy; wipe its data folder, and it will join anew`;
    }
    if (hello.sync === 'durable' && !hello.recovering && hello.index < known.index) {
      return `node ${hello.node} came back with less log (${hello.index}) than it had acknowledged (${known.index}): its disk was restored from an old copy or lost writes; wipe its data folder, and it will join anew`;
    }
    return null;
  }

  /** Notes a connection; returns true when the peer began a new boot since it was last seen. */
  up(peer: Peer): boolean {
    const { replica, boot } = peer.hello;
    const known = this.#memory.get(replica);
    const theirSentAt = this.#connected.get(replica)?.theirSentAt ?? 0;
    const newBoot = known === undefined || boot > known.boot;
    this.#connected.set(replica, { peer, theirSentAt: newBoot ? 0 : theirSentAt });
    this.#memory.set(replica, { boot, index: known?.index ?? 0 });
    return newBoot;
  }

  /** Forgets a connection, unless a newer one took its place. */
  down(peer: Peer): boolean {
    const current = this.#connected.get(peer.hello.replica);
    if (!current || current.peer.connection !== peer.connection) return false;
    this.#connected.delete(peer.hello.replica);
    return true;
  }

  /** A replica acknowledged entries up to `index`, which are committed. */
  acknowledged(replica: ReplicaId, index: LogIndex): void {
    const known = this.#memory.get(replica);
    if (known && index > known.index) known.index = index;
  }

  /** What to persist: only replicas that are still members. */
  memory(members: ReadonlySet<ReplicaId>): PeerMemory[] {
    return [...this.#memory]
      .filter(([replica]) => members.has(replica))
      .map(([replica, { boot, index }]) => ({ replica, boot, index }));
  }
}
