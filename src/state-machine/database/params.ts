/**
 * Parameters: which value goes to which parameter of a statement, and binding them straight from an operation's bytes.
 *
 * Arrays fill plain `?` in order; with `?n` and `$n` they are taken by number. Objects fill names, written with or
 * without their prefix. Every parameter needs a value and every value a parameter (`BAD_REQUEST`).
 */
import type { Statement } from '../../../wasm/engine.ts';
import type { ByteReader } from '../../wire/bytes.ts';
import { QuorliteError } from '../../wire/error.ts';
import {
  type Params,
  ParamsTag,
  type Ref,
  readInput,
  type SqlValue,
  ValueTag,
} from '../../wire/value.ts';
import { hasPlainParameter } from '../sql-text.ts';

/** Looks up a value from an earlier statement of the same transaction. Throws `BAD_REQUEST`, `NO_ROWS`. */
export type RefReader = (ref: Ref) => SqlValue;

/** How the values of one statement are bound. */
export interface ParamShape {
  /** SQLite's number of the largest parameter. */
  readonly count: number;
  /** Values that an array must hold; -1 when the parameters are named. */
  readonly arity: number;
  /** Value i goes to parameter i + 1. */
  readonly direct: boolean;
  /** Parameters that value i of an array goes to, when not direct. */
  readonly targets: readonly (readonly number[])[];
  /** Parameters by name, with and without prefix. */
  readonly names: ReadonlyMap<string, readonly number[]>;
  /** Parameters that have a name. */
  readonly named: readonly number[];
  /** Has plain `?`, which no name reaches. */
  readonly plain: boolean;
  /** Plain `?` beside `?n` or `$n`: their numbers would depend on their order. */
  readonly mixed: boolean;
}

/** A number that SQLite could have as well; `$99999` is a name. */
const NUMBERED = /^[?$]([1-9][0-9]{0,4})$/;
/** `SQLITE_LIMIT_VARIABLE_NUMBER`. */
const LARGEST_NUMBER = 32_766;

/** Works out the shape of a compiled statement; depends on its text alone. */
export function shapeOf(statement: Statement, sql: string): ParamShape {
  const count = statement.parameterCount;
  const names = new Map<string, number[]>();
  const targets: number[][] = [];
  const named: number[] = [];
  let numbered = true;
  for (let index = 1; index <= count; index++) {
    const name = statement.parameterName(index);
    if (name === null) continue;
    named.push(index);
    for (const key of [name, name.slice(1)]) push(names, key, index);
    const number = numberOf(name);
    if (number === 0) numbered = false;
    else (targets[number - 1] ??= []).push(index);
  }
  const plain = named.length === 0 ? count > 0 : hasPlainParameter(sql);
  const arity = named.length === 0 ? count : numbered && !plain ? targets.length : -1;
  return {
    count,
    arity,
    direct:
      named.length === 0 || targets.every((list, i) => list.length === 1 && list[0] === i + 1),
    targets: Array.from(targets, (list) => list ?? []),
    names,
    named,
    plain,
    mixed: plain && named.some((index) => numberOf(statement.parameterName(index)!) > 0),
  };
}

function numberOf(name: string): number {
  const number = Number(NUMBERED.exec(name)?.[1] ?? 0);
  return number <= LARGEST_NUMBER ? number : 0;
}

function push(map: Map<string, number[]>, key: string, index: number): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [index]);
  else if (list.at(-1) !== index) list.push(index);
}

/**
 * Binds the parameters encoded at `input` and leaves it behind them. `refs` resolves references; without it they are
 * refused. Returns how many bytes were read.
 */
export function bindEncoded(
  statement: Statement,
  shape: ParamShape,
  input: ByteReader,
  refs: RefReader | null,
): number {
  const start = input.at;
  const tag = input.u8();
  if (tag === ParamsTag.none) {
    if (shape.count > 0) throw wrongCount(shape, 0);
    return 1;
  }
  const count = input.uint();
  if (tag === ParamsTag.positional) {
    checkArray(shape, count);
    for (let i = 0; i < count; i++) {
      if (shape.direct) bindOne(statement, i + 1, input, refs);
      else bindTargets(statement, shape.targets[i]!, input, refs);
    }
  } else if (tag === ParamsTag.named) {
    const binding = new NamedBinding(shape);
    for (let i = 0; i < count; i++) {
      bindTargets(statement, binding.targets(input.text()), input, refs);
    }
    binding.finish();
  } else {
    throw new QuorliteError('BAD_REQUEST', `malformed bytes: params tag ${tag}`);
  }
  return input.at - start;
}

/** Binds JavaScript values: the parameters of a read. Returns about how many bytes they are. */
export function bindValues(
  statement: Statement,
  shape: ParamShape,
  params: Params<SqlValue> | undefined,
): number {
  if (params === undefined) {
    if (shape.count > 0) throw wrongCount(shape, 0);
    return 0;
  }
  let bytes = 0;
  if (Array.isArray(params)) {
    checkArray(shape, params.length);
    for (let i = 0; i < params.length; i++) {
      if (shape.direct) bytes += bindValue(statement, i + 1, params[i]);
      else for (const index of shape.targets[i]!) bytes += bindValue(statement, index, params[i]);
    }
    return bytes;
  }
  const named = params as { readonly [name: string]: SqlValue };
  const binding = new NamedBinding(shape);
  for (const name of Object.keys(named)) {
    for (const index of binding.targets(name)) bytes += bindValue(statement, index, named[name]!);
  }
  binding.finish();
  return bytes;
}

