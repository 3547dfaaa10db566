/**
 * What SQL from outside may do (architecture, section 2). SQLite asks the authorizer while it compiles; a few things
 * that it does not ask about are seen in the text. Every refusal says what was refused and what to do instead.
 */
import { leadingWords, statementEnd } from './sql-text.ts';

/** Action codes of `sqlite3_set_authorizer`. */
export const ACTION = {
  CREATE_TEMP_INDEX: 3,
  CREATE_TEMP_VIEW: 6,
  DELETE: 9,
  DROP_TEMP_INDEX: 12,
  DROP_TEMP_VIEW: 15,
  INSERT: 18,
  PRAGMA: 19,
  READ: 20,
  SELECT: 21,
  TRANSACTION: 22,
  UPDATE: 23,
  ATTACH: 24,
  DETACH: 25,
  ALTER_TABLE: 26,
  CREATE_VTABLE: 29,
  DROP_VTABLE: 30,
  FUNCTION: 31,
  SAVEPOINT: 32,
  RECURSIVE: 33,
} as const;

/** Actions that are always allowed and therefore never leave WebAssembly: 64 bits, low half first. */
const UNASKED: readonly number[] = [ACTION.READ, ACTION.SELECT, ACTION.FUNCTION, ACTION.RECURSIVE];

/** The mask of actions that JavaScript is asked about, as two 32-bit halves. */
export const AUTHORIZER_MASK: readonly [number, number] = [0, 1].map((half) =>
  UNASKED.filter((action) => action >> 5 === half).reduce(
    (mask, action) => mask & ~(1 << action),
    -1,
  ),
) as [number, number];

/** PRAGMAs that SQL from outside may use; all others are Quorlite's own business. */
export const ALLOWED_PRAGMAS: readonly string[] = [
  'table_info',
  'table_xinfo',
  'table_list',
  'index_list',
  'index_info',
  'index_xinfo',
  'foreign_key_list',
  'foreign_key_check',
  'integrity_check',
  'quick_check',
  'user_version',
  'application_id',
  'function_list',
  'compile_options',
];

/** Modules that CREATE VIRTUAL TABLE may name. */
export const ALLOWED_MODULES: readonly string[] = ['fts5', 'fts5vocab', 'rtree'];

/** FTS5 and R-Tree ask these from inside; what they are told depends on the connection's life, so nobody else may. */
const MODULE_PRAGMAS: readonly string[] = ['data_version', 'page_size'];

const PRAGMA_SET: ReadonlySet<string> = new Set([...ALLOWED_PRAGMAS, ...MODULE_PRAGMAS]);
const MODULE_SET: ReadonlySet<string> = new Set(ALLOWED_MODULES);
const SCHEMA_WORDS: ReadonlySet<string> = new Set(['CREATE', 'DROP', 'ALTER']);
const PRIVILEGED_WORDS: ReadonlySet<string> = new Set(['ANALYZE', 'REINDEX', 'VACUUM']);
const TRANSACTION_WORDS: ReadonlySet<string> = new Set([
  'BEGIN',
  'COMMIT',
  'END',
  'ROLLBACK',
  'SAVEPOINT',
  'RELEASE',
]);

/** What a statement is allowed beyond the ordinary, decided from its first words. */
export interface StatementRights {
  /** CREATE, DROP, ALTER: SQLite itself writes to `sqlite_*` tables for it. */
  readonly schema: boolean;
  /** Runs without any check: our own SQL, or maintenance under `privileged`. */
  readonly unchecked: boolean;
  /** ANALYZE and PRAGMA optimize: they write statistics. */
  readonly statistics: boolean;
}

const ORDINARY: StatementRights = { schema: false, unchecked: false, statistics: false };
const SCHEMA: StatementRights = { schema: true, unchecked: false, statistics: false };
const TRUSTED: StatementRights = { schema: false, unchecked: true, statistics: false };
const TRUSTED_SCHEMA: StatementRights = { schema: true, unchecked: true, statistics: false };
const TRUSTED_STATISTICS: StatementRights = { schema: true, unchecked: true, statistics: true };

/** Rights of our own SQL, which is never refused. */
export function trustedRights(sql: string, from: number): StatementRights {
  const words = leadingWords(sql, from, 2);
  const word = words[0] ?? '';
  if (word === 'ANALYZE' || isOptimize(words)) return TRUSTED_STATISTICS;
  return SCHEMA_WORDS.has(word) || word === 'VACUUM' ? TRUSTED_SCHEMA : TRUSTED;
}

/** A statement that may not run, and why. */
export interface Refusal {
  readonly refused: string;
}

/**
 * Looks at the words a statement begins with. Returns its rights, or a refusal for what the authorizer is not asked
 * about. `privileged` lets maintenance pass.
 */
