/** Who calls: bearer tokens. Other kinds of token join behind the same contract. */
import { sha256 } from '@noble/hashes/sha2.js';
import { QuorliteError } from '../wire/error.ts';

/** A caller that was let in. */
export interface Identity {
  /** Name of the token: scope of idempotency keys, and what logs show. */
  readonly name: string;
}

/** Decides who a caller is. */
export interface Authenticator {
  /** False when everybody is let in (loopback without secrets). */
  readonly required: boolean;
  /** Who presents this `Authorization` header; throws `UNAUTHENTICATED`, or `RATE_LIMITED` when that happens too often. */
  authenticate(authorization: string | null): Identity;
}

/** Lets everybody in: a node on loopback without secrets. */
export const openAuth: Authenticator = {
  required: false,
  authenticate: () => ({ name: 'local' }),
};

/** Failures answered at once, and how fast that allowance comes back. */
const FAILURE_BURST = 50;
const FAILURES_PER_SECOND = 5;

/**
 * Lets in who knows `secret`. Failures beyond a rate are answered `RATE_LIMITED`, without a line in the log each; the
 * right token always passes, since locking out whoever shares an address with an attacker would be the worse harm (a
 * secret of 16 characters cannot be found by trying).
 *
 * @example
 * const auth = createSecretAuth({ secret, monotonicMs: () => performance.now() });
 */
export function createSecretAuth(options: {
  readonly secret: string;
  monotonicMs(): number;
  /** Told of failures, at most at the rate above. */
  failed?(): void;
}): Authenticator {
  const expected = digest(options.secret);
  const identity: Identity = { name: 'api' };
  let allowance = FAILURE_BURST;
  let countedAt = options.monotonicMs();

  function fail(message: string): never {
    const now = options.monotonicMs();
    const earned = ((now - countedAt) / 1000) * FAILURES_PER_SECOND;
    allowance = Math.min(FAILURE_BURST, allowance + earned);
    countedAt = now;
    if (allowance < 1)
      throw new QuorliteError('RATE_LIMITED', 'too many attempts with a bad token');
    allowance--;
    options.failed?.();
    throw new QuorliteError('UNAUTHENTICATED', message);
  }

  return {
    required: true,
    authenticate(authorization) {
      if (authorization === null || authorization === '') {
        fail('a token is needed: Authorization: Bearer TOKEN');
      }
      const token = bearerToken(authorization);
      if (token === null) fail('the Authorization header must be: Bearer TOKEN');
      if (!equalDigests(digest(token), expected)) fail('the token is not valid');
      return identity;
    },
  };
}

/** The token of `Bearer TOKEN`, null for another scheme or none. The scheme is case-insensitive (RFC 9110). */
function bearerToken(header: string): string | null {
  const scheme = header.slice(0, 7);
  if (scheme !== 'Bearer ' && scheme.toLowerCase() !== 'bearer ') return null;
  const token = header.slice(7).trim();
  return token === '' ? null : token;
}

const encoder = new TextEncoder();

/** Digests have one length whatever the token's, so that comparing them tells nothing about it. */
function digest(token: string): Uint8Array {
  return sha256(encoder.encode(token));
}

/** Compares in constant time. */
function equalDigests(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}
