/**
 * Carries out membership changes on the leader, one at a time: a newcomer learns first, is promoted when it has caught
 * up, and takes the place of a lost replica of the same number in one joint change (rules M1, M3, M10; architecture 3).
 */
import type { Raft } from '../raft/contract.ts';
import type { ReplicaId } from '../wire/entry.ts';
import { QuorliteError } from '../wire/error.ts';
import type { MemberChange, MemberInfo } from '../wire/membership.ts';

/** A learner this close to the commit index may be promoted. */
const PROMOTION_GAP = 64;

type Done = (error: QuorliteError | null) => void;

interface Task {
  readonly member: MemberInfo;
  voter: boolean;
  readonly deadline: number;
  readonly callbacks: Done[];
}

/** What membership changes need of the node around them. */
export interface MembershipHost {
  readonly self: ReplicaId;
  raft(): Raft;
  now(): number;
  /** Whether a replica is connected to this node right now. */
  connected(replica: ReplicaId): boolean;
  /** The URL that a replica advertises now; '' when it is not connected or cannot be dialled. */
  advertised(replica: ReplicaId): string;
  propose(changes: readonly MemberChange[]): void;
  wake(): void;
}

/** Joins and removals in progress on the leader. */
export class MembershipManager {
  readonly #host: MembershipHost;
  readonly #joining = new Map<ReplicaId, Task>();
  readonly #removing = new Map<
    ReplicaId,
    { readonly deadline: number; readonly callbacks: Done[] }
  >();

  constructor(host: MembershipHost) {
    this.#host = host;
  }

  /** Makes `member` a voter or a learner; `done` when it is one. */
  join(member: MemberInfo, voter: boolean, timeoutMs: number, done: Done): void {
    const refusal = this.#refuseJoin(member);
    if (refusal) {
      done(refusal);
      return;
    }
    const task = this.#joining.get(member.replica);
    if (task) {
      task.voter ||= voter;
      task.callbacks.push(done);
    } else {
      const deadline = this.#host.now() + timeoutMs;
      this.#joining.set(member.replica, { member, voter, deadline, callbacks: [done] });
    }
    this.step();
  }

