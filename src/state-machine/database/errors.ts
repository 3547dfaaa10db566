/** From the engine's errors to those of the public surface. */
import { SqlError } from '../../../wasm/engine.ts';
import { type ErrorCode, QuorliteError } from '../../wire/error.ts';

/** Longest message that goes into a result: SQLite quotes the offending text, which may be long. */
const MESSAGE_UNITS = 1000;
const PRIMARY_MASK = 0xff;
const SQLITE_READONLY = 8;
const SQLITE_TOOBIG = 18;
const SQLITE_CONSTRAINT = 19;

/** This node cannot go on: what failed is no result (rule C7). */
export class CannotApply extends Error {
  override readonly name = 'CannotApply';
}

/** A statement of a command ended the transaction; the command goes on without it after a redo. */
export class PartFailed extends Error {
  override readonly name = 'PartFailed';
  readonly part: number;
  readonly error: QuorliteError;

  constructor(part: number, error: QuorliteError) {
    super(error.message);
    this.part = part;
    this.error = error;
  }
}

/** Whether `error` says that a limit was reached, so that only a canonical run may answer. */
export function isLimit(error: unknown): boolean {
  return error instanceof SqlError && (error.kind === 'steps' || error.kind === 'memory');
}

/** Whether the engine's instance is gone. */
export function isCrash(error: unknown): boolean {
  return error instanceof SqlError && error.kind === 'crash';
}

/**
 * The public error for what a statement threw; `statement` is its position in a transaction or batch. What is neither
 * the engine's nor ours is a mistake in the program and is thrown on.
 */
export function publicError(error: unknown, statement?: number): QuorliteError {
  if (error instanceof PartFailed) return error.error;
  if (error instanceof QuorliteError) {
    if (statement === undefined || error.statement !== undefined) return error;
    const { code, message, outcome, retryable, sqliteCode, offset, hint } = error;
    const details = { outcome, retryable, sqliteCode, offset, hint, statement };
    return new QuorliteError(code, message, details);
  }
  if (!(error instanceof SqlError) || error.kind === 'crash') throw error;
  return new QuorliteError(codeOf(error), messageOf(error), {
    sqliteCode: error.codeName,
    statement,
    offset: error.offset < 0 ? undefined : error.offset,
    hint: hintOf(error),
  });
}

function codeOf(error: SqlError): ErrorCode {
  switch (error.kind) {
    case 'not-allowed':
      return 'SQL_NOT_ALLOWED';
    case 'steps':
    case 'timeout':
      return 'SQL_TIMEOUT';
    case 'memory':
    case 'full':
      return 'TRANSACTION_TOO_LARGE';
    default:
      break;
  }
  const primary = error.code & PRIMARY_MASK;
  if (primary === SQLITE_CONSTRAINT) return 'SQL_CONSTRAINT';
  if (primary === SQLITE_READONLY) return 'SQL_READ_ONLY';
  return 'SQL_ERROR';
}

function messageOf(error: SqlError): string {
  if (error.kind === 'full') return 'the database has reached its largest size';
  return error.message.length > MESSAGE_UNITS
    ? `${error.message.slice(0, MESSAGE_UNITS)}…`
    : error.message;
}

function hintOf(error: SqlError): string | undefined {
  switch (error.kind) {
    case 'steps':
      return 'send it in smaller pieces, or with `slow: true` if it may hold the cluster up';
    case 'memory':
      return 'send it in smaller pieces, or raise the cluster settings softMemoryBytes and hardMemoryBytes';
    case 'full':
      return 'delete rows and send VACUUM, or raise the cluster setting maxPageCount';
    default:
      return (error.code & PRIMARY_MASK) === SQLITE_TOOBIG
        ? 'the cluster settings valueBytes and sqlBytes bound values and statements'
        : undefined;
  }
}
