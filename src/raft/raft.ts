/** The consensus core behind its contract: this class only joins the rules, which live one file per concern. */

import type { Term } from '../wire/entry.ts';
import { type Entry, EntryKind, type LogIndex, type ReplicaId, stampEntry } from '../wire/entry.ts';
import type { Membership, MembershipEntry } from '../wire/membership.ts';
import type { Message } from '../wire/message.ts';
import type { Effects, ProgressView, ProposeRefusal, Raft, RaftStart, Role } from './contract.ts';
import { Core } from './core.ts';
import { completeWrite, emptyEffects, fillEffects } from './effects.ts';
import { campaign, loseLeader, resumeForced, tickElection } from './election.ts';
import { type InstalledSnapshot, installSnapshot } from './follower.ts';
import { isLearner } from './membership.ts';
import { isReady, readIndex } from './reads.ts';
import { applyChange, maybeLeaveJoint, proposeChange } from './reconfigure.ts';
import { restartPeer } from './recovery.ts';
import { markUnreachable, reportSnapshot, tickLeader } from './replication.ts';
import { becomeFollower } from './roles.ts';
import { step } from './step.ts';
import { beginTransfer } from './transfer.ts';

/**
 * Starts a core from what its storage recovered.
 *
 * @example
 * const raft = createRaft({ id, hardState, applied, compacted, membership, entries, limits, seed, recovering: false });
 * raft.tick();
 * while (raft.hasEffects()) perform(raft.takeEffects());
 */
export function createRaft(start: RaftStart): Raft {
  return new RaftCore(start);
}

class RaftCore implements Raft {
  readonly #core: Core;
  readonly #effects: Effects = emptyEffects();
  /** An input came since effects were last taken. */
  #touched = true;

  constructor(start: RaftStart) {
    this.#core = new Core(start);
  }

  /** The core, about to take an input. */
  #input(): Core {
    this.#touched = true;
    return this.#core;
  }

  get id(): ReplicaId {
    return this.#core.id;
  }

  get term(): Term {
    return this.#core.term;
  }

  get role(): Role {
    return this.#core.role;
  }

  get leader(): ReplicaId {
    return this.#core.leader;
  }

  get commit(): LogIndex {
    return this.#core.log.commit;
  }

  get lastIndex(): LogIndex {
    return this.#core.log.last;
  }

  get firstIndex(): LogIndex {
    return this.#core.log.compacted + 1;
  }

  get membership(): Membership {
    return this.#core.membership;
  }

  get uncommittedBytes(): number {
    return this.#core.uncommittedBytes;
  }

  get ready(): boolean {
    return isReady(this.#core);
  }

  get electionElapsed(): number {
    return this.#core.electionElapsed;
  }

  get electionTimeout(): number {
    return this.#core.electionTimeout;
  }

  tick(): void {
    const core = this.#input();
    if (core.role === 'leader') tickLeader(core);
    else tickElection(core);
  }

  step(message: Message): void {
    step(this.#input(), message);
  }

  propose(record: Uint8Array, kind: EntryKind, flags: number = 0): Entry | ProposeRefusal {
    const core = this.#input();
    if (core.role !== 'leader') return 'not-leader';
    if (kind === EntryKind.membership) return 'invalid';
    if (core.transfer !== null) return 'transferring';
    const { uncommittedBytes, limits } = core;
    // One entry is always taken, however big: else it could never be written (rule R12).
    if (uncommittedBytes > 0 && uncommittedBytes + record.length > limits.maxUncommittedBytes) {
      return 'too-many-uncommitted';
    }
    const entry = stampEntry(record, core.term, core.log.last + 1, kind, flags);
    core.log.append(entry);
    core.uncommittedBytes += record.length;
    return entry;
  }

  proposeMembership(change: MembershipEntry): Entry | ProposeRefusal {
    return proposeChange(this.#input(), change);
  }

  applyMembership(entry: Entry): Membership {
    return applyChange(this.#input(), entry);
  }

  readIndex(context: number): void {
    readIndex(this.#input(), context);
  }

  transferLeadership(to: ReplicaId): ProposeRefusal | null {
    return beginTransfer(this.#input(), to);
  }

  campaign(): void {
    campaign(this.#input());
  }

  leaderLost(): void {
    loseLeader(this.#input());
  }

  storageDone(token: number): void {
    completeWrite(this.#input(), token);
  }

  applied(index: LogIndex): void {
    const core = this.#input();
    core.log.markApplied(index);
    maybeLeaveJoint(core);
    resumeForced(core);
  }

  compact(index: LogIndex): void {
    this.#input().log.compact(index);
  }

  installed(snapshot: InstalledSnapshot): void {
    installSnapshot(this.#input(), snapshot);
  }

  snapshotReport(to: ReplicaId, index: LogIndex, ok: boolean): void {
    reportSnapshot(this.#input(), to, index, ok);
  }

  unreachable(peer: ReplicaId): void {
    markUnreachable(this.#input(), peer);
  }

  peerRestarted(peer: ReplicaId, recovering: boolean): void {
    restartPeer(this.#input(), peer, recovering);
  }

  recovered(patience: number = 0): void {
    const core = this.#input();
    core.recovering = false;
    if (patience > 0) core.electionElapsed = -patience;
  }

  setInstalling(installing: boolean): void {
    this.#input().installing = installing;
  }

  setStorageStalled(stalled: boolean): void {
    const core = this.#input();
    core.storageStalled = stalled;
    if (stalled && core.role !== 'follower') becomeFollower(core, core.term, 0);
  }

  entries(from: LogIndex, to: LogIndex, maxBytes: number): Entry[] {
    const { log } = this.#core;
    const first = Math.max(from, log.compacted + 1);
    const last = Math.min(to, log.last);
    return first > last ? [] : log.slice(first, last, maxBytes);
  }

  termAt(index: LogIndex): Term | null {
    return this.#core.log.termAt(index);
  }

  progress(): ProgressView[] {
    const core = this.#core;
    const views: ProgressView[] = [];
    for (const progress of core.progress.values()) {
      views.push(progress.view(isLearner(core.membership, progress.replica)));
    }
    return views.sort((a, b) => a.replica - b.replica);
  }

  takeEffects(): Effects {
    this.#touched = false;
    fillEffects(this.#core, this.#effects);
    return this.#effects;
  }

  hasEffects(): boolean {
    return this.#touched;
  }
}
