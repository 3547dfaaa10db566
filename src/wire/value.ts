/** SQL values and parameters as bytes: one tag byte, then the value. */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { QuorliteError } from './error.ts';

/** A value as SQL has it: integers are `number` when safe, else `bigint`; other numbers are REAL. */
export type SqlValue = null | number | bigint | string | Uint8Array;

/** What callers may pass: booleans bind as 0 and 1, dates as ISO 8601 text with milliseconds. */
export type SqlInput = SqlValue | boolean | Date;

/** A value from an earlier statement of the same transaction. */
export interface Ref {
  readonly $ref: {
    /** Position of the earlier statement, from 0. */
    readonly statement: number;
    /** Name or position of its column. */
    readonly column: string | number;
    /** Row of its result, 0 unless said. */
    readonly row?: number | undefined;
  };
}

/** Parameters of a statement: positional, or named with or without the prefix `:`, `@`, `$`. */
export type Params<V = SqlInput> = readonly V[] | { readonly [name: string]: V };

/** Tags of encoded values. Append only. */
export const ValueTag = {
  null: 0,
  /** An integer from 0 to 2^53 − 1, as varint. */
  positive: 1,
  /** An integer from −(2^53 − 1) to −1, as varint of its absolute value. */
  negative: 2,
  int64: 3,
  real: 4,
  text: 5,
  blob: 6,
  ref: 7,
} as const;

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** Appends one value. Throws `BAD_REQUEST` for NaN, undefined, integers beyond 64 bits and objects of other kinds. */
export function writeValue(out: ByteWriter, value: SqlInput | Ref): void {
  switch (typeof value) {
    case 'number':
      writeNumber(out, value);
      return;
    case 'string':
      out.u8(ValueTag.text);
      out.text(value);
      return;
    case 'boolean':
      out.u8(ValueTag.positive);
      out.u8(value ? 1 : 0);
      return;
    case 'bigint':
      writeBigint(out, value);
      return;
    default:
      writeObject(out, value);
  }
}

function writeNumber(out: ByteWriter, value: number): void {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
    out.u8(value < 0 ? ValueTag.negative : ValueTag.positive);
    out.uint(value < 0 ? -value : value);
    return;
  }
  if (Number.isNaN(value)) throw invalid('NaN has no place in SQL; pass null');
  out.u8(ValueTag.real);
  out.f64(value);
}

function writeBigint(out: ByteWriter, value: bigint): void {
  if (value < INT64_MIN || value > INT64_MAX) throw invalid('an integer exceeds 64 bits');
  out.u8(ValueTag.int64);
  out.int64(value);
}

function writeObject(out: ByteWriter, value: SqlInput | Ref): void {
  if (value === null) {
    out.u8(ValueTag.null);
  } else if (value instanceof Uint8Array) {
    out.u8(ValueTag.blob);
    out.blob(value);
  } else if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw invalid('an invalid Date was passed');
    out.u8(ValueTag.text);
    out.text(value.toISOString());
  } else if (typeof value === 'object' && '$ref' in value) {
    writeRef(out, value);
  } else {
    throw invalid(`a value of type ${value === undefined ? 'undefined' : typeof value} was passed`);
  }
}

