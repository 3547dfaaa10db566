/** Savepoints: how a command of several statements, or one of its parts, undoes itself. */
import { QuorliteError } from '../../wire/error.ts';
import type { CommandContext } from './context.ts';
import { isCrash, isLimit } from './errors.ts';

/**
 * Runs `run` inside a savepoint. When it throws, everything since is undone, provided that the transaction is still
 * open; then `context.undone` says so. What a limit or a crash leaves behind is left to the caller, who starts over.
 */
export function insideSavepoint<T>(context: CommandContext, name: string, run: () => T): T {
  const { writer } = context;
  writer.exec(`SAVEPOINT ${name}`);
  try {
    const result = run();
    refuseDanglingKeys(context);
    writer.exec(`RELEASE ${name}`);
    return result;
  } catch (error) {
    if (isCrash(error) || isLimit(error)) throw error;
    if (!writer.autocommit()) {
      writer.exec(`ROLLBACK TO ${name}`);
      writer.exec(`RELEASE ${name}`);
      context.undone = true;
      context.schema++;
    }
    throw error;
  }
}

/** A deferred foreign key that is broken now would make the COMMIT fail, for everybody in the entry. */
export function refuseDanglingKeys(context: CommandContext): void {
  if (!context.writer.deferredForeignKeysPending()) return;
  throw new QuorliteError('SQL_CONSTRAINT', 'FOREIGN KEY constraint failed', {
    sqliteCode: 'SQLITE_CONSTRAINT_FOREIGNKEY',
    hint: 'deferred foreign keys are checked at the end of each command',
  });
}
