/**
 * How stale a replica may be, by its own clock alone: now minus the send time of its last message that the leader
 * echoed with a commit index which is applied here (architecture, section 6). A leader uses the echo of a quorum.
 */
import type { LogIndex, ReplicaId } from '../wire/entry.ts';
import type { Membership } from '../wire/membership.ts';

type Halves = Pick<Membership, 'voters' | 'outgoing'>;

/** Echoes that wait for their commit index; some are left out, which only makes the answer more careful. */
const MAX_PENDING = 64;

interface Echo {
  readonly sentAt: number;
  readonly commit: LogIndex;
}

/** Follows the echoes of one replica. All times are this node's monotonic milliseconds. */
export class LagMeter {
  #pending: Echo[] = [];
  /** Send time up to which the state shown is known to be complete; −1 when unknown. */
  #freshAt = -1;
  /** On a leader: the newest send time that each peer echoed. */
  readonly #echoed = new Map<ReplicaId, number>();

  /**
   * Whatever was acknowledged before `sentAt` stands at or below `commit`: a message from the leader echoed ours sent
   * then, or a quorum confirmed this leader then. True of what is shown once `commit` is applied.
   */
  known(sentAt: number, commit: LogIndex, applied: LogIndex): void {
    if (sentAt <= 0) return;
    if (commit <= applied) {
      this.#freshAt = Math.max(this.#freshAt, sentAt);
      return;
    }
    const newest = this.#pending[this.#pending.length - 1];
    // When there are too many, the newest gives way: the oldest is the next to be applied.
    const merge = newest && (newest.commit === commit || this.#pending.length >= MAX_PENDING);
    if (merge) this.#pending.pop();
    this.#pending.push({ sentAt: merge ? Math.max(sentAt, newest.sentAt) : sentAt, commit });
  }

  /** A peer echoed our message as its leader's. */
  echoFromPeer(peer: ReplicaId, sentAt: number): void {
    if (sentAt > 0) this.#echoed.set(peer, Math.max(sentAt, this.#echoed.get(peer) ?? 0));
  }

  applied(index: LogIndex): void {
    let done = 0;
    while (done < this.#pending.length && this.#pending[done]!.commit <= index) {
      this.#freshAt = Math.max(this.#freshAt, this.#pending[done]!.sentAt);
      done++;
    }
    if (done > 0) this.#pending.splice(0, done);
  }

  /** Forgets everything: another leader, another term. */
  reset(): void {
    this.#pending = [];
    this.#freshAt = -1;
    this.#echoed.clear();
  }

  /** How old the state shown may be; null when unknown. */
  lagMs(now: number): number | null {
    return this.#freshAt < 0 ? null : Math.max(0, now - this.#freshAt);
  }

  /** When a leader was last confirmed by a quorum of each half, itself included; null before it was. */
  confirmedAt(now: number, self: ReplicaId, halves: Halves): number | null {
    const { voters, outgoing } = halves;
    if (voters.length === 0) return null;
    let at = this.#quorumTime(now, self, voters);
    if (outgoing.length > 0) at = Math.min(at, this.#quorumTime(now, self, outgoing));
    return at < 0 ? null : at;
  }

  #quorumTime(now: number, self: ReplicaId, voters: readonly ReplicaId[]): number {
    // Asked for every message: the few voters are counted instead of sorted. Whoever has a quorum of voters at or behind
    // it counts, and the newest of those is the answer.
    const wanted = Math.floor(voters.length / 2) + 1;
    let newest = -1;
    for (let i = 0; i < voters.length; i++) {
      const time = this.#echoTime(voters[i]!, now, self);
      if (time <= newest) continue;
      let reached = 0;
      for (let k = 0; k < voters.length; k++) {
        if (this.#echoTime(voters[k]!, now, self) >= time) reached++;
      }
      if (reached >= wanted) newest = time;
    }
    return newest;
  }

  #echoTime(voter: ReplicaId, now: number, self: ReplicaId): number {
    return voter === self ? now : (this.#echoed.get(voter) ?? -1);
  }

  /** How long ago a peer answered, as a leader sees it; null when never. */
  peerSilence(now: number, peer: ReplicaId): number | null {
    const at = this.#echoed.get(peer);
    return at === undefined ? null : Math.max(0, now - at);
  }
}
