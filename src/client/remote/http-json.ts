/** Values and results as the HTTP API writes them, seen from the client. */
import { ERROR_CODES, type ErrorCode, type Outcome, QuorliteError } from '../../wire/error.ts';
import type { StatementFailure, StatementResult } from '../../wire/result.ts';
import type { Params, Ref, SqlInput, SqlValue } from '../../wire/value.ts';

type JsonObject = { readonly [name: string]: unknown };

/** Bytes that `String.fromCharCode` takes at a time. */
const CHUNK = 8192;

/** A parameter as JSON. */
export function jsonInput(value: SqlInput | Ref): unknown {
  switch (typeof value) {
    case 'bigint':
      return { $int: String(value) };
    case 'number':
      if (Object.is(value, -0)) return { $real: '-0' };
      // What is none is refused by the node, as by every other way to it.
      return Number.isFinite(value) ? value : { $real: String(value) };
    case 'object':
      if (value instanceof Uint8Array) return { $blob: toBase64(value) };
      return value instanceof Date ? value.toISOString() : value;
    default:
      return value;
  }
}

/** Parameters as JSON. */
export function jsonParams(params: Params<SqlInput | Ref> | undefined): unknown {
  if (params === undefined) return undefined;
  if (Array.isArray(params)) return params.map(jsonInput);
  return Object.fromEntries(
    Object.entries(params as { [name: string]: SqlInput | Ref }).map(([name, value]) => [
      name,
      jsonInput(value),
    ]),
  );
}

/** A value of an answer. */
export function valueFromJson(value: unknown): SqlValue {
  if (typeof value !== 'object' || value === null) return value as SqlValue;
  const { $int, $blob, $real } = value as { [tag: string]: string };
  if ($int !== undefined) return BigInt($int);
  return $blob === undefined ? Number($real) : fromBase64($blob);
}

/** Rows of an answer. */
export function rowsFromJson(rows: unknown): SqlValue[][] {
  return (rows as unknown[][]).map((row) => row.map(valueFromJson));
}

/** What one statement did. */
export function statementFromJson(json: JsonObject): StatementResult {
  const { rowsAffected, lastInsertRowid, columns, rows } = json;
  const result = {
    rowsAffected: rowsAffected as number,
    lastInsertRowid: valueFromJson(lastInsertRowid) as number | bigint,
  };
  if (columns === undefined) return result;
  return {
    ...result,
    columns: columns as NonNullable<StatementResult['columns']>,
    rows: rowsFromJson(rows),
  };
}

/** What several statements did. */
export function statementsFromJson(results: unknown): (StatementResult | StatementFailure)[] {
  return (results as JsonObject[]).map((json) =>
    'error' in json
      ? { error: errorFromProblem(json['error'] as JsonObject, 200) }
      : statementFromJson(json),
  );
}

/** The error of a problem; what is none came from somebody in between, with a status alone. */
export function errorFromProblem(problem: JsonObject | null, status: number): QuorliteError {
  const code = problem?.['code'] as ErrorCode;
  if (problem === null || !ERROR_CODES.includes(code)) {
    // A proxy that found no node, or a page that is none of ours.
    const passing = status === 502 || status === 503 || status === 504;
    return new QuorliteError(
      passing ? 'NO_QUORUM' : 'NOT_SUPPORTED',
      `the answer with status ${status} is not Quorlite's`,
      { outcome: 'unknown' },
    );
  }
  return new QuorliteError(code, String(problem['detail']), {
    outcome: problem['outcome'] as Outcome,
    retryable: problem['retryable'] as boolean,
    leader: problem['leader'] as string | undefined,
    statement: problem['statement'] as number | undefined,
    offset: problem['offset'] as number | undefined,
    sqliteCode: problem['sqliteCode'] as string | undefined,
    hint: problem['hint'] as string | undefined,
  });
}

function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += CHUNK) {
    text += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  }
  return btoa(text);
}

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
