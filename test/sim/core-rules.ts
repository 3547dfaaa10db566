/**
 * Rules that single steps must keep (raft-rules), checked from outside with arithmetic of its own: whom a vote may go to, on
 * what a leadership, a commit and a read stand, what a message may change. A broken rule shows here at its first step, long
 * before chance makes a wrong state of it.
 */
import { assert } from '../../src/wire/assert.ts';
import { EntryKind, type LogIndex, type ReplicaId, type Term } from '../../src/wire/entry.ts';
import type { Membership } from '../../src/wire/membership.ts';
import { type Message, MessageType } from '../../src/wire/message.ts';
import type { VirtualReplica } from './virtual-replica.ts';

/** Whether a majority of each half says yes, counted one by one. */
export function agree(
  { voters, outgoing }: Membership,
  says: (replica: ReplicaId) => boolean,
): boolean {
  return [voters, outgoing].every((half) => {
    let yes = 0;
    for (const voter of half) if (says(voter)) yes++;
    return half.length === 0 || yes * 2 > half.length;
  });
}

interface Before {
  readonly term: Term;
  readonly commit: LogIndex;
  readonly last: LogIndex;
  readonly lastTerm: Term;
}

interface Leading {
  readonly key: string;
  readonly membership: Membership;
  ticks: number;
  readonly heard: Map<ReplicaId, number>;
}

/** Watches replicas step by step; throws at the first broken rule. */
export class CoreRules {
  readonly #replicas: Map<ReplicaId, VirtualReplica>;
  readonly #electionTicks: number;
  /** Counts sends and questions. */
  #now = 0;
  readonly #sentAt: WeakMap<Message, number> = new WeakMap();
  #before: Before | null = null;
  /** Whether a request for a vote may be granted, by voter, candidate, kind and term. */
  readonly #mayGrant: Map<string, boolean> = new Map();
  readonly #preVotes: Set<string> = new Set();
  readonly #votes: Map<string, ReplicaId> = new Map();
  /** Ticks since a follower heard its leader. */
  readonly #silence: Map<ReplicaId, number> = new Map();
  /** Who was told by its leader to stand: boot and term. */
  readonly #forced: Set<string> = new Set();
  /** Newest heartbeat that a replica took from the leader of a term. */
  readonly #contacts: Map<string, number> = new Map();
  readonly #asked: Map<number, number> = new Map();
  readonly #leading: Map<ReplicaId, Leading> = new Map();
  /** Boots that replicas were told of, by listener and peer. */
  readonly #told: Map<string, string> = new Map();

  constructor(replicas: Map<ReplicaId, VirtualReplica>, electionTicks: number) {
    this.#replicas = replicas;
    this.#electionTicks = electionTicks;
  }

  /** `listener` was told that `peer` began a new boot. */
  restarted(listener: VirtualReplica, peer: VirtualReplica): void {
    this.#told.set(`${listener.id}/${peer.id}`, `${listener.boots}/${peer.boots}`);
    const leading = this.#leading.get(listener.id);
    leading?.heard.set(peer.id, leading.ticks);
  }

  /** A read is asked for. */
  asked(context: number): void {
    this.#asked.set(context, ++this.#now);
  }

  /** A message is about to be taken in. */
  arriving(replica: VirtualReplica, message: Message): void {
    const { raft, id } = replica;
    const last = raft.lastIndex;
    const lastTerm = raft.termAt(last)!;
    this.#before = { term: raft.term, commit: raft.commit, last, lastTerm };
    const { type, from, term } = message;
    if (type === MessageType.vote || type === MessageType.preVote) {
      const upToDate =
        message.logTerm > lastTerm || (message.logTerm === lastTerm && message.index >= last);
      const may = upToDate && !replica.recovering && !this.#isLeased(replica, message);
      const key = `${id}/${from}/${type}/${term}`;
      this.#mayGrant.set(key, may || this.#mayGrant.get(key) === true);
    }
    if (type === MessageType.timeoutNow) this.#forced.add(`${id}/${replica.boots}`);
    if (type === MessageType.heartbeat) {
      const key = `${from}/${term}/${id}`;
      const sent = this.#sentAt.get(message) ?? 0;
      this.#contacts.set(key, Math.max(this.#contacts.get(key) ?? 0, sent));
    }
    if (type === MessageType.appendReply || type === MessageType.heartbeatReply) {
      const leading = this.#leading.get(id);
      leading?.heard.set(from, leading.ticks);
    }
  }

