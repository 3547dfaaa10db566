/** One statement: the hot path of the state machine. */
import type { Statement } from '../../../wasm/engine.ts';
import { QuorliteError } from '../../wire/error.ts';
import type { OperationResult, StatementResult } from '../../wire/result.ts';
import type { CommandContext } from './context.ts';
import { bindEncoded, type RefReader } from './params.ts';
import { refuseDanglingKeys } from './savepoint.ts';
import type { SqlText } from './texts.ts';

/** Runs an `execute` operation; `input` stands behind its op code. No savepoint: the caller checks what a failure left. */
export function runExecute(context: CommandContext): OperationResult {
  const { input } = context;
  input.u8();
  const text = context.text();
  if (text.maintenance !== null)
    return { type: 'statement', result: runMaintenance(context, text) };
  const statement = prepareText(context, text);
  const bound = bindEncoded(statement, text.shape(statement), input, null);
  context.finish();
  const result = context.run(statement, text, bound);
  if (!statement.readonly) refuseDanglingKeys(context);
  return { type: 'statement', result };
}

/** Binds and runs a statement of a transaction whose parameters stand at `input`. */
export function runBound(
  context: CommandContext,
  text: SqlText,
  statement: Statement,
  refs: RefReader,
): StatementResult {
  const bound = bindEncoded(statement, text.shape(statement), context.input, refs);
  return context.run(statement, text, bound);
}

/** Compiles a text that must hold one statement. */
export function prepareText(context: CommandContext, text: SqlText): Statement {
  const statement = context.writer.prepare(text.sql);
  if (statement === null) throw new QuorliteError('BAD_REQUEST', 'the text holds no statement');
  return statement;
}

/** ANALYZE and REINDEX anywhere, `PRAGMA optimize` and VACUUM when they are alone in their entry. */
function runMaintenance(context: CommandContext, text: SqlText): StatementResult {
  refuseUnlessAlone(context, text.maintenance!);
  return context.writer.privileged(() => {
    const statement = prepareText(context, text);
    bindEncoded(statement, text.shape(statement), context.input, null);
    context.finish();
    return context.run(statement, null, 0);
  });
}

/** VACUUM cannot run inside a transaction; what `PRAGMA optimize` does depends on what the connection did before. */
export function refuseUnlessAlone(context: CommandContext, maintenance: string): void {
  if (maintenance === 'analyze' || maintenance === 'reindex' || context.alone) return;
  const name = maintenance === 'vacuum' ? 'VACUUM' : 'PRAGMA optimize';
  throw new QuorliteError('SQL_NOT_ALLOWED', `${name} runs as a command of its own`, {
    hint: 'send it with execute, and again if other commands were put into the same log entry',
  });
}
