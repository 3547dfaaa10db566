/** Running SQL text of several statements, each compiled when the one before has run. */
import type { Statement } from '../../../wasm/engine.ts';
import { QuorliteError } from '../../wire/error.ts';
import type { StatementResult } from '../../wire/result.ts';
import { maintenanceOf } from '../sql-text.ts';
import type { CommandContext } from './context.ts';
import { isCrash, isLimit, publicError } from './errors.ts';
import { refuseUnlessAlone } from './execute.ts';

/** What one statement of a script did, null when only blanks were left, and where the next one begins. */
export interface ScriptStep {
  readonly result: StatementResult | null;
  readonly next: number;
}

/** Compiles and runs the statement of `sql` at `from`. Scripts take no parameters. */
export function runScriptStep(context: CommandContext, sql: string, from: number): ScriptStep {
  const maintenance = maintenanceOf(sql, from);
  if (maintenance === null) return step(context, sql, from);
  refuseUnlessAlone(context, maintenance);
  return context.writer.privileged(() => step(context, sql, from));
}

function step(context: CommandContext, sql: string, from: number): ScriptStep {
  const { statement, next } = context.writer.prepareNext(sql, from);
  if (statement === null) return { result: null, next };
  try {
    refuseParameters(statement);
    return { result: context.run(statement, null, 0), next };
  } finally {
    statement.finalize();
  }
}

function refuseParameters(statement: Statement): void {
  if (statement.parameterCount === 0) return;
  throw new QuorliteError('BAD_REQUEST', 'statements in a script take no parameters; use txn');
}

/** Runs every statement of `sql`; the first error ends it, telling the statement's position. */
export function runScript(context: CommandContext, sql: string): StatementResult[] {
  const results: StatementResult[] = [];
  for (let from = 0; from < sql.length; ) {
    try {
      const { result, next } = runScriptStep(context, sql, from);
      if (result === null) break;
      results.push(result);
      from = next;
    } catch (error) {
      if (isCrash(error) || isLimit(error)) throw error;
      throw publicError(error, results.length);
    }
  }
  return results;
}
