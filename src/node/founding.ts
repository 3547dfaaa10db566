/**
 * Founding a cluster, or finding one (architecture, section 3). A pristine node founds only when every configured node
 * has answered and is pristine too; the lowest number does it, with the durable promise of all others. A node that meets
 * a member of a cluster joins instead.
 */
import type { Identity } from '../storage/contract.ts';
import type { Hello, Peer } from '../transport/contract.ts';
import type { ReplicaId } from '../wire/entry.ts';
import type { MemberInfo } from '../wire/membership.ts';

/** What a founder or promiser keeps in `Identity.promise`. */
export interface Promised {
  readonly cluster: number;
  readonly founder: ReplicaId;
}

/** What founding needs of the node around it. */
export interface FoundingHost {
  readonly node: number;
  readonly url: string;
  /** Numbers that must take part, ascending; fewer than configured with `--found-with`. */
  readonly required: readonly number[];
  /** All configured numbers. */
  readonly configured: readonly number[];
  readonly expectExisting: boolean;
  readonly voter: boolean;
  identity(): Identity;
  /** False when it could not be saved: the node has stopped. */
  saveIdentity(identity: Identity): boolean;
  peers(): readonly Peer[];
  mintCluster(): number;
  askPromise(peer: Peer, promise: Promised, done: (ok: boolean) => void): void;
  askJoin(peer: Peer): void;
  /** Writes the first entry and starts to campaign. */
  found(cluster: number, members: readonly MemberInfo[]): void;
}

/** The steps of a pristine node towards a cluster. */
export class Founding {
  readonly #host: FoundingHost;
  #asking = false;
  /** Replicas that promised for the current attempt. */
  readonly #promised = new Set<ReplicaId>();

  constructor(host: FoundingHost) {
    this.#host = host;
  }

  /** What the node waits for, for people. */
  waiting(): string {
    const { required, node, expectExisting, voter } = this.#host;
    if (expectExisting || !voter) return 'waiting for a member of the cluster to answer';
    const connected = new Set(this.#host.peers().map((peer) => peer.hello.node));
    const missing = required.filter((id) => id !== node && !connected.has(id));
    if (missing.length > 0) {
      const present = required.filter((id) => !missing.includes(id)).join(',');
      return `waiting for node ${missing.join(', ')} to found the cluster; to found without, start with --found-with ${present}`;
    }
    const differing = this.#differing();
    if (differing) {
      return `node ${differing.node} is configured with nodes ${differing.nodes.join(', ')}, this one with ${this.#host.configured.join(', ')}: make them equal`;
    }
    return `waiting for node ${Math.min(...required)} to found the cluster`;
  }

  #differing(): Hello | undefined {
    const mine = this.#host.configured.join();
    return this.#host
      .peers()
      .map((peer) => peer.hello)
      .find((hello) => hello.pristine && hello.role === 'voter' && hello.nodes.join() !== mine);
  }

  /** Does the next step; called on ticks and when peers come. */
  step(): void {
    const { required, node, expectExisting, voter } = this.#host;
    const member = this.#host.peers().find((peer) => !peer.hello.pristine);
    if (member) {
      this.#host.askJoin(member);
      return;
    }
    if (expectExisting || !voter || node !== Math.min(...required)) return;
    const partners = this.#partners();
    if (partners) this.#ask(partners);
  }

  /** The other required nodes, when all are here, pristine and of one mind; else null. */
  #partners(): Peer[] | null {
    const { required, node } = this.#host;
    if (this.#differing() && required.length === this.#host.configured.length) return null;
    const partners: Peer[] = [];
    for (const id of required) {
      if (id === node) continue;
      const peer = this.#host.peers().find((one) => one.hello.node === id);
      if (!peer?.hello.pristine || peer.hello.role !== 'voter') return null;
      partners.push(peer);
    }
    return partners;
  }

  /** Stores the cluster id first, then asks for promises; after a crash the same id is asked for again. */
  #ask(partners: readonly Peer[]): void {
    const identity = this.#host.identity();
    let promise = readPromise(identity);
    if (promise?.founder !== identity.replica) {
      promise = { cluster: this.#host.mintCluster(), founder: identity.replica };
      this.#promised.clear();
      if (!this.#host.saveIdentity({ ...identity, promise: JSON.stringify(promise) })) return;
    }
    const missing = partners.filter((peer) => !this.#promised.has(peer.hello.replica));
    if (missing.length === 0) {
      this.#found(promise.cluster, partners);
      return;
    }
    if (this.#asking) return;
    this.#asking = true;
    let open = missing.length;
    for (const peer of missing) {
      this.#host.askPromise(peer, promise, (ok) => {
        if (ok) this.#promised.add(peer.hello.replica);
        if (--open > 0) return;
        this.#asking = false;
        this.step();
      });
    }
  }

  #found(cluster: number, partners: readonly Peer[]): void {
    const { node, url } = this.#host;
    const self: MemberInfo = { replica: this.#host.identity().replica, node, url };
    const others = partners.map(({ hello }) => ({
      replica: hello.replica,
      node: hello.node,
      url: hello.url,
    }));
    this.#host.found(cluster, [self, ...others]);
  }

  /** A founder asks this pristine node for its promise. A later one replaces it: whoever asks has seen all nodes pristine. */
  promise(promised: Promised): boolean {
    const identity = this.#host.identity();
    return this.#host.saveIdentity({ ...identity, promise: JSON.stringify(promised) });
  }
}

/** The promise that an identity holds, or null. */
export function readPromise(identity: Identity): Promised | null {
  return identity.promise === '' ? null : (JSON.parse(identity.promise) as Promised);
}
