/** `sqlite3_limit` for a connection, and the lower limits that the text of one statement asks for. */
import type { EngineLimits } from '../engine.ts';
import {
  COLUMNS_MAX,
  COMPOUND_TERMS_MAX,
  EXPRESSION_DEPTH_MAX,
  GENERATED_COLUMNS_MAX,
  GENERATED_DEPTH_MAX,
  NAMED_PARAMETERS_MAX,
  PROGRAM_OPERATIONS_MAX,
} from '../limits.ts';
import type { Pointer } from './exports.ts';
import type { Instance } from './instance.ts';
import { namedParametersAtMost } from './sql-text.ts';

/** The categories of `sqlite3_limit` in use. */
const LIMIT = {
  LENGTH: 0,
  SQL_LENGTH: 1,
  COLUMN: 2,
  EXPR_DEPTH: 3,
  COMPOUND_SELECT: 4,
  VDBE_OP: 5,
  LIKE_PATTERN_LENGTH: 8,
  VARIABLE_NUMBER: 9,
} as const;

/** Parameters of one statement: SQLite's own bound. */
const VARIABLES_MAX = 32_766;

/** Why a table may not have more generated columns. */
export const GENERATED_REFUSAL: string = `more than ${GENERATED_COLUMNS_MAX} generated columns in one table are not allowed: compute the others in a view`;

/** Sets all limits of the connection `db`. */
export function applyLimits(instance: Instance, db: Pointer, limits: EngineLimits): void {
  const { x } = instance;
  x.sqlite3_limit(db, LIMIT.LENGTH, limits.valueBytes);
  x.sqlite3_limit(db, LIMIT.SQL_LENGTH, limits.sqlBytes);
  x.sqlite3_limit(db, LIMIT.LIKE_PATTERN_LENGTH, limits.patternBytes);
  x.sqlite3_limit(db, LIMIT.EXPR_DEPTH, EXPRESSION_DEPTH_MAX);
  x.sqlite3_limit(db, LIMIT.COLUMN, COLUMNS_MAX);
  x.sqlite3_limit(db, LIMIT.COMPOUND_SELECT, COMPOUND_TERMS_MAX);
  x.sqlite3_limit(db, LIMIT.VDBE_OP, PROGRAM_OPERATIONS_MAX);
}

/**
 * Lowers limits for a text with `generated` generated columns or very many named parameters. Returns what restores
 * them, or null when nothing was lowered.
 */
export function lowerLimits(
  instance: Instance,
  db: Pointer,
  sql: string,
  generated: number,
): (() => void) | null {
  const named = sql.length > 2 * NAMED_PARAMETERS_MAX ? namedParametersAtMost(sql) : 0;
  const manyNamed = named > NAMED_PARAMETERS_MAX;
  if (generated === 0 && !manyNamed) return null;
  const { x } = instance;
  if (generated > 0) x.sqlite3_limit(db, LIMIT.EXPR_DEPTH, GENERATED_DEPTH_MAX);
  if (manyNamed) x.sqlite3_limit(db, LIMIT.VARIABLE_NUMBER, NAMED_PARAMETERS_MAX);
  return () => {
    if (instance.dead) return;
    x.sqlite3_limit(db, LIMIT.EXPR_DEPTH, EXPRESSION_DEPTH_MAX);
    x.sqlite3_limit(db, LIMIT.VARIABLE_NUMBER, VARIABLES_MAX);
  };
}
