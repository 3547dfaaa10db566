/** Randomness of the system, by the Web Cryptography interface that all runtimes have. */
import type { Entropy } from '../platform/contract.ts';

/** Most bytes that `getRandomValues` gives in one call. */
const RANDOM_BYTES_MAX = 65_536;
/** Small requests are served from a pool: one call of the system for many. Bytes are used once and then wiped. */
const POOL_BYTES = 8192;

/** Entropy of the system. */
export function createSystemEntropy(): Entropy {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;
  return {
    fill(out) {
      if (out.length > POOL_BYTES / 16) {
        fillFromSystem(out);
        return;
      }
      if (used + out.length > POOL_BYTES) {
        fillFromSystem(pool);
        used = 0;
      }
      const bytes = pool.subarray(used, used + out.length);
      out.set(bytes);
      bytes.fill(0);
      used += out.length;
    },
  };
}

function fillFromSystem(out: Uint8Array): void {
  for (let at = 0; at < out.length; at += RANDOM_BYTES_MAX) {
    // The cast: a Uint8Array over shared memory is refused by the types, and by the call.
    crypto.getRandomValues(out.subarray(at, at + RANDOM_BYTES_MAX) as Uint8Array<ArrayBuffer>);
  }
}
