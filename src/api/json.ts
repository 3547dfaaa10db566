/**
 * SQL values as JSON, without loss: what JSON has is itself, the rest is an object with one tag.
 *
 * - an integer beyond ±(2^53 − 1) is `{"$int": "9223372036854775807"}`,
 * - bytes are `{"$blob": "base64"}`,
 * - ±Infinity is `{"$real": "Infinity"}`; −0 is the JSON number `-0`, or `{"$real": "-0"}` for languages that lose it,
 * - a value from an earlier statement of a transaction is `{"$ref": {"statement": 0, "column": "id", "row": 0}}`.
 *
 * Safe integers except −0 bind as INTEGER, every other number as REAL, true and false as 1 and 0.
 */
import { QuorliteError } from '../wire/error.ts';
import { type Column, repeatedColumn } from '../wire/result.ts';
import type { Params, Ref, SqlInput, SqlValue } from '../wire/value.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import {
  integer,
  isObject,
  kindOf,
  named,
  object,
  type Path,
  refuse,
  type Shape,
  text,
  unknownField,
} from './shape.ts';

/** Most parameters of one statement, as SQLite was compiled. */
export const MAX_PARAMS = 32_766;

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const TAGS = ['$int', '$blob', '$real'] as const;
const REALS: ReadonlyMap<unknown, number> = new Map([
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
  ['-0', -0],
]);

/** A value out of parsed JSON. `refs`: whether `$ref` may stand here. Throws `BAD_REQUEST`. */
export function readJsonValue(value: unknown, path: Path, refs: boolean): SqlInput | Ref {
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return value;
    throw refuse(path, 'exceeds the range of a REAL; write {"$real": "Infinity"} for infinity');
  }
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value;
  if (!isObject(value)) {
    throw refuse(
      path,
      `must be a number, a text, true, false, null or a tagged object, not ${kindOf(value)}`,
    );
  }
  return readTagged(value, path, refs);
}

function readTagged(value: { [tag: string]: unknown }, path: Path, refs: boolean): SqlInput | Ref {
  const names = Object.keys(value);
  const tag = names[0];
  const known: readonly string[] = refs ? [...TAGS, '$ref'] : TAGS;
  if (names.length !== 1 || tag === undefined) {
    throw refuse(path, `must have exactly one of ${known.join(', ')}`);
  }
  const content = value[tag];
  switch (tag) {
    case '$int':
      return readInt(content, path);
    case '$blob': {
      const bytes = typeof content === 'string' ? decodeBase64(content) : null;
      if (bytes === null) throw refuse(path, 'must hold Base64 text in $blob');
      return bytes;
    }
    case '$real': {
      const real = REALS.get(content);
      if (real === undefined) {
        throw refuse(
          path,
          'must hold "Infinity", "-Infinity" or "-0" in $real (NaN has no place in SQL)',
        );
      }
      return real;
    }
    case '$ref':
      if (!refs) throw refuse(path, 'uses $ref, which only POST /v1/txn has');
      return { $ref: refShape.read(content, [...path, '$ref']) };
    default:
      throw unknownField(path, tag, known);
  }
}

