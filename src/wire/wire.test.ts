import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader, ByteWriter } from './bytes.ts';
import { BatchBuilder, decodeCommand, readBatchHeader, readCommand } from './command.ts';
import { crc32c } from './crc32c.ts';
import {
  ENTRY_HEADER_BYTES,
  EntryKind,
  entryPayload,
  makeEntry,
  readEntry,
  stampEntry,
  verifyEntry,
} from './entry.ts';
import { ERROR_CODES, QuorliteError } from './error.ts';
import {
  decodeMembership,
  decodeMembershipEntry,
  encodeMembership,
  encodeMembershipEntry,
} from './membership.ts';
import { MessageType, readMessage, writeMessage } from './message.ts';
import { decodeOperation, type Operation, writeExecute, writeOperation } from './operation.ts';
import { decodeOutcome, encodeOutcome } from './result.ts';
import { readParams, readValue, toSqlParams, writeParams, writeValue } from './value.ts';

const safe = fc.maxSafeNat();
const sqlValue = fc.oneof(
  fc.constant(null),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true }),
  fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).filter((n) => !Number.isSafeInteger(Number(n))),
  fc.string({ unit: 'grapheme' }),
  fc.uint8Array(),
);

/** What becomes of lone surrogates on the way through UTF-8. */
function wellFormed(text: string): string {
  return new TextDecoder().decode(new TextEncoder().encode(text));
}

function written(write: (out: ByteWriter) => void): ByteReader {
  const out = new ByteWriter(1);
  write(out);
  return new ByteReader(out.take());
}

describe('crc32c', () => {
  test('the check value of the catalogue', () => {
    expect(crc32c(new TextEncoder().encode('123456789'))).toBe(0xe3069283);
  });

  test('equals the bit-by-bit definition, in one piece and in two', () => {
    function slow(bytes: Uint8Array): number {
      let crc = ~0;
      for (const byte of bytes) {
        crc ^= byte;
        for (let i = 0; i < 8; i++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
      }
      return ~crc >>> 0;
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (bytes, cut) => {
        expect(crc32c(bytes)).toBe(slow(bytes));
        const at = Math.min(cut, bytes.length);
        const first = crc32c(bytes, 0, at);
        expect(crc32c(bytes, at, bytes.length, first)).toBe(slow(bytes));
      }),
    );
  });
});

describe('bytes', () => {
  test('integers, text and blobs come back', () => {
    fc.assert(
      fc.property(safe, fc.string({ unit: 'binary' }), fc.uint8Array(), (n, text, blob) => {
        const input = written((out) => {
          out.uint(n);
          out.u53(n);
          out.text(text);
          out.blob(blob);
        });
        expect(input.uint()).toBe(n);
        expect(input.u53()).toBe(n);
        expect(input.text()).toBe(wellFormed(text));
        expect(input.blob()).toEqual(blob);
        input.finish();
      }),
    );
  });

  test('garbage is BAD_REQUEST, never an out-of-range read', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        for (const read of [decodeOperation, decodeCommand, decodeMembership, decodeOutcome]) {
          try {
            read(bytes);
          } catch (error) {
            expect((error as QuorliteError).code).toBe('BAD_REQUEST');
          }
        }
      }),
    );
  });

  test('a varint beyond 2^53 - 1 is refused', () => {
    expect(() => new ByteReader(new Uint8Array(9).fill(255)).uint()).toThrow('2^53');
  });
});

describe('values', () => {
  test('every SQL value comes back as it was', () => {
    fc.assert(
      fc.property(sqlValue, (value) => {
        expect(readValue(written((out) => writeValue(out, value)))).toEqual(value);
      }),
    );
  });

  test('parameters come back, named and positional', () => {
    const lists = fc.oneof(fc.array(sqlValue), fc.dictionary(fc.string(), sqlValue));
    fc.assert(
      fc.property(lists, (params) => {
        const back = readParams(written((out) => writeParams(out, params)));
        expect(Array.isArray(back) ? back : { ...back }).toEqual(params);
      }),
    );
  });

  test('booleans bind as 0 and 1, dates as ISO text, negative zero stays a REAL', () => {
    const date = new Date(0);
    const input = written((out) => writeParams(out, [true, false, date, -0]));
    const [yes, no, at, zero] = readParams(input) as unknown[];
    expect([yes, no, at]).toEqual([1, 0, '1970-01-01T00:00:00.000Z']);
    expect(Object.is(zero, -0)).toBe(true);
    expect(toSqlParams([true, date])).toEqual([1, '1970-01-01T00:00:00.000Z']);
  });

  test.each([[Number.NaN], [undefined], [2n ** 63n], [{}], [new Date(Number.NaN)], [Symbol('x')]])(
    '%s is BAD_REQUEST',
    (value) => {
      const write = (): void => writeValue(new ByteWriter(), value as never);
      expect(write).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
    },
  );
});

