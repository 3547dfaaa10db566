/**
 * The relaxed sync modes' last resort. A recovering replica waits for an entry that a quorum of whole replicas commits
 * without it. When a majority of the voters lost their boot at once, there is no such quorum and never will be: they stop
 * waiting, and the longest log among those that meet wins. That is the loss these modes document (architecture,
 * section 4). A whole replica has its chance first: nobody gives up before everybody had time to connect.
 */
import type { Hello } from '../transport/contract.ts';
import type { ReplicaId } from '../wire/entry.ts';
import type { Membership } from '../wire/membership.ts';

/** Election timeouts without a leader before a majority counts as lost. */
const PATIENCE = 2;

/**
 * Election timeouts that a voter which lost nothing has to itself once the others vote: it asks for votes every one or
 * two, and not all of the others give up at the same moment.
 */
export const SURVIVORS_TIMEOUTS = 4;

/** What the watch over a lost majority needs of the node around it. */
export interface LostMajorityHost {
  readonly self: ReplicaId;
  readonly node: number;
  /** Numbers of all configured nodes: who counts while the storage knows no membership. */
  readonly configured: readonly number[];
  readonly electionMs: number;
  now(): number;
  membership(): Membership;
}

/** Notes who came back recovering, and tells when waiting is in vain. */
export class LostMajority {
  readonly #host: LostMajorityHost;
  /**
   * Replicas that were recovering when they connected, and their numbers. One that gave up waiting meanwhile stays
   * here: what it had lost, it has lost.
   */
  readonly #lost = new Map<ReplicaId, number>();
  /** When a leader was last heard of, or this watch began. */
  #heardAt: number;

  constructor(host: LostMajorityHost) {
    this.#host = host;
    this.#heardAt = host.now();
    this.#lost.set(host.self, host.node);
  }

  /** A peer connected or said a fresh hello. */
  met({ recovering, replica, node }: Hello): void {
    if (recovering) this.#lost.set(replica, node);
    // Whoever recovers while a leader is there recovered from a quorum.
    else if (this.#silence() < this.#host.electionMs) this.#lost.delete(replica);
  }

  /** The leader said something. */
  heardLeader(): void {
    this.#heardAt = this.#host.now();
  }

  #silence(): number {
    return this.#host.now() - this.#heardAt;
  }

  /**
   * Whether a voter that lost nothing can be reached. It may hold what the others have lost, and then no other may lead;
   * but it cannot win before they vote, and they vote only when they have given up. So it stands first.
   */
  survivor(connected: (replica: ReplicaId) => boolean): boolean {
    const { voters } = this.#host.membership();
    return voters.some((id) => !this.#lost.has(id) && connected(id));
  }

  /** Whether this recovering replica waits in vain. */
  inVain(): boolean {
    const { electionMs, membership, configured } = this.#host;
    const { voters, outgoing } = membership();
    const lost = [...this.#lost];
    const gone =
      voters.length === 0
        ? noQuorumWithout(
            configured,
            lost.map(([, node]) => node),
          )
        : [voters, outgoing].some((half) =>
            noQuorumWithout(
              half,
              lost.map(([id]) => id),
            ),
          );
    if (!gone) return false;
    // The only voter has nobody to wait for.
    if (voters.length === 1 && outgoing.length === 0) return true;
    return this.#silence() >= PATIENCE * electionMs;
  }
}

function noQuorumWithout(everybody: readonly number[], lost: readonly number[]): boolean {
  const whole = everybody.filter((id) => !lost.includes(id)).length;
  return everybody.length > 0 && whole * 2 <= everybody.length;
}
