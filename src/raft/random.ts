/** The core's own generator: small, seeded, the same on every runtime. Draws election timeouts and boot nonces. */

/** Numbers from one seed: xorshift32 (Marsaglia 2003), its state spread from the seed by the finalizer of MurmurHash3. */
export class Random {
  #state: number;

  constructor(seed: number) {
    let mixed = (seed ^ Math.imul(seed / 4294967296, 0x9e3779b1)) | 0;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    mixed ^= mixed >>> 16;
    this.#state = mixed === 0 ? 0x6d2b79f5 : mixed;
  }

  /** An integer from 1 to 2^32 − 1. */
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }

  /** An integer from 0 to `bound` − 1; `bound` is small, so the bias of the remainder does not matter. */
  below(bound: number): number {
    return this.next() % bound;
  }
}
