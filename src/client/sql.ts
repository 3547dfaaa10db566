/** The `sql` tag: SQL text whose interpolated values become parameters, never text. */
import { QuorliteError } from '../wire/error.ts';
import type { SqlInput } from '../wire/value.ts';
import type { Sql } from './contract.ts';

/** What may stand in `${…}`: a value, or SQL made by this module. */
export type SqlPart = SqlInput | Sql;

/** Only what this module made is spliced into text: an object out of a request body must never become SQL. */
class SqlFragment implements Sql {
  readonly sql: string;
  readonly params: readonly SqlInput[];
  readonly #made = true;

  constructor(sql: string, params: readonly SqlInput[]) {
    this.sql = sql;
    this.params = params;
  }

  static is(value: unknown): value is SqlFragment {
    return typeof value === 'object' && value !== null && #made in value && value.#made;
  }
}

/** The tag, with helpers for what is not a value. */
export interface SqlTag {
  (text: TemplateStringsArray, ...parts: readonly SqlPart[]): Sql;
  /** Parts with a separator between them, such as the values of an `IN (…)`. Needs at least one part. */
  join(parts: readonly SqlPart[], separator?: string): Sql;
  /** A quoted name of a table or column. */
  identifier(name: string): Sql;
  /** Text as it is. Never pass what a user typed. */
  raw(text: string): Sql;
}

function tag(text: TemplateStringsArray, ...parts: readonly SqlPart[]): Sql {
  const params: SqlInput[] = [];
  let sql = text[0]!;
  for (let i = 0; i < parts.length; i++) sql += append(parts[i]!, params) + text[i + 1]!;
  return new SqlFragment(sql, params);
}

function join(parts: readonly SqlPart[], separator: string = ', '): Sql {
  if (parts.length === 0) throw invalid('sql.join needs at least one part');
  const params: SqlInput[] = [];
  const sql = parts.map((part) => append(part, params)).join(separator);
  return new SqlFragment(sql, params);
}

function identifier(name: string): Sql {
  if (name === '' || name.includes('\0')) throw invalid('an identifier must be a name');
  return new SqlFragment(`"${name.replaceAll('"', '""')}"`, []);
}

function raw(text: string): Sql {
  return new SqlFragment(text, []);
}

/** Returns the text of a part and appends its parameters. */
function append(part: SqlPart, params: SqlInput[]): string {
  if (SqlFragment.is(part)) {
    params.push(...part.params);
    return part.sql;
  }
  if (Array.isArray(part)) {
    throw invalid('an array was interpolated; write sql.join(array) where a list belongs');
  }
  if (part === undefined) throw invalid('undefined was interpolated; pass null for NULL');
  const isObject = typeof part === 'object' && part !== null;
  if (isObject && !(part instanceof Uint8Array) && !(part instanceof Date)) {
    throw invalid('an object was interpolated that is neither a value nor made by the sql tag');
  }
  params.push(part as SqlInput);
  return '?';
}

function invalid(message: string): QuorliteError {
  return new QuorliteError('BAD_REQUEST', message);
}

/**
 * Makes SQL with parameters out of a template. Fragments nest; arrays and other objects are refused.
 *
 * @example
 * const adults = sql`age >= ${18}`;
 * await db.query(sql`SELECT * FROM users WHERE ${adults} AND city IN (${sql.join(cities)})`);
 */
export const sql: SqlTag = Object.assign(tag, { join, identifier, raw });
