/** One timer for the deadlines of all calls: calls come and go by the thousand, deadlines are seconds away. */
import type { TimerHandle } from '../../platform/contract.ts';
import type { Call } from './calls.ts';
import type { ClientRuntime } from './runtime.ts';

/** Watches the deadlines of `calls`. */
export class Deadlines {
  readonly #runtime: ClientRuntime;
  readonly #calls: ReadonlyMap<number, Call>;
  readonly #expire: (call: Call) => void;
  #timer: TimerHandle | null = null;
  #at = Number.POSITIVE_INFINITY;

  constructor(
    runtime: ClientRuntime,
    calls: ReadonlyMap<number, Call>,
    expire: (call: Call) => void,
  ) {
    this.#runtime = runtime;
    this.#calls = calls;
    this.#expire = expire;
  }

  /** A call was added. */
  watch(deadline: number): void {
    if (deadline >= this.#at) return;
    this.stop();
    this.#at = deadline;
    const wait = Math.max(deadline - this.#runtime.monotonicMs(), 0);
    this.#timer = this.#runtime.timers.after(wait, () => this.#sweep());
  }

  /** No call is left. */
  stop(): void {
    if (this.#timer !== null) this.#runtime.timers.cancel(this.#timer);
    this.#timer = null;
    this.#at = Number.POSITIVE_INFINITY;
  }

  /** The earliest deadline may belong to a call that is long over: look at all, and at the next one later. */
  #sweep(): void {
    this.#timer = null;
    this.#at = Number.POSITIVE_INFINITY;
    const now = this.#runtime.monotonicMs();
    let next = Number.POSITIVE_INFINITY;
    for (const call of [...this.#calls.values()]) {
      if (call.deadline <= now) this.#expire(call);
      else next = Math.min(next, call.deadline);
    }
    if (next < Number.POSITIVE_INFINITY) this.watch(next);
  }
}
