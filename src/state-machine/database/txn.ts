/**
 * Transactions: statements that take effect together or not at all, with references to earlier results, statements
 * run many times, expectations and a guard. Read from the operation's bytes while they run.
 */
import { SqlError } from '../../../wasm/engine.ts';
import { assert } from '../../wire/assert.ts';
import type { LogIndex } from '../../wire/entry.ts';
import { QuorliteError } from '../../wire/error.ts';
import { type Expectation, OpFlag, readExpectation, StatementFlag } from '../../wire/operation.ts';
import type { OperationResult, StatementResult } from '../../wire/result.ts';
import type { Ref, SqlValue } from '../../wire/value.ts';
import type { CommandContext } from './context.ts';
import { isCrash, isLimit, publicError } from './errors.ts';
import { prepareText, refuseUnlessAlone, runBound } from './execute.ts';
import { selectAllOf } from './names.ts';
import type { RefReader } from './params.ts';
import { insideSavepoint } from './savepoint.ts';
import type { SqlText } from './texts.ts';

/** Runs a `txn` operation; `input` stands behind its op code. */
export function runTxn(context: CommandContext): OperationResult {
  const { input } = context;
  const flags = input.u8();
  if (flags & OpFlag.guard) checkGuard(context);
  const count = input.uint();
  const results: StatementResult[] = [];
  const refs: RefReader = (ref) => resolve(results, ref);
  insideSavepoint(context, 'txn', () => {
    for (let i = 0; i < count; i++) results.push(runPart(context, i, refs));
    context.finish();
  });
  return { type: 'statements', results };
}

/**
 * Fails with `CONFLICT` when a guarded table changed after the index that the client has read at. A guard that could never
 * fail is a mistake: `BAD_REQUEST`.
 */
function checkGuard(context: CommandContext): void {
  const { input } = context;
  const index = input.uint();
  if (index >= context.index) {
    throw new QuorliteError(
      'BAD_REQUEST',
      `guard.index ${index} is beyond the log, which ends at ${context.index - 1}`,
      { hint: 'take the index that an answer of this cluster carried' },
    );
  }
  for (let left = input.uint(); left > 0; left--) {
    const table = input.text();
    // First of all: a table that is gone was changed.
    refuseChanged(context, table, index);
    for (const read of tablesBehind(context, table)) refuseChanged(context, read, index);
  }
}

function refuseChanged({ tables }: CommandContext, table: string, index: LogIndex): void {
  const changedAt = tables.changedAt(table);
  if (changedAt <= index) return;
  throw new QuorliteError(
    'CONFLICT',
    `table ${table} changed at index ${changedAt}, after ${index}`,
  );
}

/** The tables that a table or view stands for. */
function tablesBehind({ writer }: CommandContext, table: string): readonly string[] {
  try {
    return writer.prepare(selectAllOf(table))?.tables().read ?? [];
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    // What may be read though not in a write, such as the function of a PRAGMA, has no marks of its own.
    if (error.kind === 'not-allowed') return [];
    if (error.kind !== 'sql') throw error;
    throw new QuorliteError('BAD_REQUEST', `guard.tables: ${publicError(error).message}`, {
      hint: 'name tables and views as they are called, without a schema in front',
      cause: error,
    });
  }
}

/** Runs statement `position`; errors say which one it was. */
function runPart(context: CommandContext, position: number, refs: RefReader): StatementResult {
  try {
    return runStatement(context, refs);
  } catch (error) {
    if (isCrash(error) || isLimit(error)) throw error;
    throw publicError(error, position);
  }
}

function runStatement(context: CommandContext, refs: RefReader): StatementResult {
  const { input } = context;
  const text = context.texts.read(input);
  const shape = input.u8();
  const expect = shape & StatementFlag.expect ? readExpectation(input) : undefined;
  if (text.maintenance !== null) refuseUnlessAlone(context, text.maintenance);
  const run = () =>
    shape & StatementFlag.many ? runMany(context, text, refs) : runOnce(context, text, refs);
  const result = text.maintenance === null ? run() : context.writer.privileged(run);
  if (expect !== undefined) checkExpectation(result, expect);
  return result;
}

function runOnce(context: CommandContext, text: SqlText, refs: RefReader): StatementResult {
  return runBound(context, text, prepareText(context, text), refs);
}

/** Runs a statement once per parameter list; rows are joined, changes added up. */
function runMany(context: CommandContext, text: SqlText, refs: RefReader): StatementResult {
  const { input } = context;
  const statement = prepareText(context, text);
  let rowsAffected = 0;
  let last: StatementResult = { rowsAffected: 0, lastInsertRowid: 0 };
  let rows: (readonly SqlValue[])[] | undefined;
  for (let left = input.uint(); left > 0; left--) {
    last = runBound(context, text, statement, refs);
    rowsAffected += last.rowsAffected;
    if (last.rows !== undefined) {
      rows ??= [];
      for (const row of last.rows) rows.push(row);
    }
  }
  const { lastInsertRowid, columns } = last;
  if (columns === undefined) return { rowsAffected, lastInsertRowid };
  return { rowsAffected, lastInsertRowid, columns, rows };
}

function checkExpectation(result: StatementResult, expect: Expectation): void {
  const rows = result.rows?.length ?? 0;
  const { rowsAffected } = result;
  const unmet =
    unequal('rows', expect.rows, rows) ??
    unequal('rowsAffected', expect.rowsAffected, rowsAffected) ??
    below('minRows', expect.minRows, rows) ??
    below('minRowsAffected', expect.minRowsAffected, rowsAffected);
  if (unmet !== undefined) throw new QuorliteError('EXPECTATION_FAILED', unmet);
}

function unequal(name: string, wanted: number | undefined, found: number): string | undefined {
  return wanted === undefined || wanted === found
    ? undefined
    : `expected ${name} ${wanted}, got ${found}`;
}

function below(name: string, wanted: number | undefined, found: number): string | undefined {
  return wanted === undefined || found >= wanted
    ? undefined
    : `expected ${name} of at least ${wanted}, got ${found}`;
}

/** The value that a reference names. */
function resolve(results: readonly StatementResult[], { $ref }: Ref): SqlValue {
  const { statement, column, row = 0 } = $ref;
  const result = results[statement];
  if (result === undefined) {
    throw new QuorliteError(
      'BAD_REQUEST',
      `$ref names statement ${statement}, which is not earlier`,
    );
  }
  const { columns, rows } = result;
  if (columns === undefined) {
    throw new QuorliteError(
      'BAD_REQUEST',
      `$ref names statement ${statement}, which returns no rows (add RETURNING)`,
    );
  }
  const at = typeof column === 'number' ? column : columns.findIndex(({ name }) => name === column);
  if (at < 0 || at >= columns.length) {
    throw new QuorliteError('BAD_REQUEST', `statement ${statement} has no column ${column}`);
  }
  const found = rows?.[row];
  if (found === undefined) {
    throw new QuorliteError('NO_ROWS', `statement ${statement} returned no row ${row}`);
  }
  assert(found.length === columns.length, () => 'a row has as many values as there are columns');
  return found[at]!;
}
