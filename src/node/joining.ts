/** How a node comes to belong to a cluster: it founds one with the others, or asks a member to be let in. */
import { randomId } from '../platform/contract.ts';
import type { Peer } from '../transport/contract.ts';
import { EntryKind, makeEntry } from '../wire/entry.ts';
import { encodeMembershipEntry, type MemberInfo } from '../wire/membership.ts';
import { Founding, type Promised } from './founding.ts';
import { idText } from './id-text.ts';
import type { NodeInside } from './inside.ts';
import { JOIN_ASK_MAX_MS, JOIN_ASK_MS } from './timing.ts';

/** A promise must be given within this time, or it is asked for again. */
const PROMISE_MS = 2000;

/** Founds, joins, and asks to be promoted. */
export class Joining {
  readonly #node: NodeInside;
  readonly #founding: Founding;
  #asking = false;
  /** Questions in a row that nobody answered. */
  #unanswered = 0;
  /** The first entry is on its way to the disk. */
  #writing = false;

  constructor(node: NodeInside) {
    this.#node = node;
    this.#founding = this.#createFounding();
  }

  /** Does the next step, if one is to be done. */
  step(): void {
    const node = this.#node;
    if (node.pristine) this.#founding.step();
    else if (this.#wantsPromotion()) this.#askAnyone();
  }

  waiting(): string {
    return this.#founding.waiting();
  }

  /** Stores a founder's promise; false when that failed. */
  promise(promised: Promised): boolean {
    return this.#founding.promise(promised);
  }

  #wantsPromotion(): boolean {
    const { replica, options, self } = this.#node;
    const { learners, outgoing } = replica.raft.membership;
    return options.role === 'voter' && outgoing.length === 0 && learners.includes(self);
  }

  #createFounding(): Founding {
    const node = this.#node;
    const { nodes, foundWith, expectExisting, role, platform, url } = node.options;
    const configured = [...nodes.keys()].sort((a, b) => a - b);
    return new Founding({
      node: node.options.node,
      url,
      required: foundWith ? [...foundWith].sort((a, b) => a - b) : configured,
      configured,
      expectExisting,
      voter: role === 'voter',
      identity: () => node.identity,
      saveIdentity: (identity) => node.saveIdentity(identity),
      peers: () => node.peers.all(),
      mintCluster: () => randomId(platform.entropy),
      askPromise: (peer, promise, done) => {
        const request = { op: 'promise', ...promise } as const;
        node.requests.ask(peer.hello.replica, request, PROMISE_MS, (error) => done(!error));
      },
      askJoin: (peer) => this.#ask(peer),
      found: (cluster, members) => this.#found(cluster, members),
    });
  }

  /** Writes the first entry; applying it makes this node a voter, which may then campaign (rule E6). */
  #found(cluster: number, members: readonly MemberInfo[]): void {
    const node = this.#node;
    const { replica } = node;
    if (this.#writing || !node.pristine || replica.raft.lastIndex > 0) return;
    const { storage, logger, platform } = node.options;
    const payload = encodeMembershipEntry({ type: 'found', members });
    const entry = makeEntry(1, 1, EntryKind.membership, payload);
    const hardState = { term: 1, vote: 0, commit: 1 };
    logger.info('founding cluster', { cluster: idText(cluster), members: members.length });
    if (!node.saveIdentity({ ...node.identity, cluster })) return;
    this.#writing = true;
    const write = { token: 0, hardState, entries: [entry], mustSync: true };
    storage.log.append(write, (error) => {
      if (error) {
        replica.fail(error);
        return;
      }
      replica.restart({ ...replica.start, hardState, entries: [entry], recovering: false });
      if (node.recovering) node.recovered();
      const stop = node.watch(() => {
        if (node.pristine) return;
        stop();
        platform.timers.soon(() => replica.withRaft((raft) => raft.campaign()));
      });
    });
  }

  #askAnyone(): void {
    const member = this.#node.peers.all().find(({ hello }) => !hello.pristine);
    if (member) this.#ask(member);
  }

  #ask({ hello }: Peer): void {
    if (this.#asking) return;
    this.#asking = true;
    const node = this.#node;
    const { url, role, logger } = node.options;
    node.joinedCluster = hello.cluster;
    const member = { replica: node.self, node: node.options.node, url };
    const request = { op: 'join', member, voter: role === 'voter' } as const;
    node.requests.ask(hello.replica, request, this.#patienceMs(), (error) => {
      this.#asking = false;
      this.#unanswered = error?.code === 'TIMEOUT' ? this.#unanswered + 1 : 0;
      if (error) logger.info('not joined yet', { code: error.code, reason: error.message });
    });
  }

  /** How long to wait for an answer: jittered, so that nodes that start together do not ask together for ever. */
  #patienceMs(): number {
    const draw = new Uint8Array(1);
    this.#node.options.platform.entropy.fill(draw);
    const ms = Math.min(JOIN_ASK_MS * 2 ** this.#unanswered, JOIN_ASK_MAX_MS);
    return ms * (0.75 + draw[0]! / 512);
  }
}
