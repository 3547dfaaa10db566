/** From SQLite's result codes to `SqlError`, with the kind that tells the caller what to do next. */
import { SqlError, type SqlErrorKind } from '../engine.ts';
import { codeName, SQLITE } from './codes.ts';
import { WORD } from './control.ts';
import type { Instance } from './instance.ts';
import { unitsOfBytes } from './text.ts';

/** Codes after which an instance cannot be trusted: they do not happen over a sound page store. */
const FATAL: ReadonlySet<number> = new Set([
  SQLITE.INTERNAL,
  SQLITE.IOERR,
  SQLITE.CORRUPT,
  SQLITE.MISUSE,
  SQLITE.NOTADB,
]);

/** Where an error came from, beyond the code. */
export interface ErrorContext {
  /** What the authorizer or the text rules refused, if they did. */
  readonly refusal: string | null;
  /** What an interrupt means on this connection. */
  readonly interrupt: 'steps' | 'timeout';
  /** The statement's text and the UTF-16 offset where it begins, for the error's offset. */
  readonly sql: string;
  readonly from: number;
  /** Whether the statement was being compiled. */
  readonly compiling?: boolean | undefined;
}

/** Reads the error that a call on `db` has just reported. An error that is fatal ends the instance. */
export function readError(
  instance: Instance,
  db: number,
  rc: number,
  context: ErrorContext,
): SqlError {
  const extended = instance.x.sqlite3_extended_errcode(db);
  const code = (extended & 0xff) === (rc & 0xff) ? extended : rc;
  const text = instance.text(instance.x.sqlite3_errmsg(db)) ?? codeName(code);
  const refusal = context.refusal ?? refusalByDepth(instance) ?? refusalBySqlite(text);
  const kind = kindOf(instance, code, refusal, context.interrupt);
  const bytes = instance.x.sqlite3_error_offset(db);
  const offset = bytes < 0 ? -1 : context.from + unitsOfBytes(context.sql, context.from, bytes);
  if (kind === 'crash') {
    return instance.crash(new SqlError('crash', code, codeName(code), text, { offset }));
  }
  if (kind === 'not-allowed') {
    return new SqlError(kind, SQLITE.AUTH, 'SQLITE_AUTH', refusal ?? text, { offset });
  }
  const message = messageOf(kind, text, context.compiling === true);
  return new SqlError(kind, code, codeName(code), message, { offset });
}

/** What the authorizer's trampoline refused without asking; forgotten by asking. */
function refusalByDepth(instance: Instance): string | null {
  if (instance.word(WORD.tooDeep) === 0) return null;
  instance.setWord(WORD.tooDeep, 0);
  return 'the statement is nested too deep and not allowed: use fewer triggers that set off triggers, cascading foreign keys, views of views or nested queries';
}

/** What SQLite refuses by itself before the authorizer is asked, in our words; null for any other message. */
function refusalBySqlite(text: string): string | null {
  const table = /^table (sqlite_\w+) may not be modified$/.exec(text)?.[1];
  if (table !== undefined) {
    return `writing to ${table} is not allowed: tables that begin with sqlite_ belong to SQLite`;
  }
  if (!/^no such function: load_extension$/i.test(text)) return null;
  return 'load_extension() is not allowed: the engine is equal on all nodes and cannot be extended';
}

function kindOf(
  instance: Instance,
  code: number,
  refusal: string | null,
  interrupt: 'steps' | 'timeout',
): SqlErrorKind {
  if (refusal !== null) return 'not-allowed';
  const primary = code & 0xff;
  if (instance.word(WORD.interrupted) !== 0) return interrupt;
  if (primary === SQLITE.NOMEM || code === SQLITE.IOERR_NOMEM) {
    const failed = instance.word(WORD.heapFailed) !== 0;
    return failed && instance.word(WORD.heapRefused) === 0 ? 'crash' : 'memory';
  }
  if (primary === SQLITE.FULL) return 'full';
  if (code === SQLITE.CORRUPT_VTAB || code === SQLITE.CORRUPT_SEQUENCE) return 'sql';
  return FATAL.has(primary) ? 'crash' : 'sql';
}

function messageOf(kind: SqlErrorKind, text: string, compiling: boolean): string {
  if (compiling && (kind === 'steps' || kind === 'timeout')) {
    return 'the statement takes too long to compile: join fewer tables or use fewer conditions';
  }
  if (compiling && kind === 'memory') {
    return 'the statement is too large: compiling it needs more memory than its limit allows; send it as several statements, or its values as parameters';
  }
  switch (kind) {
    case 'steps':
      return 'the statement ran too long: its budget of steps is used up';
    case 'timeout':
      return 'the statement ran too long: its deadline has passed';
    case 'memory':
      return 'the statement needs more memory than its limit allows';
    default:
      return text;
  }
}

/** An error for a statement that was refused before SQLite saw it. */
export function refusedError(refusal: string): SqlError {
  return new SqlError('not-allowed', SQLITE.AUTH, 'SQLITE_AUTH', refusal);
}

/** An ordinary error found by the host itself. */
export function plainError(code: number, message: string, offset = -1): SqlError {
  return new SqlError('sql', code, codeName(code), message, { offset });
}
