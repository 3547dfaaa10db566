/**
 * One group's member: the loop that joins consensus core, log and state machine.
 *
 * A turn: deliver what arrived, propose what waits, then take effects until there are none: send first, then write, and
 * apply what is committed. Whatever completes at once (a blocking sync, an apply) is taken up in the same turn.
 */
import type { NodeLimits } from '../config/limits.ts';
import type { Platform } from '../platform/contract.ts';
import type { Effects, Raft, RaftStart, SoftState, StorageWrite } from '../raft/contract.ts';
import { createRaft } from '../raft/raft.ts';
import type { StateMachine } from '../state-machine/contract.ts';
import type { LogStore } from '../storage/contract.ts';
import type { Logger } from '../telemetry/logger.ts';
import { assert } from '../wire/assert.ts';
import {
  type Entry,
  EntryKind,
  entryIsSlow,
  type LogIndex,
  type ReplicaId,
  verifyEntry,
} from '../wire/entry.ts';
import { QuorliteError } from '../wire/error.ts';
import type { Membership } from '../wire/membership.ts';
import type { Message } from '../wire/message.ts';
import { ApplyWaiters } from './apply-waiters.ts';
import { CommitNotices } from './commit-notices.ts';
import { Proposals, type ProposalsHost } from './proposals.ts';
import { ReadGate } from './read-gate.ts';
import { lastStamp, Stamper } from './stamps.ts';
import type { Timing } from './timing.ts';

/** Applying yields to sockets and timers after so many milliseconds. */
const APPLY_SLICE_MS = 10;

/** What a replica is made of and told about. */
export interface ReplicaOptions {
  readonly platform: Platform;
  readonly limits: NodeLimits;
  readonly timing: Timing;
  readonly logger: Logger;
  readonly log: LogStore;
  readonly stateMachine: StateMachine;
  readonly start: RaftStart;
  readonly hooks: ReplicaHooks;
}

/** What the node around a replica does for it. */
export interface ReplicaHooks {
  send(message: Message): void;
  /** Fills the seed of an entry. */
  seed(): Uint8Array;
  forward: ProposalsHost['forward'];
  needsOwnEntry: ProposalsHost['needsOwnEntry'];
  lagMs(): number | null;
  history(): string;
  roleChanged(state: SoftState): void;
  membershipChanged(membership: Membership, index: LogIndex): void;
  applied(index: LogIndex): void;
  snapshotWanted(to: ReplicaId, index: LogIndex): void;
  removed(index: LogIndex): void;
  recovered(): void;
  /** The replica cannot go on and has stopped. */
  failed(error: Error): void;
}

/** One group's member. */
export class Replica {
  raft: Raft;
  readonly proposals: Proposals;
  readonly reads: ReadGate;
  readonly applyWaiters: ApplyWaiters;
  stateMachine: StateMachine;
  readonly #options: ReplicaOptions;
  readonly #inbox: Message[] = [];
  #inboxBytes = 0;
  /** Messages of peers for which the inbox had no room. */
  inboxDropped = 0;
  readonly #notices = new CommitNotices();
  #ticks = 0;
  #scheduled = false;
  #running = false;
  #stopped = false;
  #installing = false;
  /** Writes that are durable, by token, in order. */
  #written: number[] = [];
  /** Committed and not yet applied. */
  #toApply: Entry[] = [];
  #applying = false;
  /** Until when a slow command holds elections back, monotonic; 0 when none does. */
  #slowUntil = 0;
  /** When the newest slow command was committed here. */
  #slowSince = 0;
  #leader: ReplicaId = 0;
  #term = 0;

  constructor(options: ReplicaOptions) {
    this.#options = options;
    const { platform, limits, timing, hooks } = options;
    this.stateMachine = options.stateMachine;
    this.raft = createRaft(options.start);
    this.applyWaiters = new ApplyWaiters(this.stateMachine.applied.index);
    const now = (): number => platform.clock.monotonicMs();
    this.proposals = new Proposals({
      limits,
      now,
      seed: hooks.seed,
      wake: () => this.wake(),
      needsOwnEntry: hooks.needsOwnEntry,
      validate: (body) => this.stateMachine.validate(body),
      maxEntryBytes: () => this.stateMachine.settings()['entryBytes'] ?? Number.POSITIVE_INFINITY,
      resendMs: 2 * timing.electionMs,
      forward: hooks.forward,
      whenApplied: (index, run) => void this.applyWaiters.wait(index, run),
    });
    this.reads = new ReadGate({
      limits,
      electionMs: timing.electionMs,
      applyWaiters: this.applyWaiters,
      stateMachine: () => this.stateMachine,
      now,
      wake: () => this.wake(),
      soon: (run) => platform.timers.soon(run),
      lagMs: hooks.lagMs,
      history: hooks.history,
    });
  }

