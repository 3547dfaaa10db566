/**
 * Quorum arithmetic. A joint configuration needs a majority of both halves (Raft dissertation, section 4.3); an
 * `outgoing` half that is empty asks for nothing.
 */
import { assert } from '../wire/assert.ts';
import type { ReplicaId } from '../wire/entry.ts';
import type { Membership } from '../wire/membership.ts';

/** How a vote stands. */
export type VoteResult = 'won' | 'lost' | 'pending';

/** The halves of a configuration. */
export type Halves = Pick<Membership, 'voters' | 'outgoing'>;

const scratch = new Float64Array(32);

/**
 * The largest value that a majority of every half has reached. Values are sorted afresh each time: keeping them
 * sorted between calls has cost another project its quorum (rule R10).
 */
export function quorumValue(halves: Halves, reached: (replica: ReplicaId) => number): number {
  assert(halves.voters.length > 0, 'a configuration has a voter');
  const incoming = majorityValue(halves.voters, reached);
  if (halves.outgoing.length === 0) return incoming;
  return Math.min(incoming, majorityValue(halves.outgoing, reached));
}

function majorityValue(
  voters: readonly ReplicaId[],
  reached: (replica: ReplicaId) => number,
): number {
  const count = voters.length;
  const sorted = count <= scratch.length ? scratch : new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const value = reached(voters[i]!);
    let at = i;
    while (at > 0 && sorted[at - 1]! > value) {
      sorted[at] = sorted[at - 1]!;
      at--;
    }
    sorted[at] = value;
  }
  return sorted[(count - 1) >> 1]!;
}

/** How a vote stands when `voteOf` tells each voter's answer, undefined for none yet. */
export function voteResult(
  halves: Halves,
  voteOf: (replica: ReplicaId) => boolean | undefined,
): VoteResult {
  if (halves.voters.length === 0) return 'lost';
  const incoming = halfResult(halves.voters, voteOf);
  if (halves.outgoing.length === 0) return incoming;
  const outgoing = halfResult(halves.outgoing, voteOf);
  if (incoming === 'lost' || outgoing === 'lost') return 'lost';
  return incoming === 'won' && outgoing === 'won' ? 'won' : 'pending';
}

function halfResult(
  voters: readonly ReplicaId[],
  voteOf: (replica: ReplicaId) => boolean | undefined,
): VoteResult {
  const majority = (voters.length >> 1) + 1;
  let granted = 0;
  let refused = 0;
  for (const voter of voters) {
    const vote = voteOf(voter);
    if (vote === true) granted++;
    else if (vote === false) refused++;
  }
  if (granted >= majority) return 'won';
  return voters.length - refused < majority ? 'lost' : 'pending';
}

/** Whether `replica` votes in either half. */
export function isVoter(halves: Halves, replica: ReplicaId): boolean {
  return halves.voters.includes(replica) || halves.outgoing.includes(replica);
}