function bindValue(statement: Statement, index: number, value: SqlValue): number {
  if (typeof value === 'number' && Number.isNaN(value)) throw notANumber();
  statement.bind(index, value);
  return typeof value === 'string' || value instanceof Uint8Array ? value.length : 8;
}

function notANumber(): QuorliteError {
  return new QuorliteError('BAD_REQUEST', 'NaN has no place in SQL; pass null');
}

/** Bound values above this many bytes are let go after the run: cached statements would keep them. */
export const RETAINED_BYTES = 4096;

function checkArray(shape: ParamShape, count: number): void {
  if (count === shape.arity) return;
  if (shape.mixed) {
    throw new QuorliteError('BAD_REQUEST', 'plain ? and numbered parameters cannot be mixed');
  }
  if (shape.arity < 0) {
    throw new QuorliteError(
      'BAD_REQUEST',
      `the parameters have names (${[...shape.names.keys()].filter(hasPrefix).join(', ')}): pass an object`,
    );
  }
  throw wrongCount(shape, count);
}

function hasPrefix(name: string): boolean {
  return /^[:@$?]/.test(name);
}

function wrongCount(shape: ParamShape, given: number): QuorliteError {
  const wanted = shape.arity < 0 ? shape.named.length : shape.arity;
  return new QuorliteError(
    'BAD_REQUEST',
    `the statement has ${wanted} parameter${wanted === 1 ? '' : 's'}, ${given} given`,
  );
}

/** Takes names one by one and sees that each parameter gets exactly one value. */
class NamedBinding {
  readonly #shape: ParamShape;
  readonly #bound: Uint8Array;

  constructor(shape: ParamShape) {
    if (shape.mixed) {
      throw new QuorliteError('BAD_REQUEST', 'plain ? and numbered parameters cannot be mixed');
    }
    if (shape.plain) throw new QuorliteError('BAD_REQUEST', 'a plain ? has no name: pass an array');
    this.#shape = shape;
    this.#bound = new Uint8Array(shape.count + 1);
  }

  targets(name: string): readonly number[] {
    const targets = this.#shape.names.get(name);
    if (targets === undefined) {
      throw new QuorliteError('BAD_REQUEST', `the statement has no parameter named ${name}`);
    }
    for (const index of targets) {
      if (this.#bound[index] === 1) {
        throw new QuorliteError('BAD_REQUEST', `parameter ${name} is given twice`);
      }
      this.#bound[index] = 1;
    }
    return targets;
  }

  finish(): void {
    for (const index of this.#shape.named) {
      if (this.#bound[index] === 1) continue;
      const name = [...this.#shape.names].find(([, list]) => list.includes(index))![0];
      throw new QuorliteError('BAD_REQUEST', `no value given for parameter ${name}`);
    }
  }
}

/** Binds the value at `input` to each of `targets`. */
function bindTargets(
  statement: Statement,
  targets: readonly number[],
  input: ByteReader,
  refs: RefReader | null,
): void {
  if (targets.length === 0) readInput(input);
  const start = input.at;
  for (const index of targets) {
    input.at = start;
    bindOne(statement, index, input, refs);
  }
}

/** Binds the value at `input` to parameter `index`. */
function bindOne(
  statement: Statement,
  index: number,
  input: ByteReader,
  refs: RefReader | null,
): void {
  switch (input.u8()) {
    case ValueTag.null:
      statement.bindNull(index);
      return;
    case ValueTag.positive:
      statement.bindInteger(index, input.uint());
      return;
    case ValueTag.negative:
      statement.bindInteger(index, -input.uint());
      return;
    case ValueTag.int64:
      statement.bindBigint(index, input.int64());
      return;
    case ValueTag.real:
      bindReal(statement, index, input.f64());
      return;
    case ValueTag.text:
      bindText(statement, index, input);
      return;
    case ValueTag.blob:
      statement.bindBlob(index, input.blob());
      return;
    case ValueTag.ref:
      input.at--;
      bindRef(statement, index, readInput(input) as Ref, refs);
      return;
    default:
      throw new QuorliteError('BAD_REQUEST', `malformed bytes: value tag at ${input.at - 1}`);
  }
}

function bindText(statement: Statement, index: number, input: ByteReader): void {
  const length = input.uint();
  const start = input.at;
  input.skip(length);
  statement.bindTextBytes(index, input.bytes, start, start + length);
}

function bindReal(statement: Statement, index: number, value: number): void {
  if (Number.isNaN(value)) throw notANumber();
  statement.bindReal(index, value);
}

function bindRef(statement: Statement, index: number, ref: Ref, refs: RefReader | null): void {
  if (refs === null) {
    throw new QuorliteError('BAD_REQUEST', 'a $ref is allowed in a transaction only');
  }
  statement.bind(index, refs(ref));
}
