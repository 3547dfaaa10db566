/** What a leader knows of one replica, and how it feeds it (rule R4). */
import { assert } from '../wire/assert.ts';
import type { LogIndex, ReplicaId } from '../wire/entry.ts';
import type { ProgressView, RaftLimits } from './contract.ts';
import { Inflights } from './inflights.ts';

/**
 * `probe`: the follower's log is unknown, one append per answer or heartbeat. `replicate`: appends are pipelined from
 * `next` on. `snapshot`: appends pause until a snapshot has arrived. Always match < next.
 */
export type ProgressState = 'probe' | 'replicate' | 'snapshot';

/** Progress of one replica during one leadership. */
export class Progress {
  readonly replica: ReplicaId;
  match: LogIndex = 0;
  next: LogIndex;
  state: ProgressState = 'probe';
  /** Heard of since the last quorum check (rule P6). */
  active: boolean = false;
  /** Replies of other sessions are void (rule R8). */
  session: number;
  /** Probe: one append is under way. */
  paused: boolean = false;
  /** A heartbeat found entries unacknowledged; cleared by any progress. */
  lagging: boolean = false;
  /** An empty append is due: it finds out whether everything in flight was lost (rule R7). */
  nudge: boolean = false;
  /** Highest commit index told. */
  commitSent: LogIndex = 0;
  /** Highest read round confirmed (rule L2). */
  readAcked: number = 0;
  /** Counts for nothing while true (architecture 4). */
  recovering: boolean = false;
  /** Nonce of the recovering boot; 0 while not heard. */
  recoveryNonce: number = 0;
  /** The entry that ends its recovery; 0 while not committed. */
  recoveryTarget: LogIndex = 0;
  readonly inflights: Inflights;

  constructor(replica: ReplicaId, next: LogIndex, session: number, limits: RaftLimits) {
    this.replica = replica;
    this.next = next;
    this.session = session;
    this.inflights = new Inflights(limits.maxInflightMessages, limits.maxInflightBytes);
  }

  /** Match as far as it counts for a quorum. */
  get counted(): LogIndex {
    return this.recovering ? 0 : this.match;
  }

  /** No append may be sent now. */
  get blocked(): boolean {
    if (this.state === 'probe') return this.paused;
    return this.state === 'snapshot' || this.inflights.full;
  }

  becomeProbe(next: LogIndex): void {
    this.#become('probe');
    this.next = Math.max(next, this.match + 1);
  }

  becomeReplicate(): void {
    this.#become('replicate');
    this.next = this.match + 1;
  }

  becomeSnapshot(): void {
    this.#become('snapshot');
  }

  #become(state: ProgressState): void {
    this.state = state;
    this.paused = false;
    this.nudge = false;
    this.inflights.clear();
  }

  /** An append up to `last` was sent; `bytes` are those of its entries. */
  sent(last: LogIndex, bytes: number): void {
    if (this.state === 'probe') {
      this.paused = true;
      return;
    }
    assert(this.state === 'replicate', 'no appends while a snapshot is under way');
    if (last < this.next) return;
    this.inflights.add(last, bytes);
    this.next = last + 1;
  }

  /** The replica holds everything up to `index`. Returns whether that is news: match only moves forward (rule R4). */
  acknowledged(index: LogIndex): boolean {
    this.lagging = false;
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    return true;
  }

  /**
   * The replica refused an append behind `rejected` and proposes `hint`. Returns false for a stale refusal (rule R6).
   * Entries up to `hint` may match.
   */
  rejected(rejected: LogIndex, hint: LogIndex): boolean {
    if (this.state === 'replicate') {
      if (rejected <= this.match) return false;
      this.becomeProbe(Math.min(rejected, hint + 1));
      return true;
    }
    if (this.state !== 'probe' || rejected !== this.next - 1) return false;
    this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
    this.paused = false;
    return true;
  }

  /** Begins a session: nothing acknowledged before counts any more (rule R8). */
  restart(session: number, recovering: boolean): void {
    this.session = session;
    this.recovering = recovering;
    this.recoveryNonce = 0;
    this.recoveryTarget = 0;
    this.becomeProbe(this.match + 1);
    this.match = 0;
    this.commitSent = 0;
    this.readAcked = 0;
    this.lagging = false;
  }

  /** As the console shows it. */
  view(learner: boolean): ProgressView {
    const { replica, match, next, state, active, recovering } = this;
    return { replica, match, next, state, active, learner, recovering };
  }
}
