/** Reads that a follower has asked its leader about (rule L7). */

interface Batch {
  readonly sequence: number;
  readonly contexts: number[];
  age: number;
}

/**
 * Contexts in batches: those that arrive between two rounds of effects share one question. Sequences start at a
 * number drawn per boot, so that an answer to an earlier boot of this replica answers nothing.
 */
export class ForwardedReads {
  #sequence: number;
  #open: number[] = [];
  #asked: Batch[] = [];
  #size = 0;

  constructor(firstSequence: number) {
    this.#sequence = firstSequence;
  }

  get size(): number {
    return this.#size;
  }

  /** Whether a question is due. */
  get due(): boolean {
    return this.#open.length > 0;
  }

  add(context: number): void {
    this.#open.push(context);
    this.#size++;
  }

  /** Begins a question for all contexts that have none; returns its sequence. */
  ask(): number {
    const sequence = ++this.#sequence;
    this.#asked.push({ sequence, contexts: this.#open, age: 0 });
    this.#open = [];
    return sequence;
  }

  /** The leader answered `sequence`: takes its contexts. Unknown sequences answer nothing. */
  answer(sequence: number): number[] {
    const at = this.#asked.findIndex((batch) => batch.sequence === sequence);
    if (at < 0) return [];
    const [batch] = this.#asked.splice(at, 1);
    this.#size -= batch!.contexts.length;
    return batch!.contexts;
  }

  /** One tick passed: takes the contexts of questions older than `maxAge` ticks (question or answer was lost). */
  tick(maxAge: number): number[] {
    let expired = 0;
    for (const batch of this.#asked) {
      if (++batch.age > maxAge) expired++;
    }
    const contexts = this.#asked.splice(0, expired).flatMap((batch) => batch.contexts);
    this.#size -= contexts.length;
    return contexts;
  }

  /** Takes everything: the leader or the term changed. */
  drain(): number[] {
    const contexts = this.#asked.flatMap((batch) => batch.contexts).concat(this.#open);
    this.#asked = [];
    this.#open = [];
    this.#size = 0;
    return contexts;
  }
}
