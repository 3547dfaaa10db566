/** Results kept for retries: what they weigh, and what stands in for one that is too big to keep. */
import { QuorliteError } from '../wire/error.ts';
import type { CommandOutcome, StatementFailure, StatementResult } from '../wire/result.ts';
import type { SqlValue } from '../wire/value.ts';
import type { ClusterSettings } from './settings.ts';

/** What an outcome without rows counts. */
const BASE_BYTES = 64;

/** Bytes that a value counts towards result limits: by its content alone, equal on every replica. */
export function valueBytes(value: SqlValue): number {
  switch (typeof value) {
    case 'string':
      return 4 + value.length;
    case 'object':
      return value === null ? 1 : 4 + value.length;
    default:
      return 8;
  }
}

/** Bytes that a row counts towards result limits. */
export function rowBytes(row: readonly SqlValue[]): number {
  let bytes = 0;
  for (let i = 0; i < row.length; i++) bytes += valueBytes(row[i]!);
  return bytes;
}

/** What `outcome` counts while it is kept; depends on its content alone. */
export function outcomeBytes(outcome: CommandOutcome): number {
  if (!outcome.ok) return errorBytes(outcome.error);
  const { result } = outcome;
  switch (result.type) {
    case 'statement':
      return statementBytes(result.result);
    case 'statements': {
      let bytes = BASE_BYTES;
      for (const one of result.results) bytes += statementBytes(one);
      return bytes;
    }
    case 'migrated': {
      let bytes = BASE_BYTES;
      for (const { name } of result.applied) bytes += 16 + name.length;
      return bytes;
    }
    default:
      return BASE_BYTES;
  }
}

function statementBytes(result: StatementResult | StatementFailure): number {
  if ('error' in result) return errorBytes(result.error);
  if (result.columns === undefined) return BASE_BYTES;
  let bytes = BASE_BYTES;
  for (const { name, decltype } of result.columns)
    bytes += 8 + name.length + (decltype?.length ?? 0);
  if (result.rows !== undefined) for (const row of result.rows) bytes += rowBytes(row);
  return bytes;
}

function errorBytes(error: QuorliteError): number {
  return BASE_BYTES + error.message.length + (error.hint?.length ?? 0);
}

/** Counts the bytes of all kept results, so that they stay within `keptBytes`. */
export class KeptBytes {
  total = 0;

  /** What to keep of `outcome`: itself, or a note that it was applied but not kept. Counts what it returns. */
  keep(outcome: CommandOutcome, settings: ClusterSettings): CommandOutcome {
    let kept = outcome;
    let bytes = outcomeBytes(outcome);
    if (bytes > BASE_BYTES) {
      const fits = this.total + bytes <= settings.keptBytes && bytes <= settings.keptResultBytes;
      if (!fits) {
        kept = notKept(outcome);
        bytes = outcomeBytes(kept);
      }
    }
    this.total += bytes;
    return kept;
  }

  /** Counts an outcome that a checkpoint held. */
  restored(outcome: CommandOutcome): void {
    this.total += outcomeBytes(outcome);
  }

  /** An outcome is kept no longer. */
  drop(outcome: CommandOutcome): void {
    this.total -= outcomeBytes(outcome);
  }
}

/** Failed commands left nothing behind, so their stand-in says so; the code is what a retry needs most. */
function notKept(outcome: CommandOutcome): CommandOutcome {
  const { index } = outcome;
  if (!outcome.ok) {
    const { code, outcome: known, retryable, sqliteCode, statement, offset } = outcome.error;
    const message = 'this command failed before; its message was not kept';
    const details = { outcome: known, retryable, sqliteCode, statement, offset };
    return { ok: false, index, error: new QuorliteError(code, message, details) };
  }
  const error = new QuorliteError(
    'RESULT_NOT_KEPT',
    `this command was applied at index ${index}; its result was too big to be kept for a retry`,
    { outcome: 'applied' },
  );
  return { ok: false, index, error };
}
