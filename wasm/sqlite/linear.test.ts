import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  AMPLE,
  all,
  CommandHost,
  command,
  failure,
  limits,
} from '../../test/conformance/engine-support.ts';
import { type Connection as EngineConnection, SqlError, type SqlValue } from '../engine.ts';
import { CHARGE_BYTES, DEFAULT_ENGINE_LIMITS } from '../limits.ts';
import { loadSqliteEngine, readSqliteModules } from '../load/node.ts';
import { createMemoryPageStore } from '../page-store/memory.ts';
import { trustedRights } from './authorizer.ts';
import type { Connection } from './connection.ts';
import { Instance } from './instance.ts';
import { IDLE_CALLBACKS } from './probe.ts';
import { CompiledStatement } from './statement.ts';

const SIGNATURES: readonly (readonly [name: string, args: number])[] = [
  ['instr', 2],
  ['replace', 3],
  ['trim', 2],
  ['ltrim', 2],
  ['rtrim', 2],
  ['unhex', 2],
];

function openWriter(set = limits()): ReturnType<ReturnType<typeof loadSqliteEngine>['openWriter']> {
  const store = createMemoryPageStore({ maxBytes: 64 * 1024 * 1024 });
  return loadSqliteEngine().openWriter(store, new CommandHost(), set);
}

/** A bare connection in memory, with SQLite's own functions, as far as `all` needs one. */
function openWithOriginals(set = limits()): Pick<EngineConnection, 'prepare'> {
  const instance = new Instance(readSqliteModules(), new CommandHost(), IDLE_CALLBACKS);
  const { x, scratch } = instance;
  expect(x.sqlite3_open_v2(instance.allocateText(':memory:').pointer, scratch, 0x86, 0)).toBe(0);
  const db = instance.i32[scratch >> 2]!;
  x.sqlite3_limit(db, 0, set.valueBytes);
  const connection = {
    instance,
    db,
    refusal: null,
    interruptKind: 'steps',
    beforeRun: () => {},
    afterError: () => {},
    step: (statement: number) => x.sqlite3_step(statement),
  } as unknown as Connection;
  return {
    prepare: (sql) => {
      const rc = x.sqlite3_prepare_v3(db, instance.allocateText(sql).pointer, -1, 0, scratch, 0);
      expect(rc).toBe(0);
      const statement = new CompiledStatement(
        connection,
        instance.i32[scratch >> 2]!,
        sql,
        0,
        trustedRights('', 0),
        0,
      );
      return statement;
    },
  };
}

/** How an argument is written: as it is, or its bytes as text, which may then be invalid. */
interface Argument {
  readonly value: SqlValue;
  readonly asText: boolean;
}

const bytes = fc.uint8Array({ maxLength: 12 }).map((value) => ({ value, asText: false }));
const oddBytes = fc
  .array(
    fc.constantFrom(0x00, 0x41, 0x61, 0x80, 0x81, 0xbf, 0xc3, 0xc0, 0xe4, 0xed, 0xf0, 0xff, 0xfe),
    {
      maxLength: 14,
    },
  )
  .map((list) => new Uint8Array(list));
const argument: fc.Arbitrary<Argument> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .array(fc.constantFrom('a', 'b', 'ü', '🦊', ' ', '0', 'F', '\0'), { maxLength: 10 })
      .map((parts) => ({ value: parts.join(''), asText: false })),
  },
  { weight: 4, arbitrary: oddBytes.map((value) => ({ value, asText: true })) },
  { weight: 2, arbitrary: oddBytes.map((value) => ({ value, asText: false })) },
  { weight: 2, arbitrary: bytes },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(null, 0, 1.5, -12, 12345678901234567n)
      .map((value) => ({ value, asText: false })),
  },
);

function evaluate(
  writer: Pick<EngineConnection, 'prepare'>,
  name: string,
  args: readonly Argument[],
): unknown {
  const list = args.map(({ asText }, i) => (asText ? `CAST(?${i + 1} AS TEXT)` : `?${i + 1}`));
  const call = `${name}(${list.join(', ')})`;
  const sql = `SELECT typeof(${call}), CAST(${call} AS BLOB), ${args.map((_, i) => `typeof(?${i + 1})`).join(', ')}`;
  try {
    return all(
      writer,
      sql,
      args.map(({ value }) => value),
    );
  } catch (error) {
    if (error instanceof SqlError) return error.codeName;
    throw error;
  }
}

