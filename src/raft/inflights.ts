/** The window of appends sent and not yet acknowledged, bounded in messages and in bytes (rule R7). */
import { assert } from '../wire/assert.ts';
import type { LogIndex } from '../wire/entry.ts';

/** A ring of (last index, bytes) in ascending order of index. */
export class Inflights {
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  readonly #lasts: number[] = [];
  readonly #sizes: number[] = [];
  #start = 0;
  #count = 0;
  #bytes = 0;

  constructor(maxMessages: number, maxBytes: number) {
    assert(maxMessages > 0 && maxBytes > 0, 'a window has room');
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** No further append may be sent. One message may exceed the bytes, so that none is too big to be sent at all. */
  get full(): boolean {
    return this.#count >= this.#maxMessages || this.#bytes >= this.#maxBytes;
  }

  /** An append was sent whose last entry is `last`. */
  add(last: LogIndex, bytes: number): void {
    assert(!this.full, 'an append was sent beyond the window');
    const slot = (this.#start + this.#count) % this.#maxMessages;
    this.#lasts[slot] = last;
    this.#sizes[slot] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  /** Everything up to `index` arrived. */
  freeTo(index: LogIndex): void {
    while (this.#count > 0 && this.#lasts[this.#start]! <= index) {
      this.#bytes -= this.#sizes[this.#start]!;
      this.#start = (this.#start + 1) % this.#maxMessages;
      this.#count--;
    }
  }

  /** Forgets all. */
  clear(): void {
    this.#start = 0;
    this.#count = 0;
    this.#bytes = 0;
  }
}
