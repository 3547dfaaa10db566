/** Whoever waits until an index is applied here: reads, and answers to forwarded writes. */
import type { LogIndex } from '../wire/entry.ts';

interface Waiter {
  readonly index: LogIndex;
  readonly run: () => void;
}

/** Callbacks ordered by the index they wait for; callers of equal index run in the order they came. */
export class ApplyWaiters {
  /** Ascending by index. Most waiters arrive in order, so insertion is usually a push. */
  #waiters: Waiter[] = [];
  #applied: LogIndex;

  constructor(applied: LogIndex) {
    this.#applied = applied;
  }

  get length(): number {
    return this.#waiters.length;
  }

  /** Calls `run` at once when `index` is applied already, else when it is. Returns a function that withdraws it. */
  wait(index: LogIndex, run: () => void): () => void {
    if (index <= this.#applied) {
      run();
      return () => {};
    }
    const waiter: Waiter = { index, run };
    let at = this.#waiters.length;
    while (at > 0 && this.#waiters[at - 1]!.index > index) at--;
    this.#waiters.splice(at, 0, waiter);
    return () => {
      const found = this.#waiters.indexOf(waiter);
      if (found >= 0) this.#waiters.splice(found, 1);
    };
  }

  /** Tells that everything up to `index` is applied. */
  advance(index: LogIndex): void {
    this.#applied = index;
    let due = 0;
    while (due < this.#waiters.length && this.#waiters[due]!.index <= index) due++;
    if (due === 0) return;
    for (const waiter of this.#waiters.splice(0, due)) waiter.run();
  }
}