  /** While a follower hears its leader it grants nobody else a vote, unless the leader wants it (rule P3). */
  #isLeased({ raft, id }: VirtualReplica, { from, term, force }: Message): boolean {
    const heard = (this.#silence.get(id) ?? Number.POSITIVE_INFINITY) < this.#electionTicks;
    const follows = raft.role === 'follower' && raft.leader !== 0 && raft.leader !== from;
    return heard && follows && !force && term > raft.term;
  }

  /** A message was taken in, and nothing was done about it yet. */
  arrived(replica: VirtualReplica, message: Message): void {
    const { raft, id } = replica;
    const { commit, term, last, lastTerm } = this.#before!;
    const { type } = message;
    const leads = type === MessageType.append || type === MessageType.heartbeat;
    if (leads && message.term === raft.term) this.#silence.set(id, 0);
    if (message.term < term) {
      const same = raft.lastIndex === last && raft.termAt(last) === lastTerm;
      assert(same, () => `${id} takes entries of the old term ${message.term}`);
    }
    if (raft.commit === commit) return;
    const vouched =
      type === MessageType.append ? message.index + message.entries.length : raft.commit;
    const told = type === MessageType.appendReply ? raft.commit : message.commit;
    assert(
      raft.commit <= Math.max(commit, Math.min(vouched, told)),
      () => `${id} commits ${raft.commit}, further than a message vouches for (rule R2)`,
    );
    if (leads || type === MessageType.appendReply) return;
    const known = raft.termAt(message.commit) === message.hintTerm;
    assert(known, () => `${id} takes another entry at ${message.commit} for committed`);
  }

  /** A tick has passed at `replica`. */
  ticked(replica: VirtualReplica): void {
    const { id, raft, boots } = replica;
    this.#silence.set(id, (this.#silence.get(id) ?? 0) + 1);
    const { membership } = raft;
    if (raft.role !== 'leader') {
      this.#leading.delete(id);
      return;
    }
    const key = `${boots}/${raft.term}`;
    let leading = this.#leading.get(id);
    if (leading?.key !== key || leading.membership !== membership) {
      leading = { key, membership, ticks: 0, heard: new Map() };
      this.#leading.set(id, leading);
    }
    const since = ++leading.ticks - 3 * this.#electionTicks;
    const { heard } = leading;
    assert(
      since <= 0 || agree(membership, (voter) => voter === id || (heard.get(voter) ?? 0) >= since),
      () => `${id} leads on without a quorum (rule P6)`,
    );
  }

  /** A message leaves. */
  sent(message: Message): void {
    this.#sentAt.set(message, ++this.#now);
    const sender = this.#replicas.get(message.from);
    if (sender === undefined) return;
    const { type, from, to, term, reject } = message;
    const grants = type === MessageType.voteReply || type === MessageType.preVoteReply;
    if (grants && !reject) this.#granted(sender, message);
    if (type === MessageType.preVote) this.#standing(sender);
    if (type === MessageType.vote) this.#votes.set(`${from}/${term}`, from);
    if (sender.raft.role !== 'leader') return;
    const progress = sender.raft.progress().find(({ replica }) => replica === to);
    if (progress === undefined) return;
    if (type === MessageType.heartbeat) {
      const holds = message.commit <= progress.match;
      assert(holds, () => `${from} tells ${to} of a commit that it may not hold (rule R2)`);
    }
    if (type === MessageType.timeoutNow) {
      const whole = progress.match === sender.raft.lastIndex;
      assert(whole, () => `${from} hands over to ${to}, which lacks entries (rule T5)`);
    }
  }

