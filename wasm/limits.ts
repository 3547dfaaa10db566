/** Named limits and units of the SQL engine. What decides results is in `EngineLimits`; these are its defaults. */
import type { EngineLimits } from './engine.ts';

/** One step of a `Budget` is this many virtual machine instructions of SQLite: the grain of the progress handler. */
export const STEP_UNIT = 1000;

/** Bytes that a linear function may look at for one step of the budget. */
export const CHARGE_BYTES = 4096;

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

/**
 * `SQLITE_LIMIT_EXPR_DEPTH`. SQLite's own 1000 overflows the stack of JavaScript engines (nested BETWEEN: near 640), and
 * an overflow is a crash, never a result. Equal everywhere, since it decides results.
 */
export const EXPRESSION_DEPTH_MAX = 400;