describe('linear functions', () => {
  const ours = openWriter();
  const theirs = openWithOriginals();

  test.each(SIGNATURES)('%s gives what the original gives', (name, count) => {
    fc.assert(
      fc.property(fc.array(argument, { minLength: count, maxLength: count }), (args) => {
        expect(evaluate(ours, name, args)).toEqual(evaluate(theirs, name, args));
      }),
      { numRuns: 3000 },
    );
  });

  test.each(SIGNATURES)('%s agrees on text made of its own arguments', (name, count) => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'ü', '4', 'e'), maxLength: 6 });
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), word, word, (parts, inner, by) => {
        const args = [parts.join(inner), inner, by].slice(0, count);
        const wrapped = args.map((value) => ({ value, asText: false }));
        expect(evaluate(ours, name, wrapped)).toEqual(evaluate(theirs, name, wrapped));
      }),
      { numRuns: 1500 },
    );
  });

  test('the length limit is met in the same way', () => {
    const small = limits({ valueBytes: 1000 });
    const [a, b] = [openWriter(small), openWithOriginals(small)];
    for (const size of [998, 999, 1000]) {
      for (const args of [
        ['x'.repeat(size), 'x', 'yy'],
        ['x'.repeat(size), 'z', 'yy'],
        [`${'a'.repeat(size - 1)}b`, 'b', 'cc'],
        [`${'a'.repeat(size - 3)}bbb`, 'bbb', 'cccc'],
      ]) {
        const wrapped = args.map((value) => ({ value, asText: false }));
        expect(evaluate(a, 'replace', wrapped)).toEqual(evaluate(b, 'replace', wrapped));
      }
    }
    for (const size of [124, 125, 126]) {
      const wrapped = ['abc', 'c'.repeat(size)].map((value) => ({ value, asText: false }));
      expect(evaluate(a, 'trim', wrapped)).toEqual(evaluate(b, 'trim', wrapped));
    }
  });

  test('what took minutes takes as many steps as it has bytes', () => {
    const size = DEFAULT_ENGINE_LIMITS.valueBytes - 1;
    const text = 'a'.repeat(size);
    const cases: readonly (readonly [sql: string, params: SqlValue[]])[] = [
      ['SELECT instr(?1, ?2)', [text, `${'a'.repeat(size >> 1)}b`]],
      ["SELECT length(replace(?1, ?2, ''))", [text, `${'a'.repeat(size >> 1)}b`]],
      ['SELECT length(trim(?1, ?2))', [text, 'bcdefghijklmnopqrstuvwxyz'.repeat(4000)]],
      ['SELECT length(rtrim(?1, ?2))', [text, `${'b'.repeat(100_000)}a`]],
      ['SELECT unhex(?1, ?2)', ['-'.repeat(size), `${'+'.repeat(size >> 1)}-`]],
    ];
    for (const [sql, params] of cases) {
      ours.beginCommand(AMPLE);
      all(ours, sql, params);
      const { steps } = ours.endCommand();
      expect(steps).toBeGreaterThanOrEqual(Math.floor(size / CHARGE_BYTES));
      expect(steps).toBeLessThan((8 * size) / CHARGE_BYTES);
      const few = { ...AMPLE, steps: 100 };
      expect(failure(() => command(ours, () => all(ours, sql, params), few)).kind).toBe('steps');
    }
  });

  test('trim on text with endless invalid characters is charged for what it compares', () => {
    const characters = Array.from({ length: 2000 }, (_, i) => [
      0xc3,
      ...Array(5).fill(0x81),
      0x80 + (i & 63),
      0x80 + (i >> 6),
    ]);
    const set = new Uint8Array(characters.flat());
    const text = new Uint8Array(
      Array.from({ length: 20_000 }, () => [0xc3, 0x81, 0x81, 0x81, 0x81, 0x81, 0xbf, 0xbf]).flat(),
    );
    const sql = 'SELECT length(trim(CAST(? AS TEXT), CAST(? AS TEXT)))';
    const withEnd = new Uint8Array([...set, 0xc3, ...Array(5).fill(0x81), 0xbf, 0xbf]);
    const error = failure(() =>
      command(ours, () => all(ours, sql, [text, withEnd]), { ...AMPLE, steps: 2000 }),
    );
    expect(error.kind).toBe('steps');
  });
});
