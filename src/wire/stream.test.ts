/** The client protocol's bytes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader, ByteWriter } from './bytes.ts';
import { QuorliteError } from './error.ts';
import { FrameWriter, finishFrame, readFrames, restOfFrame, StreamFrame } from './stream.ts';
import {
  NONCE_BYTES,
  readChallenge,
  readHello,
  readLeader,
  readWelcome,
  writeChallenge,
  writeHello,
  writeLeader,
  writeWelcome,
} from './stream-handshake.ts';
import {
  readCall,
  readQuery,
  readResult,
  type StreamConsistency,
  writeCall,
  writeQueryHeader,
  writeQueryStatement,
  writeResult,
} from './stream-requests.ts';
import {
  checkTokenProof,
  createTokenVerifier,
  decoyVerifier,
  deriveTokenKeys,
  equalBytes,
  proofTranscript,
  serverSignature,
  tokenProof,
} from './token-proof.ts';
import type { SqlValue } from './value.ts';

const uint = fc.maxSafeNat();
const text = fc.string({ unit: 'grapheme', maxLength: 60 });
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const value: fc.Arbitrary<SqlValue> = fc.oneof(
  fc.constant(null),
  fc.maxSafeInteger(),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
  fc.double({ noNaN: true, noInteger: true }),
  text,
  fc.uint8Array({ maxLength: 40 }),
);

/** Writes a body, reads it back; everything must have been read. */
function roundTrip<T>(
  write: (out: ByteWriter) => void,
  read: (input: ByteReader, end: number) => T,
): T {
  const out = new ByteWriter(8);
  write(out);
  const body = out.take();
  return read(new ByteReader(body), body.length);
}

