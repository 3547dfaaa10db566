/** Writes of the API: operations, made exactly-once by an `Idempotency-Key` where the caller sends one. */
import { sha256 } from '@noble/hashes/sha2.js';
import type { WriteRequest } from '../node/contract.ts';
import { ByteWriter } from '../wire/bytes.ts';
import { KEY_HASH_BYTES } from '../wire/command.ts';
import { QuorliteError } from '../wire/error.ts';
import { type Operation, writeOperation } from '../wire/operation.ts';
import type { OperationResult } from '../wire/result.ts';
import { untilDone } from './answer.ts';
import type { Call } from './context.ts';

/** Longest idempotency key, characters. */
export const MAX_KEY_LENGTH = 255;

/** What a write answered. */
export interface Written<T extends OperationResult['type']> {
  readonly index: number;
  readonly result: OperationResult & { readonly type: T };
}

/** Runs an operation; `type` is the result that it has. Throws what the node answers. */
export async function write<T extends OperationResult['type']>(
  call: Call<unknown>,
  operation: Operation,
  timeoutMs: number,
  type: T,
): Promise<Written<T>> {
  const request = toRequest(call, operation, timeoutMs);
  const { index, result } = await untilDone<{ index: number; result: OperationResult }>(
    call,
    (resolve, reject) => {
      call.outcome = 'unknown';
      return call.api.service.write(request, (outcome) => {
        call.outcome = outcome.ok ? 'applied' : outcome.error.outcome;
        if (outcome.ok) resolve(outcome);
        else reject(outcome.error);
      });
    },
  );
  if (result.type !== type) {
    throw new QuorliteError('CORRUPT', `the node answered ${result.type} to ${operation.op}`, {
      outcome: 'applied',
    });
  }
  return { index, result: result as OperationResult & { readonly type: T } };
}

/** Throws `BAD_REQUEST` for a key that is none, and for values that SQL cannot hold. */
function toRequest(call: Call<unknown>, operation: Operation, timeoutMs: number): WriteRequest {
  const key = call.request.headers.get('idempotency-key');
  if (key === null) return { operation: (out) => writeOperation(out, operation), timeoutMs };
  if (key === '' || key.length > MAX_KEY_LENGTH || !/^[\x20-\x7e]+$/.test(key)) {
    const rule = `1 to ${MAX_KEY_LENGTH} printable ASCII characters`;
    throw new QuorliteError('BAD_REQUEST', `the Idempotency-Key must have ${rule}`);
  }
  const out = new ByteWriter(256);
  writeOperation(out, operation);
  const bytes = out.view();
  const hash = sha256(bytes).slice(0, KEY_HASH_BYTES);
  return { operation: bytes, key: { scope: call.identity.name, key, hash }, timeoutMs };
}