export function statementRights(
  sql: string,
  from: number,
  privileged: boolean,
): StatementRights | Refusal {
  const words = leadingWords(sql, from, 4);
  const word = words[0] ?? '';
  if (word === 'VACUUM' && words.includes('INTO')) {
    return {
      refused: 'VACUUM INTO is not allowed: there are no files; take a backup or an export instead',
    };
  }
  if (PRIVILEGED_WORDS.has(word) || isOptimize(words)) {
    if (privileged) return trustedRights(sql, from);
    return {
      refused: `${word === 'PRAGMA' ? 'PRAGMA optimize' : word} is not allowed here: it runs as a command of its own`,
    };
  }
  const pragma = modulePragma(sql, from, word === 'PRAGMA');
  if (pragma !== null) return { refused: pragmaRefusal(pragma) };
  if (TRANSACTION_WORDS.has(word)) return { refused: transactionRefusal(word) };
  if (word === 'ALTER' && /quorlite_/i.test(sql.slice(from, statementEnd(sql, from)))) {
    return {
      refused: 'ALTER TABLE is not allowed on names that begin with quorlite_: they are reserved',
    };
  }
  return SCHEMA_WORDS.has(word) ? SCHEMA : ORDINARY;
}

function isOptimize(words: readonly string[]): boolean {
  return words[0] === 'PRAGMA' && words[1] === 'OPTIMIZE';
}

/** The pragma meant for modules that a text uses, as a statement or as a table. */
function modulePragma(sql: string, from: number, statement: boolean): string | null {
  const found = statement
    ? /\b(data_version|page_size)\b/i
    : /\bpragma_(data_version|page_size)\b/i;
  if (!found.test(sql)) return null;
  return found.exec(sql.slice(from, statementEnd(sql, from)))?.[1] ?? null;
}

function transactionRefusal(word: string): string {
  return `${word} is not allowed: every command is a transaction of its own; send several statements as one transaction`;
}

/** Decides about one action; null allows it, else the text says what was refused. Names are as SQLite gave them. */
export function refuse(
  rights: StatementRights,
  action: number,
  first: string,
  second: string,
  database: string,
): string | null {
  if (rights.unchecked) return null;
  switch (action) {
    case ACTION.PRAGMA:
      return refusePragma(first);
    case ACTION.TRANSACTION:
    case ACTION.SAVEPOINT:
      return transactionRefusal(first);
    case ACTION.ATTACH:
      return 'ATTACH is not allowed: a cluster has one database';
    case ACTION.DETACH:
      return 'DETACH is not allowed: a cluster has one database';
    case ACTION.INSERT:
    case ACTION.UPDATE:
    case ACTION.DELETE:
      return refuseWrite(rights, first, database);
    case ACTION.CREATE_VTABLE:
      return refuseModule(second) ?? refuseName(first) ?? refuseTemp(database);
    case ACTION.ALTER_TABLE:
      return refuseName(second) ?? refuseTemp(first);
    case ACTION.DROP_VTABLE:
      return refuseName(first) ?? refuseTemp(database);
    default:
      return refuseSchemaChange(action, first, second, database);
  }
}

function refusePragma(name: string): string | null {
  if (PRAGMA_SET.has(name.toLowerCase())) return null;
  if (name.toLowerCase() === 'optimize') {
    return 'PRAGMA optimize is not allowed here: it runs as a command of its own';
  }
  return pragmaRefusal(name);
}

function pragmaRefusal(name: string): string {
  const allowed = ALLOWED_PRAGMAS.join(', ');
  return `PRAGMA ${name} is not allowed: Quorlite makes the settings of SQLite itself; allowed are ${allowed}`;
}

function refuseModule(name: string): string | null {
  if (MODULE_SET.has(name.toLowerCase())) return null;
  return `virtual tables of the module ${name} are not allowed: use ${ALLOWED_MODULES.join(', ')}`;
}

function refuseTemp(database: string): string | null {
  if (database.toLowerCase() !== 'temp') return null;
  return 'TEMP objects are not allowed: they would not be replicated; use an ordinary table';
}

function refuseName(name: string): string | null {
  if (!name.toLowerCase().startsWith('quorlite_')) return null;
  return `${name} is not allowed: names that begin with quorlite_ are reserved; choose another name`;
}

/** Rows of SQLite's own tables are written by SQLite alone, those of ours by us alone. */
function refuseWrite(rights: StatementRights, table: string, database: string): string | null {
  const name = table.toLowerCase();
  if (name.startsWith('quorlite_')) {
    return `writing to ${table} is not allowed: tables that begin with quorlite_ belong to Quorlite`;
  }
  if (name.startsWith('sqlite_')) {
    if (rights.schema) return null;
    return `writing to ${table} is not allowed: tables that begin with sqlite_ belong to SQLite`;
  }
  return refuseTemp(database);
}

/** CREATE and DROP of tables, indexes, triggers and views: their names, and those of the tables they belong to. */
function refuseSchemaChange(
  action: number,
  first: string,
  second: string,
  database: string,
): string | null {
  const temporary =
    (action >= ACTION.CREATE_TEMP_INDEX && action <= ACTION.CREATE_TEMP_VIEW) ||
    (action >= ACTION.DROP_TEMP_INDEX && action <= ACTION.DROP_TEMP_VIEW);
  return refuseTemp(temporary ? 'temp' : database) ?? refuseName(first) ?? refuseName(second);
}
