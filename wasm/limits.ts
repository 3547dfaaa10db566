/** Named limits and units of the SQL engine. What decides results is in `EngineLimits`; these are its defaults. */
import type { EngineLimits } from './engine.ts';

/** One step of a `Budget` is this many virtual machine instructions of SQLite: the grain of the progress handler. */
export const STEP_UNIT = 1000;

/** Bytes that a linear function may look at for one step of the budget. */
export const CHARGE_BYTES = 4096;

/**
 * Bytes of a large value (64 KiB and more) that SQLite may make or read for one step of the budget; in the trampolines.
 * Instructions alone say nothing about time: `randomblob(2000000)` is one of them.
 */
export const CHARGE_LARGE_BYTES = 16_384;

/**
 * Steps by which two runs of one command on equal data may differ: page caches change nothing, but statements that are
 * compiled again and the statements that FTS5 and R-Tree keep carry up to one step each. Measured: 1 (margin.test.ts,
 * docs/decisions/0002-two-limit-rule.md).
 */
export const STEP_MARGIN = 1000;

/** The margin grows with the work: this share of the soft limit when that is more than `STEP_MARGIN`. */
export const STEP_MARGIN_SHARE = 0.25;

/**
 * Bytes of heap by which two runs of one command on equal data may differ beyond the page cache: compiled statements
 * (bounded by `STATEMENT_CACHE` and `LARGE_STATEMENT_BYTES`) and what FTS5 and R-Tree tables keep when they are open.
 */
export const MEMORY_MARGIN_BASE: number = 16 * 1024 * 1024;

/** Bytes of heap that one page in SQLite's cache takes, its headers included. */
export const CACHED_PAGE_BYTES = 4608;

/** Default limits: a new cluster starts with these. */
export const DEFAULT_ENGINE_LIMITS: EngineLimits = {
  valueBytes: 2 * 1024 * 1024,
  patternBytes: 256,
  maxPageCount: 262_144,
  cachePages: 1000,
  sqlBytes: 1_000_000,
};

/** Bytes of heap by which two runs may differ under the default limits; see `memoryMargin`. */
export const MEMORY_MARGIN: number = memoryMargin(DEFAULT_ENGINE_LIMITS);

/** Bytes of heap by which two runs of one command may differ: a cold cache grows during the command, a warm one not. */
export function memoryMargin(limits: EngineLimits): number {
  return MEMORY_MARGIN_BASE + limits.cachePages * CACHED_PAGE_BYTES;
}

/** The hard step limit of the canonical run that belongs to a soft limit. */
export function hardStepLimit(soft: number): number {
  return soft + Math.max(STEP_MARGIN, Math.ceil(soft * STEP_MARGIN_SHARE));
}

/** Compiled statements that a connection keeps, and the bytes of heap that compiling them may have taken. */
export const STATEMENT_CACHE: { readonly statements: number; readonly bytes: number } = {
  statements: 256,
  bytes: 4 * 1024 * 1024,
};

/** A statement that took more than this to compile is compiled anew by each command of the writer. */
export const LARGE_STATEMENT_BYTES: number = 256 * 1024;

/** Page cache of a reader, in pages: small, since every commit empties it. */
export const READER_CACHE_PAGES = 64;

/** WebAssembly pages (64 KiB) that an instance may grow to: 2 GiB, the module's own bound. */
export const INSTANCE_PAGES_MAX = 32_768;

/*
 * Limits of what may be compiled. They decide results, so they are equal everywhere, and they keep compiling within the
 * stack of every runtime (an overflow is a crash, never a result) and within a fraction of an election timeout, since
 * it cannot be interrupted. What each is for and what was measured: docs/decisions/0008-limits-of-compiling.md.
 */

/** `SQLITE_LIMIT_EXPR_DEPTH`. SQLite's own 1000 overflows: nested BETWEEN near 640, near 300 in half the stack. */
export const EXPRESSION_DEPTH_MAX = 256;

/** `SQLITE_LIMIT_COLUMN`: columns of a table, a result, a GROUP BY. Some work grows with its square. */
export const COLUMNS_MAX = 500;

/** `SQLITE_LIMIT_COMPOUND_SELECT`: terms of UNION and its like (rows of VALUES are not counted). */
export const COMPOUND_TERMS_MAX = 100;

/** `SQLITE_LIMIT_VDBE_OP`: instructions of one compiled program. */
export const PROGRAM_OPERATIONS_MAX = 1_000_000;

/** Parameters with a name in one statement: SQLite looks each up among all. Numbered and plain ones: 32766. */
export const NAMED_PARAMETERS_MAX = 4000;

/** Generated columns of one table: each is compiled inside the ones that use it. */
export const GENERATED_COLUMNS_MAX = 32;

/** `SQLITE_LIMIT_EXPR_DEPTH` in a CREATE TABLE or ALTER TABLE with generated columns. */
export const GENERATED_DEPTH_MAX = 16;

/** Different triggers and cascading deletes that one statement may set off. */
export const TRIGGERS_MAX = 64;

/** Bytes of SQLite's own stack beyond which nothing more is nested: triggers, views, foreign key actions, subqueries. */
export const STACK_BYTES_MAX: number = 128 * 1024;

/**
 * Bytes of SQLite's own stack beyond which memory is refused and the instance ends. The stack has 512 KiB and lies above
 * SQLite's static data, which a deeper one would overwrite without a trap.
 */
export const STACK_FLOOR_BYTES: number = 384 * 1024;

/** Steps of the planner (thousands of its own units) that compiling one statement may take. */
export const PLANNER_STEPS_MAX = 10;

/** Bytes of heap that a reader may take to compile one statement, and what `Budget.prepareBytes` is meant to be. */
export const PREPARE_BYTES: { readonly soft: number; readonly hard: number } = {
  soft: 4 * 1024 * 1024,
  hard: 6 * 1024 * 1024,
};
