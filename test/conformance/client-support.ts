/** Helpers of the client suite. */
import { expect } from 'vitest';
import { type ErrorCode, QuorliteError } from '../../src/wire/error.ts';

/** The error with which a promise fails. */
export async function failure(promise: Promise<unknown>): Promise<QuorliteError> {
  const error = await promise.then(
    (value) => {
      throw new Error(`it succeeded with ${JSON.stringify(value)}`);
    },
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(QuorliteError);
  return error as QuorliteError;
}

/** Expects a failure with a code, and that nothing was applied. */
export async function expectCode(
  promise: Promise<unknown>,
  code: ErrorCode,
): Promise<QuorliteError> {
  const error = await failure(promise);
  expect(error.code, error.message).toBe(code);
  expect(error.outcome).toBe('not-applied');
  return error;
}

/** Everything that an iterable gives. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Bytes of several chunks, joined. */
export function join(chunks: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  return joined;
}