function writeRef(out: ByteWriter, { $ref }: Ref): void {
  const { statement, column, row = 0 } = $ref;
  if (!isCount(statement) || !isCount(row)) throw invalid('a $ref needs non-negative integers');
  if (typeof column !== 'string' && !isCount(column)) throw invalid('a $ref needs a column');
  out.u8(ValueTag.ref);
  out.uint(statement);
  out.uint(row);
  out.text(typeof column === 'string' ? column : '');
  out.uint(typeof column === 'string' ? 0 : column + 1);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Reads one value; blobs are copies, safe integers become numbers. A `ref` tag is refused. */
export function readValue(input: ByteReader): SqlValue {
  const tag = input.u8();
  switch (tag) {
    case ValueTag.null:
      return null;
    case ValueTag.positive:
      return input.uint();
    case ValueTag.negative:
      return -input.uint();
    case ValueTag.int64:
      return narrow(input.int64());
    case ValueTag.real:
      return input.f64();
    case ValueTag.text:
      return input.text();
    case ValueTag.blob:
      return input.blob().slice();
    default:
      throw invalid(`malformed bytes: value tag ${tag}`);
  }
}

/** Reads one value that may be a reference. */
export function readInput(input: ByteReader): SqlValue | Ref {
  if (input.bytes[input.at] !== ValueTag.ref || input.remaining === 0) return readValue(input);
  input.u8();
  const statement = input.uint();
  const row = input.uint();
  const name = input.text();
  const position = input.uint();
  return { $ref: { statement, row, column: position === 0 ? name : position - 1 } };
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** How the parameters of one statement are encoded. */
export const ParamsTag = { none: 0, positional: 1, named: 2 } as const;

/** Appends parameters; `undefined` is none. */
export function writeParams(out: ByteWriter, params: Params<SqlInput | Ref> | undefined): void {
  if (params === undefined) {
    out.u8(ParamsTag.none);
  } else if (Array.isArray(params)) {
    out.u8(ParamsTag.positional);
    out.uint(params.length);
    for (let i = 0; i < params.length; i++) writeValue(out, params[i]);
  } else {
    const named = params as { readonly [name: string]: SqlInput | Ref };
    if (typeof params !== 'object' || params === null) {
      throw invalid('params must be an array or an object');
    }
    const names = Object.keys(named);
    out.u8(ParamsTag.named);
    out.uint(names.length);
    for (const name of names) {
      out.text(name);
      writeValue(out, named[name]!);
    }
  }
}

/** Reads parameters into JavaScript values; refs included. */
export function readParams(input: ByteReader): Params<SqlValue | Ref> | undefined {
  const tag = input.u8();
  if (tag === ParamsTag.none) return undefined;
  const count = input.uint();
  if (count > input.remaining) throw invalid('malformed bytes: parameter count');
  if (tag === ParamsTag.positional) return Array.from({ length: count }, () => readInput(input));
  if (tag !== ParamsTag.named) throw invalid(`malformed bytes: params tag ${tag}`);
  const named: { [name: string]: SqlValue | Ref } = Object.create(null);
  for (let i = 0; i < count; i++) named[input.text()] = readInput(input);
  return named;
}

function invalid(message: string): QuorliteError {
  return new QuorliteError('BAD_REQUEST', message);
}

/** What SQL sees of a value that a caller passed. Throws `BAD_REQUEST` like `writeValue`. */
export function toSqlValue(value: SqlInput): SqlValue {
  if (typeof value === 'string' || value === null) return value;
  if (typeof value === 'number') {
    if (Number.isNaN(value)) throw invalid('NaN has no place in SQL; pass null');
    return value;
  }
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'bigint') {
    if (value < INT64_MIN || value > INT64_MAX) throw invalid('an integer exceeds 64 bits');
    return value;
  }
  if (value instanceof Uint8Array) return value;
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw invalid('an invalid Date was passed');
    return value.toISOString();
  }
  throw invalid(`a value of type ${value === undefined ? 'undefined' : typeof value} was passed`);
}

/** `toSqlValue` over parameters; returns the same array when nothing had to change. */
export function toSqlParams(params: Params | undefined): Params<SqlValue> | undefined {
  if (params === undefined) return undefined;
  if (Array.isArray(params)) {
    return params.every(isPlain) ? (params as SqlValue[]) : params.map(toSqlValue);
  }
  if (typeof params !== 'object' || params === null) {
    throw invalid('params must be an array or an object');
  }
  const named: { [name: string]: SqlValue } = Object.create(null);
  for (const [name, value] of Object.entries(params)) named[name] = toSqlValue(value);
  return named;
}

function isPlain(value: SqlInput): boolean {
  return typeof value === 'string' || Number.isFinite(value) || value === null;
}