function readInt(content: unknown, path: Path): number | bigint {
  // The length bounds the work of BigInt.
  if (typeof content !== 'string' || !/^-?\d{1,19}$/.test(content)) {
    throw refuse(path, 'must hold decimal digits of a 64-bit integer, as text, in $int');
  }
  const value = BigInt(content);
  if (value < INT64_MIN || value > INT64_MAX) throw refuse(path, 'exceeds 64 bits in $int');
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

const columnShape: Shape<string | number> = {
  schema: { type: ['string', 'integer'], minimum: 0, description: 'name or position' },
  read(value, path) {
    if (typeof value === 'string' || (Number.isSafeInteger(value) && (value as number) >= 0)) {
      return value as string | number;
    }
    throw refuse(path, "must be a column's name or position");
  },
};

const refShape: Shape<Ref['$ref']> = object<Ref['$ref']>(
  {
    statement: integer('position of the earlier statement, from 0'),
    column: columnShape,
    row: integer('row of its result, 0 unless said'),
  },
  ['statement', 'column'],
);

const SCALARS = ['number', 'string', 'boolean', 'null'] as const;

function tagSchema(tag: string, content: object): object {
  return {
    type: 'object',
    properties: { [tag]: content },
    required: [tag],
    additionalProperties: false,
  };
}

/** A value as JSON, for OpenAPI and for reading. */
export const valueShape: Shape<SqlInput> = named('Value', {
  schema: {
    description: 'A SQL value; what JSON lacks is tagged',
    anyOf: [
      { type: SCALARS },
      tagSchema('$int', { type: 'string', pattern: '^-?[0-9]{1,19}$' }),
      tagSchema('$blob', { type: 'string', contentEncoding: 'base64' }),
      tagSchema('$real', { type: 'string', enum: [...REALS.keys()] }),
    ],
  },
  read: (value, path) => readJsonValue(value, path, false) as SqlInput,
});

const inputShape: Shape<SqlInput | Ref> = named('ValueOrRef', {
  schema: { anyOf: [valueShape, tagSchema('$ref', { ...refShape.schema })] },
  read: (value, path) => readJsonValue(value, path, true),
});

function paramsOf<V>(name: string, element: Shape<V>): Shape<Params<V>> {
  return named(name, {
    schema: {
      description: 'Positional as an array, named as an object (with or without `:`, `@`, `$`)',
      oneOf: [
        { type: 'array', items: element, maxItems: MAX_PARAMS },
        { type: 'object', additionalProperties: element, maxProperties: MAX_PARAMS },
      ],
    },
    read: (value, path) => readParams(value, path, element),
  });
}

function readParams<V>(value: unknown, path: Path, element: Shape<V>): Params<V> {
  const depth = path.length;
  if (Array.isArray(value)) {
    if (value.length > MAX_PARAMS) throw refuse(path, `must have at most ${MAX_PARAMS} elements`);
    for (let i = 0; i < value.length; i++) {
      path[depth] = i;
      value[i] = element.read(value[i], path);
    }
  } else if (isObject(value)) {
    const names = Object.keys(value);
    if (names.length > MAX_PARAMS) throw refuse(path, `must have at most ${MAX_PARAMS} fields`);
    for (const name of names) {
      path[depth] = name;
      // `__proto__` is an own field of parsed JSON; assigning would set the prototype instead.
      if (name === '__proto__') throw refuse(path, 'is not the name of a parameter');
      value[name] = element.read(value[name], path);
    }
  } else {
    throw refuse(path, `must be an array or an object, not ${kindOf(value)}`);
  }
  path.length = depth;
  return value as Params<V>;
}

/** Parameters of a statement that stands alone. */
export const paramsShape: Shape<Params<SqlInput>> = paramsOf('Params', valueShape);

/** Parameters of a statement in a transaction: `$ref` may stand in them. */
export const txnParamsShape: Shape<Params<SqlInput | Ref>> = paramsOf('TxnParams', inputShape);

/** The SQL text of a request. */
export const sqlShape: Shape<string> = text('SQL text', 1);

/** One value as JSON text. */
export function jsonOf(value: SqlValue): string {
  switch (typeof value) {
    case 'number':
      if (Number.isFinite(value)) return Object.is(value, -0) ? '-0' : String(value);
      return `{"$real":"${value}"}`;
    case 'string':
      return JSON.stringify(value);
    case 'bigint': {
      const number = Number(value);
      return Number.isSafeInteger(number) ? String(number) : `{"$int":"${value}"}`;
    }
    default:
      return value === null ? 'null' : `{"$blob":"${encodeBase64(value)}"}`;
  }
}

/** Whether `JSON.stringify` writes the row without loss. */
function isPlain(row: readonly SqlValue[]): boolean {
  for (let i = 0; i < row.length; i++) {
    const value = row[i];
    if (typeof value === 'string' || value === null) continue;
    if (typeof value !== 'number' || !Number.isFinite(value) || Object.is(value, -0)) return false;
  }
  return true;
}

/** Rows as a JSON array of arrays. */
export function jsonRows(rows: readonly (readonly SqlValue[])[]): string {
  if (rows.every(isPlain)) return JSON.stringify(rows);
  return `[${rows.map((row) => `[${row.map(jsonOf).join(',')}]`).join(',')}]`;
}

/**
 * Rows as a JSON array of objects keyed by column name. Two columns of one name would lose a value silently, so they are
 * refused: name them apart with AS, or ask for arrays.
 */
export function jsonObjects(
  columns: readonly Column[],
  rows: readonly (readonly SqlValue[])[],
): string {
  const repeated = repeatedColumn(columns);
  if (repeated !== null) {
    throw new QuorliteError(
      'BAD_REQUEST',
      `two columns are named "${repeated}"; name them apart with AS, or use format "arrays"`,
    );
  }
  const keys = columns.map(({ name }) => `${JSON.stringify(name)}:`);
  const objects = rows.map(
    (row) => `{${row.map((value, i) => keys[i] + jsonOf(value)).join(',')}}`,
  );
  return `[${objects.join(',')}]`;
}
