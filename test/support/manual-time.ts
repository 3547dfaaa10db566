/** Clock and timers that stand still until a test moves them. */
import type { Clock, TimerHandle, Timers } from '../../src/platform/contract.ts';

interface Pending {
  readonly at: number;
  readonly callback: () => void;
}

/** Time in a test's hands. */
export class ManualTime implements Clock, Timers {
  #now = 0;
  #pending: Pending[] = [];

  monotonicMs(): number {
    return this.#now;
  }

  wallMs(): number {
    return 1_700_000_000_000 + this.#now;
  }

  after(ms: number, callback: () => void): TimerHandle {
    const pending = { at: this.#now + ms, callback };
    this.#pending.push(pending);
    return pending;
  }

  cancel(timer: TimerHandle): void {
    this.#pending = this.#pending.filter((pending) => pending !== timer);
  }

  soon(callback: () => void): void {
    this.after(0, callback);
  }

  /** Moves the clock without running anything, as a call that blocks does. */
  pass(ms: number): void {
    this.#now += ms;
  }

  /** Moves the clock by `ms` and runs what is due by then, in order. */
  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const due = this.#pending.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.cancel(due);
      this.#now = Math.max(this.#now, due.at);
      due.callback();
    }
    this.#now = until;
  }
}
