/**
 * The contract between Quorlite and a SQL engine compiled to WebAssembly.
 *
 * An `Engine` is a compiled module that can be opened any number of times over a `PageStore`. The writer and the
 * readers live in separate WASM instances over the same pages: the memory that a read takes never counts towards a
 * replicated command, and the writer's instance can be thrown away (a trap, a canonical run) while readers go on.
 *
 * Everything here is synchronous. Nothing here reads a clock or draws entropy except through `EngineHost`.
 */
import type { PageHasher, PageStore } from './page-store.ts';

/** A value in SQL. Integers come out as `number` when safe, else as `bigint`. */
export type SqlValue = null | number | bigint | string | Uint8Array;

/** Which engine this is; replicas of one cluster must agree on all of it. */
export interface EngineId {
  readonly name: string;
  /** SQLite's version, such as `3.54.1`. */
  readonly version: string;
  /** SHA-256 of the .wasm file, lower-case hex. */
  readonly hash: string;
  /** Compile options joined by a space, sorted. */
  readonly options: string;
}

/** What an engine can do beyond plain SQL; conformance tests skip by these names. */
export interface EngineCapabilities {
  readonly stepLimit: boolean;
  readonly memoryLimit: boolean;
  readonly deadline: boolean;
  readonly authorizer: boolean;
  readonly errorOffset: boolean;
  readonly fts5: boolean;
  readonly rtree: boolean;
  readonly isolatedReaders: boolean;
  /** Copy-on-write page store with pins, changed pages and a hash. */
  readonly pageStore: boolean;
}

/** What the engine sees of the world. The state machine points these at the entry being applied. */
export interface EngineHost {
  /** Milliseconds since 1970, what SQL sees as now. */
  wallMs(): number;
  /** Fills `out` with random bytes (seeds SQLite's own generator). */
  random(out: Uint8Array): void;
  /** Monotonic milliseconds for read deadlines; never consulted by the writer. */
  monotonicMs(): number;
}

/** Limits that decide results; they are replicated cluster settings and equal on all replicas. */
export interface EngineLimits {
  /** `SQLITE_LIMIT_LENGTH`: longest text or blob, bytes (default 2 MiB). */
  readonly valueBytes: number;
  /** `SQLITE_LIMIT_LIKE_PATTERN_LENGTH`, bytes (default 256). */
  readonly patternBytes: number;
  /** `PRAGMA max_page_count` (pages of 4096 bytes). */
  readonly maxPageCount: number;
  /** The writer's page cache, in pages (default 1000). */
  readonly cachePages: number;
  /** `SQLITE_LIMIT_SQL_LENGTH`, bytes. */
  readonly sqlBytes: number;
}

/** One run's allowance. `Infinity` means unlimited. */
export interface Budget {
  /** Units of `STEP_UNIT` (1000) virtual machine instructions; linear functions charge one per `CHARGE_BYTES`. */
  readonly steps: number;
  /** Bytes of engine heap above what was in use when the budget was armed. */
  readonly memoryBytes: number;
  /**
   * Bytes of heap that compiling one statement may take (`memory` beyond it): what bounds the time that compiling
   * takes. Two limits as for the others, see `PREPARE_BYTES`. Without it only `memoryBytes` counts.
   */
  readonly prepareBytes?: number | undefined;
}

/** A compiled engine; opens any number of independent instances over page stores. */
export interface Engine {
  readonly id: EngineId;
  readonly capabilities: EngineCapabilities;
  /** Hashes a page as the engine does when it writes it: to check pages that come back from a disk or a peer. */
  readonly pageHash?: PageHasher;
  /** Opens a fresh instance holding the one writer connection of `store`; aborts what an older writer left open. */
  openWriter(store: PageStore, host: EngineHost, limits: EngineLimits): Writer;
  /** Opens a fresh instance for readers of `store`. */
  openReaders(store: PageStore, host: EngineHost, limits: EngineLimits): ReaderHost;
}

/** What a writer and a reader connection share. */
export interface Connection {
  /**
   * Compiles one statement, or returns it from the connection's statement cache. `null` for text that holds only
   * white space and comments. Throws `SqlError` (also when forbidden: `not-allowed`; too much to plan: `steps`, for a
   * reader `timeout`; too large: `memory`).
   * A second statement behind the first is an error unless `prepareNext` is used.
   */
  prepare(sql: string): Statement | null;
  /**
   * Compiles the first statement of `sql` from UTF-16 offset `from`, not cached; for scripts. `next` is the offset
   * just behind it. `statement` is null when only white space and comments were left. The caller finalizes it.
   */
  prepareNext(sql: string, from: number): { statement: Statement | null; next: number };
  /** Runs trusted SQL of our own (pragmas, BEGIN, COMMIT, savepoints), bypassing the authorizer. */
  exec(sql: string): void;
  /** Finalizes all cached statements. */
  clearStatements(): void;
  close(): void;
}