  #granted({ id }: VirtualReplica, { type, to, term }: Message): void {
    const pre = type === MessageType.preVoteReply;
    const kind = pre ? MessageType.preVote : MessageType.vote;
    const may = this.#mayGrant.get(`${id}/${to}/${kind}/${term}`);
    assert(may === true, () => `${id} may not grant ${to} a vote in term ${term} (rules E2, P3)`);
    if (pre) this.#preVotes.add(`${id}/${to}/${term}`);
    else this.#votes.set(`${id}/${term}`, to);
  }

  #standing(replica: VirtualReplica): void {
    const { raft, id, applied } = replica;
    assert(!replica.stalled, () => `${id} campaigns with a disk that hangs (rule P7)`);
    const entries = raft.entries(applied + 1, raft.commit, Number.POSITIVE_INFINITY);
    const pending = entries.some(({ kind }) => kind === EntryKind.membership);
    assert(!pending, () => `${id} campaigns, and has a membership to apply (rule E6)`);
  }

  /** After each step of `replica`; `committed` when its commit index moved, `role` when its role did. */
  stepped(replica: VirtualReplica, committed: boolean, role: boolean): void {
    const { raft } = replica;
    if (role && raft.role === 'candidate') this.#checkPreVotes(replica);
    if (raft.role !== 'leader') return;
    // A candidate learns of commits from votes, too.
    if (role) this.#checkVotes(replica);
    else if (committed) this.#checkCommit(replica);
    for (const { replica: peer, match, recovering } of raft.progress()) {
      if (!recovering && match > 0) this.#checkMatch(replica, peer, match);
    }
  }

  /** Nobody raises its term without a majority that would follow (rule P1), unless its leader wants it. */
  #checkPreVotes({ raft, id, boots, membership }: VirtualReplica): void {
    if (this.#forced.has(`${id}/${boots}`)) return;
    const would = (voter: ReplicaId): boolean =>
      voter === id || this.#preVotes.has(`${voter}/${id}/${raft.term}`);
    assert(agree(membership, would), () => `${id} stands in term ${raft.term} unasked (rule P1)`);
  }

  #checkVotes({ raft, id, disk, membership }: VirtualReplica): void {
    const { term } = raft;
    const own = disk.hardState.term === term && disk.hardState.vote === id;
    const voted = (voter: ReplicaId): boolean =>
      voter === id ? own : this.#votes.get(`${voter}/${term}`) === id;
    assert(agree(membership, voted), () => `${id} leads term ${term} without a quorum of votes`);
  }

  #checkCommit({ raft, id, membership }: VirtualReplica): void {
    const counted = new Map(
      raft.progress().map(({ replica, match, recovering }) => [replica, recovering ? 0 : match]),
    );
    const quorum = agree(membership, (voter) => (counted.get(voter) ?? 0) >= raft.commit);
    assert(quorum, () => `${id} commits ${raft.commit} without a quorum`);
    const own = raft.termAt(raft.commit) === raft.term;
    assert(own, () => `${id} commits ${raft.commit} of an earlier term by counting (rule E9)`);
  }

  /** What a leader believes a follower to hold, it holds, as long as it follows nobody newer (rules D2, R8). */
  #checkMatch(leader: VirtualReplica, peer: ReplicaId, match: LogIndex): void {
    const replica = this.#replicas.get(peer);
    const term = leader.raft.termAt(match);
    if (replica === undefined || term === null) return;
    const { disk, options } = replica;
    const knows = this.#told.get(`${leader.id}/${peer}`) === `${leader.boots}/${replica.boots}`;
    // In a relaxed mode a lost boot takes acknowledged entries with it; the leader has to hear of it.
    if (options.relaxed && peer !== leader.id && !knows) return;
    if (options.relaxed && !replica.up) return;
    const newest = replica.up ? replica.raft.term : disk.hardState.term;
    if (newest > leader.raft.term) return;
    const held = options.relaxed
      ? match < replica.raft.firstIndex || replica.raft.termAt(match) === term
      : disk.holds(match, term);
    assert(held, () => `${leader.id} believes ${peer} to hold ${match}, and it does not (rule R8)`);
  }

  /** A leader grants a read only after a quorum took a heartbeat that was sent since it was asked (rules L2, L4). */
  granted({ raft, id, membership }: VirtualReplica, context: number): void {
    if (raft.role !== 'leader') return;
    const asked = this.#asked.get(context)!;
    const lost = raft.progress().filter(({ recovering }) => recovering);
    const confirms = (voter: ReplicaId): boolean =>
      voter === id ||
      ((this.#contacts.get(`${id}/${raft.term}/${voter}`) ?? 0) > asked &&
        lost.every(({ replica }) => replica !== voter));
    assert(agree(membership, confirms), () => `${id} grants a read without a quorum (rule L2)`);
  }
}
