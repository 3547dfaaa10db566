/** Batches: several statements as text, atomic or each on its own. */
import { QuorliteError } from '../../wire/error.ts';
import { OpFlag } from '../../wire/operation.ts';
import type { OperationResult, StatementFailure, StatementResult } from '../../wire/result.ts';
import { endOfStatement, skipBlank } from '../sql-text.ts';
import type { CommandContext } from './context.ts';
import { isCrash, isLimit, PartFailed, publicError } from './errors.ts';
import { insideSavepoint } from './savepoint.ts';
import { runScript, runScriptStep } from './script.ts';

/** Runs a `batch` operation; `input` stands behind its op code. */
export function runBatch(context: CommandContext): OperationResult {
  const { input } = context;
  const flags = input.u8();
  const sql = input.text();
  context.finish();
  if (flags & OpFlag.atomic) {
    const results = insideSavepoint(context, 'batch', () => runScript(context, sql));
    return { type: 'statements', results };
  }
  return { type: 'statements', results: runEach(context, sql) };
}

/**
 * Runs each statement in a savepoint of its own. The text is cut here, not by SQLite, since what does not compile has
 * an end, too. A limit fails the whole batch.
 */
function runEach(context: CommandContext, sql: string): (StatementResult | StatementFailure)[] {
  const results: (StatementResult | StatementFailure)[] = [];
  for (let from = skipBlank(sql, 0, true); from < sql.length; ) {
    const position = results.length;
    if (position >= context.settings.resultRows) {
      throw new QuorliteError('RESULT_TOO_LARGE', `a batch may have ${position} statements`);
    }
    const end = endOfStatement(sql, from);
    const skipped = context.skip?.get(position);
    if (skipped !== undefined) results.push({ error: skipped });
    else results.push(runPart(context, sql.slice(from, end), position));
    from = skipBlank(sql, end, true);
  }
  return results;
}

function runPart(
  context: CommandContext,
  sql: string,
  position: number,
): StatementResult | StatementFailure {
  try {
    return insideSavepoint(context, 'part', () => {
      const { result } = runScriptStep(context, sql, 0);
      if (result === null) throw new QuorliteError('BAD_REQUEST', 'the text holds no statement');
      return result;
    });
  } catch (error) {
    if (isCrash(error) || isLimit(error)) throw error;
    const failure = publicError(error, position);
    if (context.writer.autocommit()) throw new PartFailed(position, failure);
    return { error: failure };
  }
}