/** The one connection that changes the pages. */
export interface Writer extends Connection {
  /** `sqlite3_get_autocommit`: true when no transaction is open. */
  autocommit(): boolean;
  /** Rows changed by the last statement (`sqlite3_changes64`). */
  changes(): number;
  /** `sqlite3_total_changes64` since the connection was opened: moves whenever a row was changed. */
  totalChanges(): number;
  lastInsertRowid(): number | bigint;
  /** `SQLITE_DBSTATUS_DEFERRED_FKS`: true when a COMMIT would fail on a deferred foreign key. */
  deferredForeignKeysPending(): boolean;
  /**
   * Starts a command: resets SQLite's generator so that it draws again from `host.random`, `last_insert_rowid()`,
   * and arms `budget`. `changes()` as seen by SQL is reset when a statement of the command uses it.
   */
  beginCommand(budget: Budget): void;
  /** Disarms the budget; returns what was used since `beginCommand`. */
  endCommand(): { steps: number; memoryBytes: number };
  /** Switches enforcement of foreign keys (`SQLITE_DBCONFIG_ENABLE_FKEY`; works inside a transaction). */
  setForeignKeys(enabled: boolean): void;
  /** The schema cookie (changes with every DDL). */
  schemaVersion(): number;
  /** True when the command since `beginCommand` wrote to a `sqlite_stat*` table or changed the schema cookie. */
  schemaOrStatisticsChanged(): boolean;
  /** After such an entry: finalizes cached statements, forgets the schema and statistics and loads them again. */
  reloadSchema(): void;
  /** Lets `ANALYZE`, `PRAGMA optimize`, `VACUUM`, `REINDEX` pass the authorizer while `run` runs. */
  privileged<T>(run: () => T): T;
  /** Applies changed limits. */
  setLimits(limits: EngineLimits): void;
  /** Bytes of WASM memory that this instance holds. */
  memoryBytes(): number;
  /** Bytes of engine heap in use now: what `Budget.memoryBytes` counts from. For engines with a memory limit. */
  heapBytes?(): number;
}

/** The readers' instance. A trap or out of memory ends it: every reader throws, and a new one must be opened. */
export interface ReaderHost {
  /** A connection that sees the newest commit at the start of each statement and keeps that view until `reset`. */
  openReader(): Reader;
  memoryBytes(): number;
  close(): void;
}

/** A connection over one pinned version of the pages. */
export interface Reader extends Connection {
  /** Engine time from now until a step is interrupted with `timeout`; `Infinity` for none. */
  setDeadline(ms: number): void;
  /** Byte bound for the engine heap of this reader's host; exceeding it fails the statement, not the instance. */
  setMemoryLimit(bytes: number): void;
  /** The page store's epoch that running statements see, or that the next one would see. */
  epoch(): number;
}

/** A compiled statement. After an error it has been reset and can be used again. */
export interface Statement {
  readonly sql: string;
  /** `sqlite3_stmt_readonly`: whether it leaves the database as it is. */
  readonly readonly: boolean;
  /** Whether it is EXPLAIN or EXPLAIN QUERY PLAN. */
  readonly explain: boolean;
  /** Number of the largest parameter. */
  readonly parameterCount: number;
  /** Name with its prefix (`:a`, `@a`, `$a`, `?5`), or null for a plain `?`. Parameters count from 1. */
  parameterName(index: number): string | null;
  readonly columnCount: number;
  columnNames(): string[];
  /**
   * Names of the tables that the statement reads and writes, triggers and foreign key actions included, lower-case;
   * collected by the authorizer at prepare.
   */
  tables(): { readonly read: readonly string[]; readonly written: readonly string[] };
  /** Declared types, null for expressions. */
  columnTypes(): (string | null)[];
  bindNull(index: number): void;
  /** A safe integer (INTEGER). */
  bindInteger(index: number, value: number): void;
  bindBigint(index: number, value: bigint): void;
  /** A REAL, also ±Infinity; NaN is refused. */
  bindReal(index: number, value: number): void;
  bindText(index: number, value: string): void;
  /** Text given as UTF-8: `bytes[start, end)`, by default all of them, copied. */
  bindTextBytes(index: number, bytes: Uint8Array, start?: number, end?: number): void;
  bindBlob(index: number, value: Uint8Array): void;
  /** Binds by JavaScript type: safe integers except −0 as INTEGER, other numbers as REAL, booleans never. */
  bind(index: number, value: SqlValue): void;
  clearBindings(): void;
  /** Steps once; true when a row is there. Throws `SqlError`. */
  step(): boolean;
  /** The current row. Blobs are copies. */
  row(): SqlValue[];
  /** One column of the current row, from 0. */
  column(index: number): SqlValue;
  /** Approximate bytes of the current row as it would go out, for result limits. */
  rowBytes(): number;
  reset(): void;
  /** Frees the statement; only for those from `prepareNext`. */
  finalize(): void;
}

/** Why a statement was stopped, where that decides what the caller does next. */
export type SqlErrorKind =
  | 'sql' // an ordinary SQL error: the same on every replica
  | 'not-allowed' // refused by the authorizer or by the text rules
  | 'steps' // the step budget ran out
  | 'memory' // the memory budget ran out, or SQLITE_NOMEM
  | 'timeout' // a reader's deadline passed
  | 'full' // max_page_count reached (SQLITE_FULL)
  | 'crash'; // trap or host failure: the instance is gone and must be discarded

/** An error of the engine, with SQLite's extended result code. */
export class SqlError extends Error {
  override readonly name = 'SqlError';
  readonly kind: SqlErrorKind;
  /** Extended result code, such as 2067. */
  readonly code: number;
  /** Its name, such as `SQLITE_CONSTRAINT_UNIQUE`. */
  readonly codeName: string;
  /** Offset of the offending token in the SQL text (UTF-16 units), or -1. */
  readonly offset: number;
  constructor(
    kind: SqlErrorKind,
    code: number,
    codeName: string,
    message: string,
    options: { offset?: number; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.code = code;
    this.codeName = codeName;
    this.offset = options.offset ?? -1;
  }
}
