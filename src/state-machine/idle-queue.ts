/**
 * What was last used when, in replicated milliseconds: a binary heap whose recorded times may be too early. An owner
 * that uses something again tells nobody; the heap asks for the true time when the recorded one has come to its top. So
 * using costs nothing, and an entry moves once per lifetime.
 *
 * A true time is never before the recorded one. Therefore the top, once corrected, is the true minimum, and what
 * expires does not depend on the heap's history: a replica restored from a checkpoint expires the same.
 */

interface Entry {
  readonly key: number;
  at: number;
}

/** Entries of things that are gone are swept when they are this many and more than half. */
const SWEEP_AT = 1024;

/** Keys ordered by when they were last used. */
export class IdleQueue {
  #heap: Entry[] = [];
  #gone = 0;
  readonly #lastUsed: (key: number) => number;

  /** `lastUsed` gives the true time of a key, or `-Infinity` when it is gone. */
  constructor(lastUsed: (key: number) => number) {
    this.#lastUsed = lastUsed;
  }

  /** Entries, those of gone keys included. */
  get size(): number {
    return this.#heap.length;
  }

  /** Adds a key that was used `at` and is not in the queue. */
  add(key: number, at: number): void {
    this.#heap.push({ key, at });
    this.#up(this.#heap.length - 1);
  }

  /** Tells that a key is gone. */
  removed(): void {
    this.#gone++;
    if (this.#gone < SWEEP_AT || this.#gone * 2 < this.#heap.length) return;
    this.#gone = 0;
    const kept = this.#heap.filter(({ key }) => this.#lastUsed(key) !== -Infinity);
    this.#heap = kept.sort((a, b) => (before(a, b) ? -1 : 1));
  }

  /** When the longest idle key was last used; Infinity when there is none. */
  oldest(): number {
    return this.#settle()?.at ?? Infinity;
  }

  /** Takes out the longest idle key if it was last used at `limit` or before; undefined when there is none. */
  takeIdle(limit: number): number | undefined {
    const top = this.#settle();
    if (top === undefined || top.at > limit) return undefined;
    this.#pop();
    return top.key;
  }

  /** Corrects the top until its recorded time is its true one. */
  #settle(): Entry | undefined {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined) return undefined;
      const at = this.#lastUsed(top.key);
      if (at === top.at) return top;
      if (at === -Infinity) {
        this.#pop();
        this.#gone = Math.max(0, this.#gone - 1);
      } else {
        top.at = at;
        this.#down(0);
      }
    }
  }

  #pop(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#down(0);
  }

  #up(at: number): void {
    const heap = this.#heap;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(heap[at]!, heap[parent]!)) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #down(at: number): void {
    const heap = this.#heap;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && before(heap[child]!, heap[least]!)) least = child;
      }
      if (least === at) return;
      this.#swap(at, least);
      at = least;
    }
  }

  #swap(a: number, b: number): void {
    const heap = this.#heap;
    const entry = heap[a]!;
    heap[a] = heap[b]!;
    heap[b] = entry;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.key < b.key);
}
