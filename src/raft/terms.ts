/** Terms of the log as runs: neighbours of one term share one pair (first index, term). */
import { assert } from '../wire/assert.ts';
import type { LogIndex, Term } from '../wire/entry.ts';

/**
 * The term of every index from a base on. The base stands for the entry just before the first one kept, so that the
 * entry before the log has a term too. Terms never decrease along the log, so a lookup is a search over few runs.
 */
export class TermRuns {
  #starts: LogIndex[];
  #terms: Term[];
  #last: LogIndex;

  constructor(base: LogIndex, term: Term) {
    this.#starts = [base];
    this.#terms = [term];
    this.#last = base;
  }

  get last(): LogIndex {
    return this.#last;
  }

  get base(): LogIndex {
    return this.#starts[0]!;
  }

  /** Adds the entry behind the last one. */
  push(term: Term): void {
    const newest = this.#terms[this.#terms.length - 1]!;
    assert(term >= newest, () => `term ${term} follows term ${newest} in the log`);
    this.#last++;
    if (term === newest) return;
    this.#starts.push(this.#last);
    this.#terms.push(term);
  }

  /** Forgets everything behind `last`. */
  truncate(last: LogIndex): void {
    assert(last >= this.base, 'the base of the log cannot be truncated');
    while (this.#starts[this.#starts.length - 1]! > last) {
      this.#starts.pop();
      this.#terms.pop();
    }
    this.#last = last;
  }

  /** Makes `base` the first index known. */
  compact(base: LogIndex): void {
    const run = this.#find(base);
    this.#starts.splice(0, run);
    this.#terms.splice(0, run);
    this.#starts[0] = base;
  }

  /** The term of the entry at `index`, null outside [base, last]. */
  at(index: LogIndex): Term | null {
    if (index > this.#last || index < this.base) return null;
    return this.#terms[this.#find(index)]!;
  }

  /**
   * The largest index at or before `index` whose term is at most `term`, and its term; (0, 0) when there is none.
   * Used on both sides of a rejected append, so that a divergent tail costs one probe per term (rule R5).
   */
  lastAtOrBelow(index: LogIndex, term: Term): { index: LogIndex; term: Term } {
    let end = Math.min(index, this.#last);
    if (end < this.base) return { index: 0, term: 0 };
    for (let run = this.#find(end); run >= 0; run--) {
      if (this.#terms[run]! <= term) return { index: end, term: this.#terms[run]! };
      end = this.#starts[run]! - 1;
    }
    return { index: 0, term: 0 };
  }

  #find(index: LogIndex): number {
    const starts = this.#starts;
    let high = starts.length - 1;
    if (index >= starts[high]!) return high;
    let low = 0;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
