/** Abort signals, and the errors of calls that nobody waits for any more. */
import { type Outcome, QuorliteError } from '../wire/error.ts';

/** Calls `listener` when `signal` fires; returns how to stop listening. The signal must not have fired yet. */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}

/** The error of a call whose signal fired. */
export function aborted(signal: AbortSignal, outcome: Outcome): QuorliteError {
  return new QuorliteError('ABORTED', 'the call was aborted', { outcome, cause: signal.reason });
}

/** The error of a call on a closed client. */
export function clientClosed(outcome: Outcome): QuorliteError {
  return new QuorliteError('SHUTTING_DOWN', 'the client is closed', { outcome, retryable: false });
}
