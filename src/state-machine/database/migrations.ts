/**
 * Migrations: files applied once, in the order of their ids, and remembered in `quorlite_migrations` with a hash. Each
 * file is a savepoint together with its row: a failing file undoes itself and ends the command, earlier ones stay.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { QuorliteError } from '../../wire/error.ts';
import type { Migration } from '../../wire/operation.ts';
import type { OperationResult } from '../../wire/result.ts';
import { endOfStatement, foreignKeysPragma, skipBlank } from '../sql-text.ts';
import type { CommandContext } from './context.ts';
import { isCrash, isLimit, PartFailed, publicError } from './errors.ts';
import { insideSavepoint } from './savepoint.ts';
import { runScriptStep } from './script.ts';

const CREATE_TABLE = `CREATE TABLE IF NOT EXISTS quorlite_migrations (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL, applied_at INTEGER NOT NULL)`;
const HAS_TABLE =
  "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'quorlite_migrations'";
const READ_TABLE = 'SELECT id, hash FROM quorlite_migrations';

/** Runs a `migrate` operation; `input` stands behind its op code. */
export function runMigrate(context: CommandContext): OperationResult {
  const migrations = readMigrations(context);
  const known = readApplied(context);
  let current = 0;
  for (const id of known.keys()) current = Math.max(current, id);
  const pending = pendingOf(migrations, known, current);
  const applied: { readonly id: number; readonly name: string }[] = [];
  for (const [position, migration] of pending.entries()) {
    try {
      applyFile(context, migration, position);
    } catch (error) {
      if (applied.length > 0) context.settle();
      throw describe(error, migration, applied);
    }
    applied.push({ id: migration.id, name: migration.name });
    current = migration.id;
  }
  return { type: 'migrated', applied, current };
}

function readMigrations(context: CommandContext): Migration[] {
  const { input } = context;
  const migrations: Migration[] = [];
  for (let left = input.uint(); left > 0; left--) {
    migrations.push({ id: input.uint(), name: input.text(), sql: input.text() });
  }
  context.finish();
  migrations.sort((a, b) => a.id - b.id);
  for (let i = 1; i < migrations.length; i++) {
    if (migrations[i]!.id !== migrations[i - 1]!.id) continue;
    throw new QuorliteError('BAD_REQUEST', `two migrations have the id ${migrations[i]!.id}`);
  }
  return migrations;
}

/** Ids and hashes of the migrations applied so far. */
function readApplied(context: CommandContext): Map<number, string> {
  const applied = new Map<number, string>();
  if (rowsOf(context, HAS_TABLE).length === 0) return applied;
  for (const [id, hash] of rowsOf(context, READ_TABLE)) applied.set(id as number, hash as string);
  return applied;
}

function rowsOf(context: CommandContext, sql: string) {
  const statement = context.writer.prepare(sql)!;
  try {
    const rows = [];
    while (statement.step()) rows.push(statement.row());
    return rows;
  } finally {
    statement.reset();
  }
}

/** The files to apply, after checking that those applied before are still the same and that none comes too late. */
function pendingOf(
  migrations: readonly Migration[],
  applied: ReadonlyMap<number, string>,
  current: number,
): Migration[] {
  return migrations.filter(({ id, name, sql }) => {
    const hash = applied.get(id);
    if (hash === hashOf(sql)) return false;
    if (hash !== undefined) {
      throw new QuorliteError(
        'MIGRATION_MISMATCH',
        `migration ${id} "${name}" was applied with another text`,
        { hint: `bring its text back, and put the change into a new migration above ${current}` },
      );
    }
    if (id > current) return true;
    throw new QuorliteError(
      'MIGRATION_MISMATCH',
      `migration ${id} "${name}" was never applied, but ${current} was: it comes too late`,
      { hint: `give it an id above ${current}` },
    );
  });
}

function hashOf(sql: string): string {
  return bytesToHex(sha256(utf8ToBytes(sql)));
}

