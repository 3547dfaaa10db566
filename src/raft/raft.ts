/** The consensus core behind its contract: this class only joins the rules, which live one file per concern. */

import type { Term } from '../wire/entry.ts';
import { type Entry, EntryKind, type LogIndex, type ReplicaId, stampEntry } from '../wire/entry.ts';
import type { Membership, MembershipEntry } from '../wire/membership.ts';
import type { Message } from '../wire/message.ts';
import type { Effects, ProgressView, ProposeRefusal, Raft, RaftStart, Role } from './contract.ts';
import { Core } from './core.ts';
import { completeWrite, emptyEffects, fillEffects, hasWork } from './effects.ts';
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

  constructor(start: RaftStart) {
    this.#core = new Core(start);
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

  tick(): void {
    if (this.#core.role === 'leader') tickLeader(this.#core);
    else tickElection(this.#core);
  }

  step(message: Message): void {
    step(this.#core, message);
  }

  propose(record: Uint8Array, kind: EntryKind, flags: number = 0): Entry | ProposeRefusal {
    const core = this.#core;
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
    return proposeChange(this.#core, change);
  }

  applyMembership(entry: Entry): Membership {
    return applyChange(this.#core, entry);
  }

  readIndex(context: number): void {
    readIndex(this.#core, context);
  }

  transferLeadership(to: ReplicaId): ProposeRefusal | null {
    return beginTransfer(this.#core, to);
  }

  campaign(): void {
    campaign(this.#core);
  }

  leaderLost(): void {
    loseLeader(this.#core);
  }

  storageDone(token: number): void {
    completeWrite(this.#core, token);
  }

  applied(index: LogIndex): void {
    this.#core.log.markApplied(index);
    maybeLeaveJoint(this.#core);
    resumeForced(this.#core);
  }

  compact(index: LogIndex): void {
    this.#core.log.compact(index);
  }

  installed(snapshot: InstalledSnapshot): void {
    installSnapshot(this.#core, snapshot);
  }

  snapshotReport(to: ReplicaId, index: LogIndex, ok: boolean): void {
    reportSnapshot(this.#core, to, index, ok);
  }

  unreachable(peer: ReplicaId): void {
    markUnreachable(this.#core, peer);
  }

  peerRestarted(peer: ReplicaId, recovering: boolean): void {
    restartPeer(this.#core, peer, recovering);
  }

  recovered(): void {
    this.#core.recovering = false;
  }

  setInstalling(installing: boolean): void {
    this.#core.installing = installing;
  }

  setStorageStalled(stalled: boolean): void {
    const core = this.#core;
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
    fillEffects(this.#core, this.#effects);
    return this.#effects;
  }

  hasEffects(): boolean {
    return hasWork(this.#core);
  }
}
