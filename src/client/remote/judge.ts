/** What a failed attempt means for its call. */
import { type ErrorCode, type Outcome, QuorliteError } from '../../wire/error.ts';
import { type Call, WriteCall } from './calls.ts';

/** A failed attempt: `decided` by the log, or merely refused by a node. */
export interface FailedAttempt {
  readonly error: QuorliteError;
  readonly decided: boolean;
}

/** What to do about a failed attempt. */
export interface Verdict {
  /** Try again, if time is left. */
  readonly again: boolean;
  /** Preferably at another node. */
  readonly avoid: boolean;
  /** The session is unknown to the cluster. */
  readonly expiredSession: boolean;
  /** What is known of the call if it ends with this error. */
  readonly outcome: Outcome;
}

/** Codes after which the same attempt may succeed soon, perhaps elsewhere. */
export const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'NOT_LEADER',
  'LEADER_CHANGED',
  'NO_QUORUM',
  'NOT_READY',
  'SHUTTING_DOWN',
]);
/** Those of them that say something about the node rather than about the moment. */
const NODE_TROUBLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'NO_QUORUM',
  'NOT_READY',
  'SHUTTING_DOWN',
]);

/**
 * Judges a failed attempt. A write in doubt stays in doubt whatever a node says that did not decide it: only an entry
 * of the log tells what became of it (C2).
 */
export function judge(call: Call, { error, decided }: FailedAttempt): Verdict {
  const { code } = error;
  const passing = PASSING.has(code) && !decided && (call.patient || code !== 'NOT_READY');
  if (!(call instanceof WriteCall)) {
    const again = passing && call.repeatable;
    return {
      again,
      avoid: again && NODE_TROUBLE.has(code),
      expiredSession: false,
      outcome: error.outcome,
    };
  }
  const wasInDoubt = call.inDoubt;
  if (passing && error.outcome === 'unknown') call.inDoubt = true;
  if (code === 'SESSION_EXPIRED' && call.keyed) {
    const outcome: Outcome = wasInDoubt ? 'unknown' : 'not-applied';
    return { again: !wasInDoubt, avoid: false, expiredSession: true, outcome };
  }
  const again = passing || (wasInDoubt && !decided && code === 'OVERLOADED');
  const outcome =
    wasInDoubt && !decided && error.outcome === 'not-applied' ? 'unknown' : error.outcome;
  return { again, avoid: passing && NODE_TROUBLE.has(code), expiredSession: false, outcome };
}

/** The same error with what is known about this call. */
export function withOutcome(error: QuorliteError, outcome: Outcome): QuorliteError {
  if (error.outcome === outcome) return error;
  return new QuorliteError(error.code, error.message, {
    outcome,
    retryable: error.retryable,
    sqliteCode: error.sqliteCode,
    statement: error.statement,
    offset: error.offset,
    leader: error.leader,
    hint: error.hint,
    cause: error,
  });
}

/** The connection was lost before the answer, and the call cannot be sent again. */
export function connectionLost(cause: QuorliteError, outcome: Outcome): QuorliteError {
  return new QuorliteError('LEADER_CHANGED', 'the connection was lost before the answer', {
    outcome,
    cause,
  });
}

/** No node took the call before its deadline. */
export function notServed(cause: QuorliteError | null, outcome: Outcome): QuorliteError {
  if (cause === null) {
    return new QuorliteError('NO_QUORUM', 'no node could be reached in time', { outcome });
  }
  const { code, hint } = cause;
  const isAnswer = PASSING.has(code) || code === 'OVERLOADED' || code === 'CLUSTER_MISMATCH';
  return new QuorliteError(isAnswer ? code : 'NO_QUORUM', `not served in time: ${cause.message}`, {
    outcome,
    hint,
    cause,
  });
}