/** Applies one file, or fails as it did before when it is known to end the transaction. */
function applyFile(context: CommandContext, migration: Migration, position: number): void {
  const known = context.skip?.get(position);
  if (known !== undefined) {
    // It is left out of this run, and what the files before it did stays.
    context.undone = true;
    throw known;
  }
  try {
    insideSavepoint(context, 'migration', () => {
      runFile(context, migration.sql);
      context.writer.exec(CREATE_TABLE);
      context.writer.exec(rowOf(migration, context.wall));
    });
  } catch (error) {
    if (isCrash(error) || (isLimit(error) && !context.canonical)) throw error;
    if (!isLimit(error) && !context.writer.autocommit()) throw error;
    throw new PartFailed(position, publicError(error));
  }
}

function rowOf({ id, name, sql }: Migration, wall: number): string {
  const text = bytesToHex(utf8ToBytes(name));
  return `INSERT INTO quorlite_migrations (id, name, hash, applied_at)
    VALUES (${id}, CAST(x'${text}' AS TEXT), '${hashOf(sql)}', ${Math.floor(wall)})`;
}

/** Runs the statements of a file; its `PRAGMA foreign_keys` are ours to obey. */
function runFile(context: CommandContext, sql: string): void {
  if (!turnsForeignKeysOff(sql)) {
    runStatements(context, sql);
    return;
  }
  const { writer } = context;
  writer.setForeignKeys(false);
  try {
    runStatements(context, sql);
    checkForeignKeys(context);
  } catch (error) {
    if (!isCrash(error)) writer.setForeignKeys(true);
    throw error;
  }
  writer.setForeignKeys(true);
}

function turnsForeignKeysOff(sql: string): boolean {
  for (let from = skipBlank(sql, 0, true); from < sql.length; from = skipBlank(sql, from, true)) {
    if (foreignKeysPragma(sql, from)?.enabled === false) return true;
    from = endOfStatement(sql, from);
  }
  return false;
}

function runStatements(context: CommandContext, sql: string): void {
  let position = 0;
  for (let from = skipBlank(sql, 0, true); from < sql.length; from = skipBlank(sql, from, true)) {
    const pragma = foreignKeysPragma(sql, from);
    try {
      from = pragma?.end ?? runScriptStep(context, sql, from).next;
    } catch (error) {
      if (isCrash(error) || isLimit(error)) throw error;
      throw publicError(error, position);
    }
    position++;
  }
}

/** What was written without enforcement must hold with it. */
function checkForeignKeys(context: CommandContext): void {
  const statement = context.writer.prepare('PRAGMA foreign_key_check')!;
  try {
    if (!statement.step()) return;
    const [table, , parent] = statement.row();
    throw new QuorliteError(
      'SQL_CONSTRAINT',
      `FOREIGN KEY constraint failed: ${table} → ${parent}`,
      {
        sqliteCode: 'SQLITE_CONSTRAINT_FOREIGNKEY',
      },
    );
  } finally {
    statement.reset();
  }
}

/** Says which file failed and which ones stay. */
function describe(
  error: unknown,
  { id, name }: Migration,
  applied: readonly { readonly id: number }[],
): unknown {
  if (error instanceof PartFailed || isCrash(error) || isLimit(error)) return error;
  const { code, message, sqliteCode, statement, offset, hint } = publicError(error);
  return new QuorliteError(code, `migration ${id} "${name}" failed: ${message}`, {
    // Honest about the command as a whole: the files before this one are applied and stay.
    outcome: applied.length > 0 ? 'applied' : 'not-applied',
    sqliteCode,
    statement,
    offset,
    hint: [stayed(applied), hint].filter((part) => part !== undefined).join('; ') || undefined,
  });
}

/** What a caller need not send again, though it may. */
function stayed(applied: readonly { readonly id: number }[]): string | undefined {
  const [first, last] = [applied.at(0), applied.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const which =
    first === last
      ? `migration ${first.id} was applied and stays`
      : `migrations ${first.id} to ${last.id} were applied and stay`;
  return `${which}: mend this one and send them again`;
}
