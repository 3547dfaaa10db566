/** What is said of writes that did not go through, with outcomes that are never a guess (rule C2). */
import { type ErrorCode, type Outcome, QuorliteError } from '../wire/error.ts';
import type { CommandOutcome } from '../wire/result.ts';

/** An outcome that no entry gave. */
export function notDone(code: ErrorCode, message: string, outcome: Outcome): CommandOutcome {
  return { ok: false, index: 0, error: new QuorliteError(code, message, { outcome }) };
}

/** The deadline passed. */
export function noAnswer(leaderKnown: boolean, outcome: Outcome): QuorliteError {
  return leaderKnown
    ? new QuorliteError('TIMEOUT', 'the write was not answered in time', { outcome })
    : new QuorliteError('NO_QUORUM', 'no leader is known: a majority of nodes is not reachable', {
        outcome,
      });
}

/** The operation does not fit. */
export function tooLarge(bytes: number): QuorliteError {
  return new QuorliteError(
    'ENTRY_TOO_LARGE',
    `the operation has ${bytes} bytes, more than one log entry may hold (cluster setting entryBytes); split it`,
  );
}

/** A leader refused a write that an earlier leader may have done: its refusal is about this attempt only. */
export function refusedInDoubt({ code, message, hint }: QuorliteError): CommandOutcome {
  const error = new QuorliteError(code, message, { outcome: 'unknown', hint });
  return { ok: false, index: 0, error };
}

/** Whether a refusal is about who leads: the next leader will do it. */
export function isPassing({ code }: QuorliteError): boolean {
  switch (code) {
    case 'NOT_LEADER':
    case 'LEADER_CHANGED':
    case 'SHUTTING_DOWN':
    case 'STORAGE_FAILED':
      return true;
    default:
      return false;
  }
}
