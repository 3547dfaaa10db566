/**
 * Somebody else's SQL storage as a place for rows of ours, through one synchronous call such as a Durable Object's
 * `ctx.storage.sql.exec`. User SQL never comes here.
 *
 * A statement there takes at most 100 variables, a value has at most 2 MB, and numbers are doubles.
 */
import type { RowParam, RowStorage } from './page-backing/rows.ts';

/** One row by column. */
export interface FoundRow {
  readonly [column: string]: unknown;
}

/** The first row of a statement; undefined without one. */
export function firstRow(
  storage: RowStorage,
  sql: string,
  ...params: RowParam[]
): FoundRow | undefined {
  return [...storage.exec(sql, ...params)][0];
}

/** A BLOB of a row, null when the column holds none. */
export function blobOf(value: unknown): Uint8Array | null {
  if (value instanceof Uint8Array) return value;
  return value instanceof ArrayBuffer ? new Uint8Array(value) : null;
}

/** A number of a row; 0 when the column holds none. */
export function numberOf(value: unknown): number {
  return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : 0;
}