  /** What the first core was started from. */
  get start(): RaftStart {
    return this.#options.start;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Whether a snapshot is being put in place of log and state. */
  get installing(): boolean {
    return this.#installing;
  }

  /** Whether committed entries wait to be applied. */
  get applyBacklog(): number {
    return this.#toApply.length;
  }

  /** A pristine core has no state worth keeping: a founder starts over with its first entry. */
  restart(start: RaftStart): void {
    assert(this.raft.lastIndex === 0, 'only a pristine core is replaced');
    this.raft = createRaft(start);
    this.wake();
  }

  /** Schedules a turn, after pending I/O had its chance to add to it. */
  wake(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    this.#options.platform.timers.soon(() => this.#turn());
  }

  /**
   * Takes in a message that came in a frame of `bytes`, in the next turn. One for which there is no room is lost, which
   * consensus can bear, and a single one always has room.
   */
  step(message: Message, bytes: number): void {
    if (this.#stopped) return;
    if (this.#inboxBytes > 0 && this.#inboxBytes + bytes > this.#options.limits.maxInboxBytes) {
      this.inboxDropped++;
      return;
    }
    this.#inboxBytes += bytes;
    this.#inbox.push(message);
    this.wake();
  }

  tick(count: number): void {
    this.#ticks += count;
    this.wake();
  }

  /** Calls into the core outside a turn; effects follow in the next one. */
  withRaft<T>(run: (raft: Raft) => T): T {
    const result = run(this.raft);
    this.wake();
    return result;
  }

  /** Whether a command marked slow, which may keep the leader from saying anything, holds elections back. */
  get awaitsSlow(): boolean {
    return this.#slowUntil > this.#options.platform.clock.monotonicMs();
  }

  /** The connection to the leader closed. */
  leaderLost(): void {
    this.#slowUntil = 0;
    this.withRaft((raft) => raft.leaderLost());
  }

  #turn(): void {
    this.#scheduled = false;
    if (this.#stopped || this.#running) return;
    this.#running = true;
    try {
      this.#notices.beginTurn();
      this.#deliver();
      this.proposals.flush(this.raft);
      this.reads.flush(this.raft);
      this.#drain();
      this.#notices.endTurn(this.#options.hooks.send);
    } catch (error) {
      this.fail(error as Error);
    } finally {
      this.#running = false;
    }
    const applies = this.#toApply.length > 0 && !this.#applying && !this.#installing;
    if (applies || this.#notices.pending || this.proposals.canPropose) this.wake();
  }

  #deliver(): void {
    for (const message of this.#inbox) {
      if (this.#slowUntil > 0) this.#mayEndSlow(message);
      this.raft.step(message);
    }
    this.#inbox.length = 0;
    this.#inboxBytes = 0;
    const ticks = this.#ticks;
    this.#ticks = 0;
    if (ticks > 0) this.#tick(ticks);
  }

  /** A leader that speaks again has done with a slow command; what it sent before may still come in for a moment. */
  #mayEndSlow({ from }: Message): void {
    const { platform, timing } = this.#options;
    const passed = platform.clock.monotonicMs() - this.#slowSince;
    if (from === this.raft.leader && passed > timing.heartbeatTicks * timing.tickMs) {
      this.#slowUntil = 0;
    }
  }

  #tick(ticks: number): void {
    const { log, timing } = this.#options;
    this.raft.setStorageStalled(log.stalledMs() > timing.electionMs);
    const heldBack = this.awaitsSlow && this.raft.role !== 'leader';
    if (!heldBack) for (let i = 0; i < ticks; i++) this.raft.tick();
    const leaderKnown = this.raft.leader !== 0;
    this.proposals.expire(leaderKnown);
    this.reads.expire(leaderKnown);
  }

  /** Takes effects until there are none. */
  #drain(): void {
    for (;;) {
      for (const token of this.#written.splice(0)) this.raft.storageDone(token);
      if (this.raft.hasEffects()) this.#act(this.raft.takeEffects());
      else if (this.#written.length === 0 && !this.#applySome()) return;
      // What was just proposed by answers and grants may go out with what comes next.
      if (this.#stopped) return;
    }
  }

  #act(effects: Effects): void {
    const { hooks } = this.#options;
    if (effects.softState) this.#roleChanged(effects.softState);
    for (const message of effects.messages) if (!this.#notices.hold(message)) hooks.send(message);
    for (const write of effects.writes) this.#write(write);
    for (const entry of effects.committed) this.#committed(entry);
    for (const grant of effects.reads) this.reads.granted(grant);
    for (const context of effects.readsDropped) this.reads.dropped(context);
    for (const { to, index } of effects.snapshots) hooks.snapshotWanted(to, index);
    if (effects.recoveredAt !== null) hooks.recovered();
    if (effects.removedAt !== null) hooks.removed(effects.removedAt);
  }

  #write(write: StorageWrite): void {
    const { token } = write;
    this.#options.log.append(write, (error) => {
      if (error) {
        this.fail(error);
        return;
      }
      this.#written.push(token);
      // A turn that is under way takes it up itself.
      if (!this.#running) this.wake();
    });
  }

  #committed(entry: Entry): void {
    this.#toApply.push(entry);
    if (!entryIsSlow(entry)) return;
    const { platform, timing, hooks } = this.#options;
    if (this.raft.role === 'leader') {
      // Followers hold their elections back from its commit on, so they must hear of that before it keeps us busy.
      this.#notices.flush(hooks.send);
      return;
    }
    this.#slowSince = platform.clock.monotonicMs();
    this.#slowUntil = this.#slowSince + timing.slowMaxMs;
  }

