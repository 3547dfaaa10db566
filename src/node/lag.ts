/**
 * How stale a replica may be, by its own clock alone: now minus the send time of its last message that the leader
 * echoed with a commit index which is applied here (architecture, section 6). A leader uses the echo of a quorum.
 */
import type { LogIndex, ReplicaId } from '../wire/entry.ts';

/** Echoes that wait for their commit index; older ones are dropped, which only makes the answer more careful. */
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

  /** A message from the leader echoed our message sent at `sentAt`, and carried `commit`. */
  echoFromLeader(sentAt: number, commit: LogIndex, applied: LogIndex): void {
    if (sentAt <= 0) return;
    if (commit <= applied) {
      this.#freshAt = Math.max(this.#freshAt, sentAt);
      return;
    }
    if (this.#pending.length >= MAX_PENDING) this.#pending.shift();
    this.#pending.push({ sentAt, commit });
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

  /** Of a follower or learner, or null when unknown. */
  followerLag(now: number): number | null {
    return this.#freshAt < 0 ? null : Math.max(0, now - this.#freshAt);
  }

  /** Of a leader with these voters, itself included; null before a quorum answered. */
  leaderLag(now: number, self: ReplicaId, voters: readonly ReplicaId[]): number | null {
    const times = voters.map((id) => (id === self ? now : (this.#echoed.get(id) ?? -1)));
    times.sort((a, b) => b - a);
    const quorum = times[Math.floor(voters.length / 2)];
    return quorum === undefined || quorum < 0 ? null : Math.max(0, now - quorum);
  }

  /** How long ago a peer answered, as a leader sees it; null when never. */
  peerSilence(now: number, peer: ReplicaId): number | null {
    const at = this.#echoed.get(peer);
    return at === undefined ? null : Math.max(0, now - at);
  }
}
