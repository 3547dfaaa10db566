/** What must hold at every step of any cluster of cores (Raft dissertation, figure 3.2, and the rules of durability). */
import { isVoter } from '../../src/raft/quorum.ts';
import { assert } from '../../src/wire/assert.ts';
import type { Entry, LogIndex, ReplicaId, Term } from '../../src/wire/entry.ts';
import { type Message, MessageType } from '../../src/wire/message.ts';
import { agree, type CoreRules } from './core-rules.ts';
import { checksum, type VirtualReplica } from './virtual-replica.ts';

interface Committed {
  readonly term: Term;
  readonly sum: number;
}

/** Watches replicas; throws at the first violation. */
export class CoreChecker {
  readonly #replicas: Map<ReplicaId, VirtualReplica>;
  readonly #leaders: Map<Term, ReplicaId> = new Map();
  readonly #votes: Map<string, ReplicaId> = new Map();
  readonly #written: Map<string, { sum: number; previous: Term | null }> = new Map();
  readonly #hashes: Map<LogIndex, number> = new Map();
  readonly #commits: Map<VirtualReplica, { boot: number; commit: LogIndex }> = new Map();
  readonly #roles: Map<VirtualReplica, string> = new Map();
  readonly #rules: CoreRules | null;
  /** Every entry that any replica knew to be committed; position = index. */
  readonly committed: Committed[] = [{ term: 0, sum: 0 }];

  /** With `rules` when whoever runs the replicas tells them of every step. */
  constructor(replicas: Map<ReplicaId, VirtualReplica>, rules: CoreRules | null = null) {
    this.#replicas = replicas;
    this.#rules = rules;
  }

  get lastCommitted(): LogIndex {
    return this.committed.length - 1;
  }

  /** After each step of `replica`. */
  observe(replica: VirtualReplica): void {
    if (!replica.up) return;
    const { raft } = replica;
    const role = this.#observeRole(replica);
    const seen = this.#commits.get(replica);
    const before = seen?.boot === replica.boots ? seen.commit : 0;
    assert(raft.commit >= before, () => `commit of ${replica.id} went back`);
    if (raft.commit > before) {
      this.#commits.set(replica, { boot: replica.boots, commit: raft.commit });
      this.#observeCommit(replica, before);
    }
    for (const each of raft.progress()) {
      assert(each.match < each.next, () => `match ${each.match} < next ${each.next}`);
    }
    if (raft.role === 'leader') this.#observeBytes(replica);
    this.#rules?.stepped(replica, raft.commit > before && seen?.boot === replica.boots, role);
  }

