/**
 * The only source of chance in a virtual world: sfc32 (C. Doty-Humphrey, PractRand), integer operations only, so that a
 * seed gives the same run on every runtime. Streams are split by name: a draw more in one place shifts no other.
 */
import { assert } from '../../wire/assert.ts';

const TWO_32 = 4294967296;

/** A stream of random numbers. */
export interface Random {
  /** 32 random bits. */
  u32(): number;
  /** An integer from 0 to `limit` − 1; `limit` at most 2^32. */
  below(limit: number): number;
  /** An integer from `min` to `max`, both included. */
  between(min: number, max: number): number;
  /** True with this probability, from 0 to 1. */
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  /** The items in a random order; a new array. */
  shuffle<T>(items: readonly T[]): T[];
  fill(out: Uint8Array): void;
  /** Another stream; depends on this one's origin and the name only, not on what was drawn before. */
  split(name: string): Random;
}

/** The stream of a seed. */
export function createRandom(seed: number | string): Random {
  return new Sfc32(String(seed));
}

class Sfc32 implements Random {
  readonly #origin: string;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(origin: string) {
    this.#origin = origin;
    this.#a = hash(origin, 0x9e3779b9);
    this.#b = hash(origin, 0x85ebca6b);
    this.#c = hash(origin, 0xc2b2ae35);
    for (let i = 0; i < 12; i++) this.u32();
  }

  u32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return sum >>> 0;
  }

  below(limit: number): number {
    assert(limit >= 1 && limit <= TWO_32, () => `a random number below ${limit}`);
    // Rejection: the remainder alone would favour small numbers.
    const fair = TWO_32 - (TWO_32 % limit);
    let bits = this.u32();
    while (bits >= fair) bits = this.u32();
    return bits % limit;
  }

  between(min: number, max: number): number {
    return min + this.below(max - min + 1);
  }

  chance(probability: number): boolean {
    return probability > 0 && this.u32() < probability * TWO_32;
  }

  pick<T>(items: readonly T[]): T {
    assert(items.length > 0, 'nothing to pick from');
    return items[this.below(items.length)]!;
  }

  shuffle<T>(items: readonly T[]): T[] {
    const out = [...items];
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [out[i], out[j]] = [out[j]!, out[i]!];
    }
    return out;
  }

  fill(out: Uint8Array): void {
    for (let i = 0; i < out.length; ) {
      let bits = this.u32();
      for (let k = 0; k < 4 && i < out.length; k++) {
        out[i++] = bits & 255;
        bits >>>= 8;
      }
    }
  }

  split(name: string): Random {
    return new Sfc32(`${this.#origin}/${name}`);
  }
}

/** A 32-bit hash of a text: MurmurHash3's mixing of one UTF-16 unit at a time, with its finalizer. */
function hash(text: string, seed: number): number {
  let h = seed | 0;
  for (let i = 0; i < text.length; i++) {
    h = Math.imul(h ^ text.charCodeAt(i), 0xcc9e2d51);
    h = (h << 15) | (h >>> 17);
    h = (Math.imul(h, 5) + 0x52dce729) | 0;
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) | 0;
}
