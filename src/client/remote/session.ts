/** Sequences of one session: which are unanswered, and how far the server may forget results. */

/** A session that was opened through the log. */
export class WriteSession {
  readonly id: number;
  readonly #window: number;
  /** Answered sequences above the floor, by sequence modulo the window. */
  readonly #answered: Uint8Array;
  #next = 1;
  #floor = 1;

  /** `window`: sequences that may lie between the oldest unanswered and the newest one. */
  constructor(id: number, window: number) {
    this.id = id;
    this.#window = window;
    this.#answered = new Uint8Array(window);
  }

  /** Whether another write may be sent. */
  get hasRoom(): boolean {
    return this.#next - this.#floor < this.#window;
  }

  /** Every sequence below is answered or given up. */
  get acknowledged(): number {
    return this.#floor;
  }

  /** The next sequence. */
  take(): number {
    return this.#next++;
  }

  /** The answer of `sequence` is here, or nobody waits for it any more. */
  answered(sequence: number): void {
    const { length } = this.#answered;
    if (sequence < this.#floor || sequence >= this.#next) return;
    this.#answered[sequence % length] = 1;
    while (this.#floor < this.#next && this.#answered[this.#floor % length] === 1) {
      this.#answered[this.#floor % length] = 0;
      this.#floor++;
    }
  }
}