describe('frames', () => {
  test('several in one message come back in order', () => {
    const frame = fc.record({
      type: fc.constantFrom(...Object.values(StreamFrame)),
      request: uint,
      body: fc.uint8Array({ maxLength: 300 }),
    });
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 20 }), (frames) => {
        const writer = new FrameWriter();
        for (const { type, request, body } of frames) {
          writer.begin(StreamFrame.error, 1);
          writer.out.raw(body);
          writer.cancel();
          writer.begin(type, request);
          writer.out.raw(body);
          expect(writer.end()).toBe(body.length);
        }
        const seen: { type: StreamFrame; request: number; body: Uint8Array }[] = [];
        readFrames(writer.take(), {
          frame: (type, request, input, end) =>
            seen.push({ type: type as StreamFrame, request, body: restOfFrame(input, end) }),
        });
        expect(seen).toEqual(frames);
        expect(writer.length).toBe(0);
      }),
    );
  });

  test('a message is never changed by the next one', () => {
    const writer = new FrameWriter();
    const messages = [1, 2, 3].map((byte) => {
      writer.begin(StreamFrame.chunk, byte);
      writer.out.raw(new Uint8Array(byte === 2 ? 3_000_000 : 10).fill(byte));
      writer.end();
      return writer.take();
    });
    messages.forEach((message, i) => {
      expect(message.at(-1)).toBe(i + 1);
    });
  });

  test('garbage is BAD_REQUEST, and nothing is read beyond the message', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (garbage) => {
        try {
          readFrames(garbage, {
            frame(_type, _request, input, end) {
              expect(end).toBeLessThanOrEqual(garbage.length);
              readQuery(input, end);
            },
          });
        } catch (error) {
          expect(error).toBeInstanceOf(QuorliteError);
          expect((error as QuorliteError).code).toBe('BAD_REQUEST');
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('a body that is shorter or longer than what it holds is refused', () => {
    const input = new ByteReader(new Uint8Array(8));
    input.at = 4;
    expect(() => finishFrame(input, 3)).toThrow(QuorliteError);
    expect(() => finishFrame(input, 5)).toThrow(QuorliteError);
    expect(() => restOfFrame(input, 3)).toThrow(QuorliteError);
    finishFrame(input, 4);
  });
});

describe('bodies', () => {
  test('hello, challenge, welcome, leader', () => {
    const hello = fc.record({
      oldest: uint,
      newest: uint,
      identity: text,
      agent: text,
      nonce: bytes(NONCE_BYTES),
    });
    const challenge = fc.record({
      version: uint,
      nonce: bytes(NONCE_BYTES),
      iterations: uint,
      salt: fc.uint8Array({ maxLength: 32 }),
    });
    const welcome = fc.record({
      signature: fc.uint8Array({ maxLength: 32 }),
      history: text,
      maxRequests: uint,
      maxMessageBytes: uint,
      sessionWindow: uint,
    });
    const leader = fc.record({
      history: text,
      node: uint,
      leader: uint,
      members: fc.array(fc.record({ id: uint, url: text }), { maxLength: 9 }),
    });
    fc.assert(
      fc.property(hello, challenge, welcome, leader, (a, b, c, d) => {
        expect(roundTrip((out) => writeHello(out, a), readHello)).toEqual(a);
        expect(roundTrip((out) => writeChallenge(out, b), readChallenge)).toEqual(b);
        expect(roundTrip((out) => writeWelcome(out, c), readWelcome)).toEqual(c);
        expect(roundTrip((out) => writeLeader(out, d), readLeader)).toEqual(d);
      }),
    );
  });

  test('queries', () => {
    const consistency = fc.oneof(
      fc.constantFrom<StreamConsistency>('linearizable', 'session', 'stale'),
      fc.record({ maxLagMs: fc.double({ min: 0, noNaN: true }) }),
    );
    const query = fc.record({
      stream: fc.boolean(),
      tables: fc.boolean(),
      consistency,
      minIndex: uint,
      history: text,
      timeoutMs: uint,
      maxRows: uint,
      maxBytes: uint,
      credit: uint,
    });
    const params = fc.oneof(fc.constant(undefined), fc.array(value, { maxLength: 9 }));
    fc.assert(
      fc.property(query, text, params, (header, sql, given) => {
        function write(out: ByteWriter): void {
          writeQueryHeader(out, header);
          writeQueryStatement(out, sql, given);
        }
        expect(roundTrip(write, readQuery)).toEqual({ ...header, sql, params: given });
      }),
    );
  });

  test('a reference outside a transaction is refused', () => {
    const out = new ByteWriter();
    writeQueryHeader(out, {
      stream: false,
      tables: false,
      consistency: 'stale',
      minIndex: 0,
      history: '',
      timeoutMs: 1,
      maxRows: 0,
      maxBytes: 0,
      credit: 0,
    });
    writeQueryStatement(out, 'SELECT ?', [{ $ref: { statement: 0, column: 0 } } as never]);
    expect(() => readQuery(new ByteReader(out.view()), out.length)).toThrow('outside');
  });

  test('results and calls', () => {
    const width = fc.nat({ max: 5 });
    const result = width.chain((count) =>
      fc.record({
        columns: fc.array(fc.record({ name: text, decltype: fc.option(text) }), {
          minLength: count,
          maxLength: count,
        }),
        rows: fc.array(fc.array(value, { minLength: count, maxLength: count }), {
          maxLength: count === 0 ? 0 : 6,
        }),
        index: uint,
        lagMs: fc.option(fc.double({ min: 0, noNaN: true })),
        tables: fc.option(fc.array(text, { maxLength: 4 }), { nil: undefined }),
      }),
    );
    const call = fc.record({
      method: fc.constantFrom('status', 'admin', 'export') as fc.Arbitrary<'status'>,
      timeoutMs: uint,
      credit: uint,
      argument: text,
    });
    fc.assert(
      fc.property(result, call, (one, other) => {
        expect(roundTrip((out) => writeResult(out, one), readResult)).toEqual(one);
        const { method, timeoutMs, credit, argument } = other;
        expect(
          roundTrip((out) => writeCall(out, method, timeoutMs, credit, argument), readCall),
        ).toEqual(other);
      }),
    );
  });
});

describe('token proof', () => {
  const salt = new Uint8Array(16).fill(3);
  const token = 'correct horse battery staple';
  const verifier = createTokenVerifier(token, salt);
  const keys = deriveTokenKeys(token, salt, verifier.iterations);
  const transcript = proofTranscript(new Uint8Array([1, 2]), new Uint8Array([3]));

  test('the right token proves itself, to and by the verifier', () => {
    expect(checkTokenProof(verifier, transcript, tokenProof(keys, transcript))).toBe(true);
    expect(serverSignature(keys, transcript)).toEqual(serverSignature(verifier, transcript));
  });

  test('a wrong token, another transcript, a changed or short proof do not', () => {
    const proof = tokenProof(keys, transcript);
    const wrong = deriveTokenKeys(`${token}.`, salt, verifier.iterations);
    expect(checkTokenProof(verifier, transcript, tokenProof(wrong, transcript))).toBe(false);
    const other = proofTranscript(new Uint8Array([1]), new Uint8Array([2, 3]));
    expect(checkTokenProof(verifier, other, proof)).toBe(false);
    expect(checkTokenProof(verifier, transcript, proof.subarray(1))).toBe(false);
    expect(checkTokenProof(verifier, transcript, new Uint8Array(0))).toBe(false);
    for (let i = 0; i < proof.length; i++) {
      const changed = proof.slice();
      changed[i]! ^= 1;
      expect(checkTokenProof(verifier, transcript, changed)).toBe(false);
    }
  });

  test('what a node stores is no proof', () => {
    const thief = { ...keys, clientKey: verifier.storedKey };
    expect(checkTokenProof(verifier, transcript, tokenProof(thief, transcript))).toBe(false);
  });

  test('names that do not exist look like those that do', () => {
    const secret = new Uint8Array(32).fill(9);
    const decoy = decoyVerifier(secret, 'nobody');
    expect(decoy.salt).toHaveLength(verifier.salt.length);
    expect(decoy.iterations).toBe(verifier.iterations);
    expect(equalBytes(decoy.salt, decoyVerifier(secret, 'nobody').salt)).toBe(true);
    expect(equalBytes(decoy.salt, decoyVerifier(secret, 'somebody').salt)).toBe(false);
    expect(checkTokenProof(decoy, transcript, tokenProof(keys, transcript))).toBe(false);
  });
});