describe('entries', () => {
  test('a record comes back, and any flipped bit is noticed', () => {
    fc.assert(
      fc.property(
        safe,
        safe,
        fc.uint8Array({ maxLength: 64 }),
        fc.nat(),
        (term, index, payload, bit) => {
          const entry = makeEntry(term, index, EntryKind.commands, payload, 1);
          expect(verifyEntry(entry)).toBe(true);
          const read = readEntry(entry.bytes);
          expect(read).toEqual(entry);
          expect(entryPayload(read)).toEqual(payload);
          const damaged = entry.bytes.slice();
          const at = bit % (damaged.length * 8);
          damaged[at >> 3]! ^= 1 << (at & 7);
          expect(() => readEntry(damaged)).toThrow(expect.objectContaining({ code: 'CORRUPT' }));
        },
      ),
    );
  });

  test('a length beyond the buffer is refused before anything is allocated', () => {
    const { bytes } = makeEntry(1, 1, EntryKind.empty);
    new DataView(bytes.buffer).setUint32(0, 0xfffffff0, true);
    expect(() => readEntry(bytes)).toThrow('claims');
  });
});

test('a batch of commands comes back with its header', () => {
  const builder = new BatchBuilder(1);
  const key = { scope: 'api', key: 'k', hash: new Uint8Array(16).fill(7) };
  builder.begin(5, 1, 1);
  builder.writer.text('first');
  builder.end();
  builder.begin(5, 2, 1);
  builder.writer.text('taken back');
  builder.cancel();
  builder.begin(6, 9, 4, key);
  builder.writer.text('second');
  const start = builder.end();
  const forwarded = builder.copy({ start, end: builder.bytes, textAt: 0 });
  builder.append(forwarded);
  const entry = stampEntry(builder.finish(11, 12, new Uint8Array(32).fill(3)), 1, 1, 1);
  const input = new ByteReader(entry.bytes, ENTRY_HEADER_BYTES);
  expect(readBatchHeader(input)).toMatchObject({ wall: 11, elapsed: 12, count: 3 });
  expect(readCommand(input)).toMatchObject({ session: 5, sequence: 1, acknowledged: 1 });
  const second = readCommand(input);
  expect(second).toMatchObject({ session: 6, sequence: 9, acknowledged: 4, key });
  expect(readCommand(input)).toEqual(second);
  input.finish();
  expect(decodeCommand(forwarded).body).toEqual(second.body);
});

test.each<[string, Operation]>([
  ['execute', { op: 'execute', sql: 'SELECT ?', params: [1], slow: true }],
  [
    'txn',
    {
      op: 'txn',
      guard: { index: 3, tables: ['t'] },
      slow: false,
      statements: [
        {
          sql: 'INSERT INTO t VALUES (?)',
          many: [[1], [2]],
          expect: { rowsAffected: 1 },
          params: undefined,
        },
        {
          sql: 'SELECT ?',
          many: undefined,
          expect: undefined,
          params: [{ $ref: { statement: 0, column: 'id', row: 0 } }],
        },
      ],
    },
  ],
  ['batch', { op: 'batch', sql: 'a; b', atomic: true, slow: false }],
  ['migrate', { op: 'migrate', migrations: [{ id: 1, name: 'one', sql: 'x' }] }],
  ['openSession', { op: 'openSession', session: 2 ** 52 }],
  ['settings', { op: 'settings', patch: { entryBytes: 5 } }],
  ['tick', { op: 'tick' }],
])('operation %s comes back', (_name, operation) => {
  const out = new ByteWriter();
  writeOperation(out, operation);
  expect(decodeOperation(out.take())).toEqual(operation);
});

