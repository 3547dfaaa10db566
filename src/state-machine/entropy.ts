/**
 * Randomness of an entry: a stream per command, keyed by the entry's seed and the command's ordinal, so that a command
 * draws the same bytes on every replica, however often it is run again. Computed only when SQLite asks.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { SEED_BYTES } from '../wire/command.ts';

const BLOCK_BYTES = 32;

/** SHA-256 in counter mode over (seed, ordinal, block number). */
export class CommandEntropy {
  readonly #input = new Uint8Array(SEED_BYTES + 8);
  readonly #view = new DataView(this.#input.buffer);
  #block = 0;

  /** Sets the seed of the entry that is applied from now on. */
  seed(seed: Uint8Array): void {
    this.#input.set(seed);
  }

  /** Starts the stream of command `ordinal` from its beginning. */
  start(ordinal: number): void {
    this.#view.setUint32(SEED_BYTES, ordinal, true);
    this.#block = 0;
  }

  /** Fills `out` with the next bytes of the stream. */
  fill(out: Uint8Array): void {
    for (let at = 0; at < out.length; at += BLOCK_BYTES) {
      this.#view.setUint32(SEED_BYTES + 4, this.#block++, true);
      const block = sha256(this.#input);
      out.set(out.length - at < BLOCK_BYTES ? block.subarray(0, out.length - at) : block, at);
    }
  }
}
