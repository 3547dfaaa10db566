/** What the world of a seed is like: rates of faults, sizes and limits, drawn at its beginning. */
import type { RaftLimits } from '../../src/raft/contract.ts';
import type { Dice } from './random.ts';

/** What a seed may do; rates are percent of steps or of messages. Drawn per seed, so that rare mixes occur. */
export interface Swarm {
  readonly voters: number;
  readonly loss: number;
  readonly duplicate: number;
  /** How far behind the front of the queue a packet may be picked. */
  readonly reorder: number;
  readonly crash: number;
  readonly partition: number;
  readonly churn: number;
  readonly transfer: number;
  readonly checkpoint: number;
  readonly hint: number;
  readonly stall: number;
  readonly depose: number;
  readonly relaxed: boolean;
}

/** Draws what a seed may do. */
export function drawSwarm(dice: Dice): Swarm {
  const some = (max: number): number =>
    dice.percent(50) ? 0 : (1 + dice.below(100)) * (max / 100);
  const relaxed = dice.percent(15);
  return {
    voters: relaxed ? dice.pick([3, 5]) : dice.pick([1, 2, 3, 3, 3, 4, 5]),
    loss: some(20),
    duplicate: some(10),
    reorder: dice.pick([1, 1, 4, 30]),
    crash: some(1),
    partition: some(0.6),
    churn: relaxed ? 0 : some(2),
    transfer: some(1),
    checkpoint: some(3),
    hint: some(1),
    stall: some(0.3),
    depose: some(0.4),
    relaxed,
  };
}

/** Of every core. */
export const ELECTION_TICKS = 10;

/** Draws the limits that its cores have. */
export function drawLimits(dice: Dice): RaftLimits {
  return {
    electionTicks: ELECTION_TICKS,
    heartbeatTicks: dice.pick([1, 2, 3]),
    maxAppendBytes: dice.pick([1, 200, 4000]),
    maxInflightMessages: dice.pick([1, 2, 8]),
    maxInflightBytes: dice.pick([300, 100_000]),
    maxUncommittedBytes: dice.pick([2000, 100_000]),
    maxApplyBytes: dice.pick([1, 300, 10_000]),
    maxPendingReads: 16,
  };
}
