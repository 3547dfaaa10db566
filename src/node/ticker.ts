/**
 * Ticks from the monotonic clock. After a gap (a stopped process, a frozen tab) at most one election timeout's worth is
 * delivered, and inbound messages come first (rule T1).
 */
import type { Platform, TimerHandle } from '../platform/contract.ts';
import type { Timing } from './timing.ts';

/** A gap of so many ticks lets everything that already arrived be read first. */
const GAP_TICKS = 4;

/** Gives out the core's ticks. */
export class Ticker {
  readonly #platform: Platform;
  readonly #timing: Timing;
  readonly #onTicks: (count: number) => void;
  #timer: TimerHandle | null = null;
  /** Ticks lie on a grid from a random origin, so that nodes do not tick in step (rule E5). */
  #origin: number;
  #delivered = 0;

  constructor(platform: Platform, timing: Timing, phase: number, onTicks: (count: number) => void) {
    this.#platform = platform;
    this.#timing = timing;
    this.#onTicks = onTicks;
    this.#origin = platform.clock.monotonicMs() - phase * timing.tickMs;
  }

  start(): void {
    this.#delivered = this.#due();
    this.#schedule();
  }

  stop(): void {
    if (this.#timer !== null) this.#platform.timers.cancel(this.#timer);
    this.#timer = null;
  }

  #due(): number {
    const passed = this.#platform.clock.monotonicMs() - this.#origin;
    return Math.floor(passed / this.#timing.tickMs);
  }

  #schedule(): void {
    const next = this.#origin + (this.#delivered + 1) * this.#timing.tickMs;
    const wait = Math.max(0, next - this.#platform.clock.monotonicMs());
    this.#timer = this.#platform.timers.after(wait, () => this.#fire());
  }

  #fire(): void {
    const count = this.#due() - this.#delivered;
    this.#delivered += count;
    this.#schedule();
    if (count <= 0) return;
    const ticks = Math.min(count, this.#timing.electionTicks);
    if (count < GAP_TICKS) this.#onTicks(ticks);
    else this.#platform.timers.soon(() => this.#platform.timers.soon(() => this.#onTicks(ticks)));
  }
}
