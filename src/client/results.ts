/** What callers get out of results. */
import { QuorliteError } from '../wire/error.ts';
import type { OperationResult, StatementFailure, StatementResult } from '../wire/result.ts';
import type { ExecuteResult, IntegerMode } from './contract.ts';
import { toObjects } from './rows.ts';

const NONE: readonly never[] = Object.freeze([]);

/** What one statement did, with its rows as objects. Throws `BAD_REQUEST`, outcome applied, for columns of one name. */
export function toExecuteResult<T>(
  result: StatementResult,
  index: number,
  integers: IntegerMode,
): ExecuteResult<T> {
  const { rowsAffected, columns, rows } = result;
  return {
    rowsAffected,
    lastInsertRowid: toRowid(result.lastInsertRowid, integers),
    rows: columns ? toObjects<T>(columns, rows ?? NONE, integers, 'applied') : [],
    columns: columns ?? NONE,
    index,
  };
}

function toRowid(rowid: number | bigint, integers: IntegerMode): number | bigint {
  if (integers === 'auto') return rowid;
  return integers === 'bigint' ? BigInt(rowid) : Number(rowid);
}

/** The single result of `execute`. */
export function statementOf(result: OperationResult): StatementResult {
  if (result.type === 'statement') return result.result;
  throw surprising(result);
}

/** The results of `txn` and `batch`. */
export function statementsOf(
  result: OperationResult,
): readonly (StatementResult | StatementFailure)[] {
  if (result.type === 'statements') return result.results;
  throw surprising(result);
}

/** The result of `migrate`. */
export function migratedOf(result: OperationResult): OperationResult & { type: 'migrated' } {
  if (result.type === 'migrated') return result;
  throw surprising(result);
}

/** The result of a change of settings. */
export function settingsOf(result: OperationResult): { [name: string]: number } {
  if (result.type === 'settings') return { ...result.settings };
  throw surprising(result);
}

function surprising({ type }: OperationResult): QuorliteError {
  return new QuorliteError('CORRUPT', `a result of type '${type}' was not expected here`, {
    outcome: 'applied',
  });
}

/** The one row of `queryOne`. Throws `NO_ROWS`, `TOO_MANY_ROWS`. */
export function exactlyOne<T>(rows: readonly T[]): T {
  if (rows.length === 1) return rows[0]!;
  if (rows.length === 0) throw new QuorliteError('NO_ROWS', 'the query returned no row');
  throw tooMany(rows);
}

/** The row of `queryOptional`. Throws `TOO_MANY_ROWS`. */
export function atMostOne<T>(rows: readonly T[]): T | undefined {
  if (rows.length <= 1) return rows[0];
  throw tooMany(rows);
}

function tooMany(rows: readonly unknown[]): QuorliteError {
  return new QuorliteError('TOO_MANY_ROWS', `the query returned ${rows.length} rows, not one`);
}
