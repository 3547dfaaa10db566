/** How a freshness is written on a command line. */

import type { Consistency } from '../../node/contract.ts';
import { didYouMean } from '../../wire/nearest.ts';
import { UsageError } from '../usage.ts';

const LEVELS = ['linearizable', 'session', 'stale'] as const;

/** How it is written, for help texts. */
export const CONSISTENCY_SHAPE = 'linearizable|session|stale|maxLagMs=N';

/** Reads `linearizable`, `session`, `stale` or `maxLagMs=500`. Throws `UsageError`. */
export function parseConsistency(text: string): Consistency {
  for (const level of LEVELS) if (text === level) return level;
  const lag = /^maxLagMs=(\d{1,9})$/.exec(text);
  if (lag !== null) return { maxLagMs: Number(lag[1]) };
  const near = didYouMean(text, LEVELS);
  throw new UsageError(`consistency must be ${CONSISTENCY_SHAPE}, not "${text}"${near}`);
}

/** The text that `parseConsistency` reads. */
export function formatConsistency(consistency: Consistency): string {
  return typeof consistency === 'string' ? consistency : `maxLagMs=${consistency.maxLagMs}`;
}
