/**
 * Operating errors: what a caller can meet without anybody having made a programming mistake. The codes are part of
 * the public surface and never change their meaning.
 */

/** What is known about the write that failed. Never a guess. */
export type Outcome = 'not-applied' | 'applied' | 'unknown';

/** HTTP status of every error code. */
export const ERROR_STATUS = {
  BAD_REQUEST: 400,
  SQL_ERROR: 400,
  SQL_READ_ONLY: 400,
  SQL_NOT_ALLOWED: 400,
  NO_ROWS: 400,
  TOO_MANY_ROWS: 400,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  SQL_TIMEOUT: 408,
  TIMEOUT: 504,
  SQL_CONSTRAINT: 409,
  EXPECTATION_FAILED: 409,
  CONFLICT: 409,
  MIGRATION_MISMATCH: 409,
  LOCK_HELD: 409,
  LOCK_LOST: 409,
  MEMBERSHIP_BUSY: 409,
  COUNTER_OVERFLOW: 409,
  CLUSTER_MISMATCH: 409,
  SESSION_EXPIRED: 409,
  RESULT_NOT_KEPT: 409,
  VERSION_MISMATCH: 412,
  INDEX_GONE: 410,
  SNAPSHOT_TOO_OLD: 410,
  IDEMPOTENCY_MISMATCH: 422,
  ENTRY_TOO_LARGE: 413,
  TRANSACTION_TOO_LARGE: 413,
  RESULT_TOO_LARGE: 413,
  RATE_LIMITED: 429,
  NO_QUORUM: 503,
  NOT_LEADER: 503,
  LEADER_CHANGED: 503,
  OVERLOADED: 503,
  NOT_READY: 503,
  SHUTTING_DOWN: 503,
  STORAGE_FAILED: 503,
  CORRUPT: 500,
  ENGINE_MISMATCH: 500,
  CONFIG_INVALID: 500,
  NOT_SUPPORTED: 501,
  ABORTED: 499,
} as const;

/** A stable error code. */
export type ErrorCode = keyof typeof ERROR_STATUS;

/** All codes in a fixed order: the position is the code's number on the wire, so append only. */
export const ERROR_CODES: readonly ErrorCode[] = Object.keys(ERROR_STATUS) as ErrorCode[];

/** Codes after which the same call may succeed without any change by the caller. */
const RETRYABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'NOT_LEADER',
  'NO_QUORUM',
  'LEADER_CHANGED',
  'OVERLOADED',
  'RATE_LIMITED',
  'NOT_READY',
  'SHUTTING_DOWN',
  'TIMEOUT',
  'LOCK_HELD',
  'MEMBERSHIP_BUSY',
  'CONFLICT',
  'SNAPSHOT_TOO_OLD',
]);

/** The details an error may carry beside code and message. */
export interface ErrorDetails {
  readonly outcome?: Outcome | undefined;
  readonly retryable?: boolean | undefined;
  /** SQLite's symbolic result code, such as `SQLITE_CONSTRAINT_UNIQUE`. */
  readonly sqliteCode?: string | undefined;
  /** Position of the failing statement in a transaction or batch, from 0. */
  readonly statement?: number | undefined;
  /** Offset of the offending token in the statement's text, UTF-16 units. */
  readonly offset?: number | undefined;
  /** URL or number of the leader, when known. */
  readonly leader?: string | undefined;
  /** What to do about it, when the message alone does not say. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/**
 * The one error class of the public surface.
 *
 * @example
 * throw new QuorliteError('BAD_REQUEST', 'params must be an array or an object', { outcome: 'not-applied' });
 */
export class QuorliteError extends Error {
  override readonly name = 'QuorliteError';
  readonly code: ErrorCode;
  readonly outcome: Outcome;
  readonly retryable: boolean;
  readonly sqliteCode: string | undefined;
  readonly statement: number | undefined;
  readonly offset: number | undefined;
  readonly leader: string | undefined;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.outcome = details.outcome ?? 'not-applied';
    this.retryable = details.retryable ?? RETRYABLE.has(code);
    this.sqliteCode = details.sqliteCode;
    this.statement = details.statement;
    this.offset = details.offset;
    this.leader = details.leader;
    this.hint = details.hint;
  }

  /** HTTP status of this error. */
  get status(): number {
    return ERROR_STATUS[this.code];
  }
}

/** Turns anything thrown into a `QuorliteError`; what is not one already was a failure of ours: `CORRUPT`, unknown. */
export function asQuorliteError(error: unknown, outcome: Outcome = 'unknown'): QuorliteError {
  if (error instanceof QuorliteError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new QuorliteError('CORRUPT', `internal error: ${message}`, { outcome, cause: error });
}