  #roleChanged(state: SoftState): void {
    const moved = state.leader !== this.#leader || state.term !== this.#term;
    this.#leader = state.leader;
    this.#term = state.term;
    if (moved || state.role !== 'leader') {
      this.proposals.leaderChanged();
      this.reads.leaderChanged();
    }
    if (state.role === 'leader') this.proposals.lead(this.#newStamper());
    this.#options.hooks.roleChanged(state);
  }

  /** Stamps continue behind the newest entry of this leader's log, applied or not. */
  #newStamper(): Stamper {
    const { raft, stateMachine } = this;
    const from = Math.max(raft.firstIndex, stateMachine.applied.index + 1);
    const entries =
      from > raft.lastIndex ? [] : raft.entries(from, raft.lastIndex, Number.POSITIVE_INFINITY);
    const last = lastStamp(entries, {
      wall: stateMachine.wall,
      elapsed: stateMachine.elapsed,
    });
    return new Stamper(this.#options.platform.clock, last);
  }

  /** Applies for a slice; false when nothing could be done now. */
  #applySome(): boolean {
    if (this.#toApply.length === 0 || this.#applying || this.#installing) return false;
    const { clock } = this.#options.platform;
    const until = clock.monotonicMs() + APPLY_SLICE_MS;
    do {
      this.#applyNext();
    } while (this.#toApply.length > 0 && !this.#applying && clock.monotonicMs() < until);
    return this.#toApply.length === 0 || clock.monotonicMs() < until;
  }

  #applyNext(): void {
    const entry = this.#toApply.shift()!;
    assert(verifyEntry(entry), () => `entry ${entry.index} was damaged in memory`);
    const writes = this.proposals.takeWaiters(entry.index, entry.term);
    this.#applying = true;
    const listener = writes
      ? (ordinal: number, outcome: Parameters<Proposals['answer']>[1]): void => {
          this.proposals.answer(writes[ordinal]!, outcome);
        }
      : null;
    this.stateMachine.apply(entry, listener, (error) => {
      this.#applying = false;
      if (error) this.fail(error);
      else this.#appliedEntry(entry);
    });
  }

  #appliedEntry(entry: Entry): void {
    if (entry.kind === EntryKind.membership) {
      const membership = this.raft.applyMembership(entry);
      this.#options.hooks.membershipChanged(membership, entry.index);
    }
    this.raft.applied(entry.index);
    this.applyWaiters.advance(entry.index);
    this.#options.hooks.applied(entry.index);
    if (!this.#running) this.wake();
  }

  /** Stops applying until `installed` or `installFailed` (rule S11). */
  beginInstall(): boolean {
    if (this.#installing || this.#applying || this.#stopped) return false;
    this.#installing = true;
    this.raft.setInstalling(true);
    return true;
  }

  /** A snapshot is in place of log and state. */
  installed(machine: StateMachine, membership: Membership): void {
    const { index, term } = machine.applied;
    this.stateMachine = machine;
    this.#toApply = this.#toApply.filter((entry) => entry.index > index);
    this.#installing = false;
    this.raft.installed({ index, term, membership });
    this.raft.setInstalling(false);
    this.proposals.skipped(index);
    this.applyWaiters.advance(index);
    this.#options.hooks.membershipChanged(membership, index);
    this.#options.hooks.applied(index);
    this.wake();
  }

  installFailed(): void {
    this.#installing = false;
    this.raft.setInstalling(false);
    this.wake();
  }

  /** Stops at once and says why; everything that waits is answered honestly. */
  fail(error: Error): void {
    if (this.#stopped) return;
    this.stop(
      new QuorliteError('STORAGE_FAILED', `this node has stopped: ${error.message}`, {
        outcome: 'unknown',
        cause: error,
      }),
    );
    this.#options.hooks.failed(error);
  }

  /** This replica is no member any more: nothing that waits for an entry will see it here. */
  dismiss(error: QuorliteError): void {
    this.proposals.answerAll(error);
    this.reads.answerAll(error);
  }

  /** Ends the loop; what waits is answered with `error`. */
  stop(error: QuorliteError): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.proposals.close(error);
    this.reads.close(error);
  }
}
