/**
 * Which places of a backing are taken: a bit each. The lowest free place is taken first, so that what is written together
 * lies together and the end of the backing becomes free again.
 */

const WORD_BITS = 32;
const FULL = -1;

/** Places, counted from 0. */
export class Places {
  /** Places in use. */
  taken = 0;
  /** No place from here on was ever taken since the last `trim`. */
  end = 0;
  #words = new Int32Array(64);
  /** No word before this one has a free bit. */
  #hint = 0;

  /** Takes the lowest free place. */
  take(): number {
    let word = this.#hint;
    while (word < this.#words.length && this.#words[word] === FULL) word++;
    if (word === this.#words.length) this.#grow();
    this.#hint = word;
    const free = ~this.#words[word]!;
    const bit = WORD_BITS - 1 - Math.clz32(free & -free);
    this.#words[word]! |= 1 << bit;
    this.taken++;
    const place = word * WORD_BITS + bit;
    if (place >= this.end) this.end = place + 1;
    return place;
  }

  /** Gives a place back. */
  give(place: number): void {
    const word = Math.floor(place / WORD_BITS);
    this.#words[word]! &= ~(1 << (place % WORD_BITS));
    this.taken--;
    if (word < this.#hint) this.#hint = word;
  }

  /** Moves `end` behind the last place in use; returns it. */
  trim(): number {
    if (this.taken === 0) {
      this.end = 0;
      return 0;
    }
    let word = Math.floor((this.end - 1) / WORD_BITS);
    while (this.#words[word] === 0) word--;
    this.end = word * WORD_BITS + WORD_BITS - Math.clz32(this.#words[word]!);
    return this.end;
  }

  #grow(): void {
    const words = new Int32Array(this.#words.length * 2);
    words.set(this.#words);
    this.#words = words;
  }
}
