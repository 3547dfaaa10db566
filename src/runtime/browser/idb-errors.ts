/** What IndexedDB throws, as a node says it. */
import { QuorliteError } from '../../wire/error.ts';

/** `error` of the database `label` as `STORAGE_FAILED`. */
export function idbFailed(label: string, error: unknown): QuorliteError {
  if (error instanceof QuorliteError) return error;
  const full = error instanceof Error && error.name === 'QuotaExceededError';
  const message = error instanceof Error ? error.message || error.name : String(error);
  return new QuorliteError('STORAGE_FAILED', `${label}: ${message}`, {
    outcome: 'unknown',
    hint: full
      ? "the browser's quota is full: free space, or ask for persistent storage; nothing acknowledged is lost"
      : "the browser's storage failed: load the page again",
    cause: error,
  });
}