  #refuseJoin({ node, replica }: MemberInfo): QuorliteError | null {
    const holder = this.#holders(node).find((one) => one.replica !== replica && this.#lives(one));
    if (!holder) return null;
    return new QuorliteError(
      'CONFIG_INVALID',
      `number ${node} belongs to a live replica at ${holder.url || 'another address'}; give the new node a number of its own`,
    );
  }

  #lives({ replica }: MemberInfo): boolean {
    return replica === this.#host.self || this.#host.connected(replica);
  }

  #holders(node: number): MemberInfo[] {
    return this.#host.raft().membership.members.filter((member) => member.node === node);
  }

  /** Removes a member; the leader itself is removed by its successor (rule M8). */
  remove(node: number, timeoutMs: number, done: Done): void {
    // The replica that a newcomer is about to replace goes first.
    const holders = this.#holders(node);
    const holder = holders.find((one) => !this.#lives(one)) ?? holders[0];
    if (!holder) {
      done(new QuorliteError('NOT_FOUND', `there is no member with number ${node}`));
      return;
    }
    const { voters } = this.#host.raft().membership;
    if (voters.length === 1 && voters[0] === holder.replica) {
      done(new QuorliteError('BAD_REQUEST', 'the last voter cannot be removed'));
      return;
    }
    if (holder.replica === this.#host.self) {
      this.#handOver(done);
      return;
    }
    const task = this.#removing.get(holder.replica);
    if (task) task.callbacks.push(done);
    else {
      const deadline = this.#host.now() + timeoutMs;
      this.#removing.set(holder.replica, { deadline, callbacks: [done] });
    }
    this.step();
  }

  #handOver(done: Done): void {
    const target = this.bestSuccessor();
    const refused =
      target === null ? 'not-caught-up' : this.#host.raft().transferLeadership(target);
    this.#host.wake();
    done(
      refused === null
        ? new QuorliteError('LEADER_CHANGED', 'leadership is being handed over first')
        : new QuorliteError('MEMBERSHIP_BUSY', 'no other voter can take leadership over yet'),
    );
  }

  /** The voter that is furthest, among those that are active. */
  bestSuccessor(): ReplicaId | null {
    let best: { replica: ReplicaId; match: number } | null = null;
    for (const { replica, match, active, learner } of this.#host.raft().progress()) {
      if (replica === this.#host.self || learner || !active) continue;
      if (!best || match > best.match) best = { replica, match };
    }
    return best?.replica ?? null;
  }

  /** Proposes the next change that is due and answers what is in force. Called on ticks and after changes. */
  step(): void {
    const raft = this.#host.raft();
    if (raft.role !== 'leader') {
      this.stop(new QuorliteError('NOT_LEADER', 'this node does not lead (any more)'));
      return;
    }
    const now = this.#host.now();
    for (const [replica, task] of this.#joining) {
      if (this.#isMember(task)) this.#finish(this.#joining, replica, null);
      else if (task.deadline <= now)
        this.#finish(this.#joining, replica, timedOut(task.member.node));
    }
    for (const [replica, { deadline }] of this.#removing) {
      if (!known(raft, replica)) this.#finish(this.#removing, replica, null);
      else if (deadline <= now) this.#finish(this.#removing, replica, timedOut());
    }
    const changes = this.#nextChanges(raft);
    if (changes) this.#host.propose(changes);
  }

  #isMember({ member: { replica }, voter }: Task): boolean {
    const { voters, outgoing, learners } = this.#host.raft().membership;
    if (outgoing.length > 0) return false;
    return voters.includes(replica) || (!voter && learners.includes(replica));
  }

  #finish(
    tasks: Map<ReplicaId, { readonly callbacks: Done[] }>,
    replica: ReplicaId,
    error: QuorliteError | null,
  ): void {
    const callbacks = tasks.get(replica)?.callbacks ?? [];
    tasks.delete(replica);
    for (const done of callbacks) done(error);
  }

  #nextChanges(raft: Raft): MemberChange[] | null {
    if (raft.membership.outgoing.length > 0) return null;
    for (const [replica] of this.#removing) return [{ type: 'remove', replica }];
    for (const task of this.#joining.values()) {
      const changes = this.#changesFor(raft, task);
      if (changes) return changes;
    }
    return this.#movedMember(raft);
  }

  /** A member that advertises another address than the one that is known: data about it, not its identity (rule M12). */
  #movedMember(raft: Raft): MemberChange[] | null {
    for (const member of raft.membership.members) {
      const url = this.#host.advertised(member.replica);
      if (url === '' || url === member.url) continue;
      const type = raft.membership.voters.includes(member.replica) ? 'voter' : 'learner';
      return [{ type, member: { ...member, url } }];
    }
    return null;
  }

  #changesFor(raft: Raft, { member, voter }: Task): MemberChange[] | null {
    const lost = this.#holders(member.node).filter((one) => one.replica !== member.replica);
    const removals = lost.map(({ replica }) => ({ type: 'remove', replica }) as const);
    const { voters } = raft.membership;
    // Who shall vote replaces the lost replica when it is promoted; a learner that replaces a learner, at once.
    const replaces = !voter && lost.every(({ replica }) => !voters.includes(replica));
    if (!known(raft, member.replica)) {
      return [{ type: 'learner', member }, ...(replaces ? removals : [])];
    }
    if (!voter || !caughtUp(raft, member.replica)) return null;
    // The lost one came back: its number is taken after all.
    if (lost.some((one) => this.#lives(one))) return null;
    return [{ type: 'voter', member }, ...removals];
  }

  /** Ends all tasks; whoever asked asks the next leader. */
  stop(error: QuorliteError): void {
    for (const replica of [...this.#joining.keys()]) this.#finish(this.#joining, replica, error);
    for (const replica of [...this.#removing.keys()]) this.#finish(this.#removing, replica, error);
  }
}

function known(raft: Raft, replica: ReplicaId): boolean {
  const { voters, outgoing, learners } = raft.membership;
  return [voters, outgoing, learners].some((ids) => ids.includes(replica));
}

function caughtUp(raft: Raft, replica: ReplicaId): boolean {
  const progress = raft.progress().find((one) => one.replica === replica);
  return progress?.active === true && progress.match + PROMOTION_GAP >= raft.commit;
}

function timedOut(node?: number): QuorliteError {
  const who = node === undefined ? 'the change' : `node ${node}`;
  return new QuorliteError(
    'TIMEOUT',
    `${who} did not catch up in time; it goes on when asked again`,
    {
      outcome: 'unknown',
    },
  );
}