test('every error code crosses the wire with its details', () => {
  for (const code of ERROR_CODES) {
    const error = new QuorliteError(code, 'what happened', {
      outcome: 'unknown',
      sqliteCode: 'SQLITE_BUSY',
      statement: 0,
      offset: 7,
      leader: 'http://x',
      hint: 'do this',
    });
    const outcome = { ok: false, index: 4, error } as const;
    const back = decodeOutcome(encodeOutcome(outcome));
    expect(back).toMatchObject({ ok: false, index: 4 });
    if (!back.ok) expect({ ...back.error }).toEqual({ ...error });
  }
});

test('membership and its entries come back', () => {
  const members = [{ replica: 2 ** 52, node: 1, url: 'http://x' }];
  const membership = { voters: [1], outgoing: [2], learners: [3], learnersNext: [2], members };
  expect(decodeMembership(encodeMembership(membership))).toEqual(membership);
  for (const entry of [
    { type: 'found', members },
    {
      type: 'change',
      changes: [
        { type: 'voter', member: members[0]! },
        { type: 'remove', replica: 5 },
      ],
    },
    { type: 'leave' },
  ] as const) {
    expect(decodeMembershipEntry(encodeMembershipEntry(entry))).toEqual(entry);
  }
});

test('a message comes back with its entries', () => {
  const message = {
    type: MessageType.append,
    from: 1,
    to: 2,
    term: 3,
    index: 4,
    logTerm: 3,
    commit: 2,
    reject: true,
    force: true,
    recovering: true,
    hintIndex: 5,
    hintTerm: 6,
    read: 7,
    session: 8,
    entries: [makeEntry(3, 5, EntryKind.commands, new Uint8Array([1, 2, 3]))],
  };
  expect(readMessage(written((out) => writeMessage(out, message)))).toEqual(message);
});

describe('a text that stands above', () => {
  const first = 'INSERT INTO t VALUES (?)';
  const second = 'DELETE FROM t WHERE a = ?';

  function add(builder: BatchBuilder, sequence: number, sql: string, value: number) {
    builder.begin(5, sequence, 1);
    writeExecute(builder.writer, sql, [value], false);
    const start = builder.end();
    return { start, end: builder.bytes, textAt: builder.textAt };
  }

  /** What stands in the log, and each command on its own. */
  function commandsOf(
    builder: BatchBuilder,
    ranges: { start: number; end: number; textAt: number }[],
  ) {
    return ranges.map((range) => {
      const { sequence, body } = decodeCommand(builder.copy(range));
      const operation = decodeOperation(body) as { sql: string; params: readonly unknown[] };
      return [sequence, operation.sql, operation.params[0]];
    });
  }

  test('is left out, and is there again when a command stands alone', () => {
    const builder = new BatchBuilder();
    const a = add(builder, 1, first, 1);
    const b = add(builder, 2, first, 2);
    const c = add(builder, 3, second, 3);
    const d = add(builder, 4, second, 4);
    const e = add(builder, 5, first, 5);
    expect([a, b, c, d, e].map(({ textAt }) => textAt > 0)).toEqual([
      false,
      true,
      false,
      true,
      false,
    ]);
    expect(b.end - b.start).toBe(a.end - a.start - first.length - 1);
    expect(commandsOf(builder, [a, b, c, d, e])).toEqual([
      [1, first, 1],
      [2, first, 2],
      [3, second, 3],
      [4, second, 4],
      [5, first, 5],
    ]);
  });

  test('is written again after a command that was taken back, appended or of another kind', () => {
    const builder = new BatchBuilder();
    builder.begin(5, 1, 1);
    writeExecute(builder.writer, first, [1], false);
    builder.cancel();
    const a = add(builder, 1, first, 1);
    const b = add(builder, 2, first, 2);
    builder.cancelLast(b.start);
    const c = add(builder, 2, first, 2);
    builder.append(builder.copy(a));
    const d = add(builder, 3, first, 3);
    builder.begin(5, 4, 1);
    writeOperation(builder.writer, { op: 'tick' });
    builder.end();
    const e = add(builder, 5, first, 5);
    expect([a, c, d, e].map(({ textAt }) => textAt)).toEqual([0, 0, 0, 0]);
  });

  test('is refused where nothing stands above', () => {
    const builder = new BatchBuilder();
    add(builder, 1, first, 1);
    const { start, end } = add(builder, 2, first, 2);
    const { body } = decodeCommand(builder.writer.bytes.slice(start, end));
    expect(() => decodeOperation(body)).toThrow('a text that stands elsewhere');
  });
});
