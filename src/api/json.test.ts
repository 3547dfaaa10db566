import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SqlValue } from '../wire/value.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { parseJson } from './body.ts';
import {
  jsonObjects,
  jsonOf,
  jsonRows,
  paramsShape,
  readJsonValue,
  txnParamsShape,
} from './json.ts';

const sqlValue: fc.Arbitrary<SqlValue> = fc.oneof(
  fc.constant(null),
  fc.double({ noNaN: true }),
  fc.maxSafeInteger(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.string({ unit: 'binary' }),
  fc.uint8Array(),
);

/** What a value is after a bigint that a number holds became that number. */
function narrow(value: SqlValue): SqlValue {
  if (typeof value !== 'bigint') return value;
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

describe('values', () => {
  test('out and in again without loss', () => {
    fc.assert(
      fc.property(sqlValue, (value) => {
        expect(readJsonValue(JSON.parse(jsonOf(value)), [], false)).toStrictEqual(narrow(value));
      }),
    );
  });

  test('rows are the same by both ways of writing them', () => {
    const columns = [
      { name: 'a', decltype: null },
      { name: 'b"', decltype: null },
    ];
    fc.assert(
      fc.property(fc.array(fc.tuple(sqlValue, sqlValue)), (rows) => {
        const arrays = JSON.parse(jsonRows(rows)) as unknown[][];
        const objects = JSON.parse(jsonObjects(columns, rows)) as { [name: string]: unknown }[];
        expect(objects.map((row) => [row['a'], row['b"']])).toStrictEqual(arrays);
      }),
    );
  });

  test.each([
    [{ $real: '-0' }, -0],
    [{ $real: '-Infinity' }, -Infinity],
    [{ $int: '-9223372036854775808' }, -(2n ** 63n)],
    [{ $int: '12' }, 12],
    [{ $blob: '' }, new Uint8Array(0)],
    [{ $blob: 'AQI' }, Uint8Array.of(1, 2)],
    [true, true],
  ])('%j is read', (given, value) => {
    expect(readJsonValue(given, [], false)).toStrictEqual(value);
  });

  test.each([
    [{ $int: '9223372036854775808' }, 'exceeds 64 bits'],
    [{ $int: '1e3' }, 'decimal digits'],
    [{ $int: 5 }, 'decimal digits'],
    [{ $real: 'NaN' }, 'NaN has no place'],
    [{ $real: 1 }, 'must hold "Infinity"'],
    [{ $blob: 'A' }, 'Base64'],
    [{ $blob: 'AQJ=' }, 'Base64'],
    [{ $blob: 'AQI=\n' }, 'Base64'],
    [{ $blob: 'A_I=' }, 'Base64'],
    [{ $blob: [1] }, 'Base64'],
    [{ $bolb: '' }, 'did you mean $blob?'],
    [{}, 'exactly one of'],
    [{ $int: '1', $blob: '' }, 'exactly one of'],
    [{ $ref: { statement: 0, column: 0 } }, 'only POST /v1/txn'],
    [[], 'not an array'],
    [JSON.parse('1e999'), 'exceeds the range'],
  ])('%j is refused', (given, message) => {
    expect(() => readJsonValue(given, ['params', 0], false)).toThrow(message);
  });

  test.each([
    [[{ $ref: { statement: -1, column: 'a' } }], 'params[0].$ref.statement'],
    [[{ $ref: { statement: 0 } }], 'params[0].$ref.column is missing'],
    [[{ $ref: { statement: 0, column: 1.5 } }], 'params[0].$ref.column'],
    [[{ $ref: { statement: 0, column: 0, line: 1 } }], 'unknown field "line" in params[0].$ref'],
    [[{ $ref: null }], 'params[0].$ref must be an object'],
    [5, 'params must be an array or an object'],
    [JSON.parse('{"__proto__": 1}'), 'is not the name of a parameter'],
    [{ a: [1] }, 'params.a must be a number'],
  ])('params %j are refused', (given, message) => {
    expect(() => txnParamsShape.read(given, ['params'])).toThrow(message);
  });

  test('too many params', () => {
    expect(() => paramsShape.read(new Array(32_767).fill(0), ['params'])).toThrow('at most 32766');
  });
});

describe('base64', () => {
  test('both ways, as the platform does it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const text = encodeBase64(bytes);
        expect(text).toBe(Buffer.from(bytes).toString('base64'));
        expect(decodeBase64(text)).toEqual(bytes);
        expect(decodeBase64(text.replace(/=+$/, ''))).toEqual(bytes);
      }),
    );
  });

  test('what decodes is what an encoder writes', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), (text) => {
        const bytes = decodeBase64(text);
        if (bytes !== null)
          expect(encodeBase64(bytes).replace(/=+$/, '')).toBe(text.replace(/=+$/, ''));
      }),
    );
  });
});

describe('parsing', () => {
  function parse(text: string, depth: number): unknown {
    return parseJson(new TextEncoder().encode(text), depth);
  }

  test('depth is bounded, brackets in texts do not count', () => {
    expect(parse('[[["[[[[[[[["]]]', 3)).toEqual([[['[[[[[[[[']]]);
    expect(parse('["\\"[[[[","\\\\",[1]]', 2)).toEqual(['"[[[[', '\\', [1]]);
    expect(() => parse('[[[[1]]]]', 3)).toThrow('deeper than 3');
    expect(() => parse('{"a":{"a":{"a":[1]}}}', 3)).toThrow('deeper than 3');
    expect(() => parse('['.repeat(5_000_000), 32)).toThrow('deeper than 32');
  });

  test('depth agrees with the parsed value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        const text = JSON.stringify(value);
        const depth = depthOf(value);
        expect(parse(text, Math.max(depth, 1))).toStrictEqual(JSON.parse(text));
        if (depth > 1) expect(() => parse(text, depth - 1)).toThrow('deeper');
      }),
    );
  });

  test.each(['{', '{"a":1,}', "{'a':1}", 'NaN', ''])('%j is not JSON', (text) => {
    expect(() => parse(text, 8)).toThrow('not JSON');
  });

  test('broken UTF-8', () => {
    expect(() => parseJson(Uint8Array.of(34, 0xc3, 34), 8)).toThrow('not UTF-8');
  });
});

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}