  #observeBytes({ raft }: VirtualReplica): void {
    let bytes = 0;
    const entries = raft.entries(raft.commit + 1, raft.lastIndex, Number.POSITIVE_INFINITY);
    for (const entry of entries) bytes += entry.bytes.length;
    assert(raft.uncommittedBytes === bytes, `uncommitted ${raft.uncommittedBytes}, not ${bytes}`);
  }

  /** Election safety and leader completeness. Returns whether the role is news. */
  #observeRole(replica: VirtualReplica): boolean {
    const { raft, id } = replica;
    const role = `${replica.boots}/${raft.term}/${raft.role}`;
    if (this.#roles.get(replica) === role) return false;
    this.#roles.set(replica, role);
    if (raft.role !== 'leader') return true;
    const other = this.#leaders.get(raft.term) ?? id;
    assert(other === id, () => `${other} and ${id} both lead term ${raft.term}`);
    this.#leaders.set(raft.term, id);
    for (let index = raft.firstIndex; index <= this.lastCommitted; index++) {
      const held = raft.termAt(index) === this.committed[index]!.term;
      assert(held, () => `leader ${id} of term ${raft.term} lacks committed entry ${index}`);
    }
    return true;
  }

  /** Committed entries are the same everywhere, never change, and stand on a durable quorum. */
  #observeCommit(replica: VirtualReplica, before: LogIndex): void {
    const { raft } = replica;
    const news = raft.commit > this.lastCommitted;
    for (let index = Math.max(before + 1, raft.firstIndex); index <= raft.commit; index++) {
      const [entry] = raft.entries(index, index, Number.POSITIVE_INFINITY);
      this.#commitEntry(replica, entry!);
    }
    if (news && raft.role === 'leader') this.#checkQuorum(replica, raft.commit);
  }

  #commitEntry(replica: VirtualReplica, entry: Entry): void {
    const { index, term } = entry;
    const sum = checksum(entry);
    const known = this.committed[index];
    if (known === undefined) {
      assert(index === this.committed.length, () => `commit ${index} leaves a gap`);
      this.committed.push({ term, sum });
      return;
    }
    const same = known.term === term && known.sum === sum;
    assert(same, () => `${replica.id} committed another entry at ${index}`);
  }

  #checkQuorum(leader: VirtualReplica, index: LogIndex): void {
    // An acknowledgement of a boot that is lost by now may still count: the leader keeps what it was about.
    if ([...this.#replicas.values()].some((replica) => replica.recovering)) return;
    const term = leader.raft.termAt(index)!;
    const quorum = agree(leader.membership, (id) => {
      const replica = this.#replicas.get(id);
      return replica !== undefined && holds(replica, index, term);
    });
    assert(quorum, () => `${index} is committed without a durable quorum`);
  }

  /** Log matching: one (index, term) has one content and one predecessor. */
  observeWrite(replica: VirtualReplica, entries: readonly Entry[]): void {
    for (const [at, entry] of entries.entries()) {
      const previous = entries[at - 1]?.term ?? replica.raft.termAt(entry.index - 1);
      const key = `${entry.index}/${entry.term}`;
      const known = this.#written.get(key);
      const sum = checksum(entry);
      assert(known === undefined || known.sum === sum, () => `two entries ${key}`);
      const matches = known?.previous == null || previous === null || known.previous === previous;
      assert(matches, () => `entry ${key} has two predecessors`);
      this.#written.set(key, { sum, previous: previous ?? known?.previous ?? null });
    }
  }

  /** A replica that has recovered holds what was committed before it came back (architecture, section 4). */
  observeRecovered({ disk, id }: VirtualReplica, floor: LogIndex): void {
    for (let index = disk.compacted.index + 1; index <= floor; index++) {
      const held = disk.termAt(index) === this.committed[index]!.term;
      assert(held, () => `${id} counts again, and lacks committed entry ${index}`);
    }
  }

  /** Equal state at equal index. */
  observeApply(replica: VirtualReplica, index: LogIndex): void {
    const hash = this.#hashes.get(index) ?? replica.hash;
    assert(hash === replica.hash, () => `state of ${replica.id} differs at ${index}`);
    this.#hashes.set(index, hash);
  }

  /** Nothing is promised before it is durable (rules E1, D2), and nobody votes twice. */
  observeSend(message: Message): void {
    this.#rules?.sent(message);
    const sender = this.#replicas.get(message.from);
    if (sender === undefined) return;
    const { disk } = sender;
    const { type, term, to, from } = message;
    const grants = type === MessageType.voteReply && !message.reject;
    if (grants || type === MessageType.vote) {
      const candidate = grants ? to : from;
      const voted = this.#votes.get(`${from}/${term}`) ?? candidate;
      assert(voted === candidate, () => `${from} votes twice in term ${term}`);
      this.#votes.set(`${from}/${term}`, candidate);
      const durable = disk.hardState.term > term || disk.hardState.vote === candidate;
      assert(disk.hardState.term >= term && durable, () => `vote of ${from} is not durable`);
    }
    if (type === MessageType.vote && !sender.options.relaxed) {
      assert(disk.last >= message.index, () => `candidate ${from} boasts of unsynced entries`);
    }
    if (type === MessageType.appendReply && !message.reject && !sender.options.relaxed) {
      const durable = Math.max(disk.last, disk.checkpoint.index) >= message.index;
      assert(durable, () => `${from} acknowledges ${message.index} before it is durable`);
      assert(disk.hardState.term >= term, () => `${from} acknowledges in an unwritten term`);
    }
  }
}

function holds(replica: VirtualReplica, index: LogIndex, term: Term): boolean {
  if (replica.options.relaxed && replica.up) {
    return index < replica.raft.firstIndex || replica.raft.termAt(index) === term;
  }
  return replica.disk.holds(index, term);
}

/** Whether `replica` may vote as its own applied configuration says. */
export function votes(replica: VirtualReplica): boolean {
  return replica.up && isVoter(replica.membership, replica.id);
}
