/**
 * Shapes of JSON: what a body must look like, as one value that both checks it and describes it in OpenAPI. Checking
 * converts the parsed JSON in place (it belongs to the request), so that the hot routes allocate nothing but on error.
 */

import { QuorliteError } from '../wire/error.ts';
import { didYouMean } from '../wire/nearest.ts';

/** A JSON Schema (2020-12, as OpenAPI 3.1 has it). */
export type JsonSchema = { readonly [keyword: string]: unknown };

/** Where a value stands in the body: field names and positions. */
export type Path = (string | number)[];

/** One shape. */
export interface Shape<T> {
  readonly schema: JsonSchema;
  /** Set on shapes that OpenAPI names once and refers to. */
  readonly name?: string | undefined;
  /** Checks and converts `value`, which stands at `path`; throws `BAD_REQUEST`. */
  read(value: unknown, path: Path): T;
}

/** Longest name that an error message repeats; also bounds the search for a similar one. */
const MAX_ECHO = 64;

/** The error for a value at `path`: `params[2].$int must be …`. */
export function refuse(path: Path, problem: string): QuorliteError {
  return new QuorliteError('BAD_REQUEST', `${showPath(path)} ${problem}`);
}

function showPath(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else text += text === '' ? shorten(step) : `.${shorten(step)}`;
  }
  return text === '' ? 'the body' : text;
}

function shorten(name: string): string {
  return name.length > MAX_ECHO ? `${name.slice(0, MAX_ECHO)}…` : name;
}

/** The error for a field that does not exist, with the nearest one that does. */
export function unknownField(path: Path, name: string, known: Iterable<string>): QuorliteError {
  const names = [...known];
  const hint = name.length > MAX_ECHO ? '' : didYouMean(name, names);
  const at = path.length === 0 ? '' : ` in ${showPath(path)}`;
  const choices = hint === '' && names.length > 0 ? `; known: ${names.join(', ')}` : hint;
  return new QuorliteError('BAD_REQUEST', `unknown field "${shorten(name)}"${at}${choices}`);
}

/** What a JSON value is, for messages. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return 'an object';
  return typeof value === 'string' ? 'a text' : `a ${typeof value}`;
}

/** Whether a parsed JSON value is an object, not an array and not null. */
export function isObject(value: unknown): value is { [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A text of `min` to `max` UTF-16 units. */
export function text(help: string, min: number = 0, max: number = Infinity): Shape<string> {
  return {
    schema: {
      type: 'string',
      description: help,
      ...(min > 0 && { minLength: min }),
      ...(max < Infinity && { maxLength: max }),
    },
    read(value, path) {
      if (typeof value !== 'string') throw refuse(path, `must be a text, not ${kindOf(value)}`);
      if (value.length < min) throw refuse(path, 'must not be empty');
      if (value.length > max) throw refuse(path, `must have at most ${max} characters`);
      return value;
    },
  };
}

/** True or false. */
export function flag(help: string): Shape<boolean> {
  return {
    schema: { type: 'boolean', description: help },
    read(value, path) {
      if (typeof value !== 'boolean') {
        throw refuse(path, `must be true or false, not ${kindOf(value)}`);
      }
      return value;
    },
  };
}

/** A whole number from `min` to `max`. */
export function integer(
  help: string,
  min: number = 0,
  max: number = Number.MAX_SAFE_INTEGER,
): Shape<number> {
  return {
    schema: { type: 'integer', minimum: min, maximum: max, description: help },
    read(value, path) {
      if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max) {
        const given = typeof value === 'number' ? String(value) : kindOf(value);
        throw refuse(path, `must be a whole number from ${min} to ${max}, not ${given}`);
      }
      return value as number;
    },
  };
}

/** One of a few words. */
export function oneOf<const T extends string>(help: string, words: readonly T[]): Shape<T> {
  return {
    schema: { type: 'string', enum: words, description: help },
    read(value, path) {
      if (typeof value === 'string' && (words as readonly string[]).includes(value)) {
        return value as T;
      }
      throw refuse(path, `must be one of ${words.map((word) => `"${word}"`).join(', ')}`);
    },
  };
}

/** An array of `min` to `max` elements. */
export function list<T>(
  element: Shape<T>,
  help: string,
  min: number = 0,
  max: number = Infinity,
): Shape<T[]> {
  return {
    schema: {
      type: 'array',
      items: element,
      description: help,
      ...(min > 0 && { minItems: min }),
      ...(max < Infinity && { maxItems: max }),
    },
    read(value, path) {
      if (!Array.isArray(value)) throw refuse(path, `must be an array, not ${kindOf(value)}`);
      if (value.length < min) throw refuse(path, `must have at least ${min} element`);
      if (value.length > max) throw refuse(path, `must have at most ${max} elements`);
      const depth = path.length;
      for (let i = 0; i < value.length; i++) {
        path[depth] = i;
        value[i] = element.read(value[i], path);
      }
      path.length = depth;
      return value as T[];
    },
  };
}

/** An object with these fields and no others. */
export function object<T>(
  fields: { readonly [K in keyof T]-?: Shape<Exclude<T[K], undefined>> },
  required: readonly (keyof T & string)[],
): Shape<T> {
  const table = new Map<string, Shape<unknown>>(Object.entries(fields));
  return {
    schema: { type: 'object', properties: fields, required, additionalProperties: false },
    read(value, path) {
      if (!isObject(value)) throw refuse(path, `must be an object, not ${kindOf(value)}`);
      const depth = path.length;
      for (const name in value) {
        const shape = table.get(name);
        if (shape === undefined) throw unknownField(path, name, table.keys());
        path[depth] = name;
        value[name] = shape.read(value[name], path);
        path.length = depth;
      }
      for (const name of required) {
        if (value[name] === undefined) throw refuse([...path, name], 'is missing');
      }
      return value as T;
    },
  };
}

/** The same shape under a name, described once in OpenAPI. */
export function named<T>(name: string, shape: Shape<T>): Shape<T> {
  return { name, schema: shape.schema, read: shape.read };
}

/** A shape that is only described: answers, which nobody checks at run time. */
export function described(name: string, schema: JsonSchema): Shape<unknown> {
  return { name, schema, read: (value) => value };
}
