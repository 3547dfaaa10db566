/** Clock, timers and entropy of one life of a process. */
import type { Clock, Entropy, Platform, TimerHandle, Timers } from '../../platform/contract.ts';
import type { VirtualClock } from './contract.ts';
import type { Life } from './life.ts';
import type { Random } from './random.ts';
import type { WorldEvent } from './scheduler.ts';

const MILLION = 1_000_000;

/** A process's clock: drifts and jumps, and goes on while the process is dead. */
export class DriftingClock implements VirtualClock {
  readonly #trueNow: () => number;
  #ppm: number;
  #wall: number;
  /** Where the drift was changed last: true and own microseconds. */
  #turnedAt = 0;
  #ownThen = 0;

  constructor(trueNow: () => number, wallMs: number, driftPpm: number) {
    this.#trueNow = trueNow;
    this.#wall = wallMs * 1000;
    this.#ppm = driftPpm;
  }

  setDrift(ppm: number): void {
    const now = this.#trueNow();
    this.#ownThen = this.own(now);
    this.#turnedAt = now;
    this.#ppm = ppm;
  }

  jumpWall(ms: number): void {
    this.#wall += ms * 1000;
  }

  /** What this clock counts at a true moment, microseconds. */
  own(trueMicros: number): number {
    const passed = trueMicros - this.#turnedAt;
    return this.#ownThen + passed + Math.floor((passed * this.#ppm) / MILLION);
  }

  /** True microseconds in which this clock counts at least so many milliseconds. */
  trueMicros(ownMs: number): number {
    return Math.ceil((ownMs * 1000 * MILLION) / (MILLION + this.#ppm));
  }

  wallMs(trueMicros: number): number {
    return Math.floor((this.#wall + this.own(trueMicros)) / 1000);
  }
}

/** The platform of a life. `osBootId` names the boot of its machine. */
export function createVirtualPlatform(
  life: Life,
  drifting: DriftingClock,
  random: Random,
  osBootId: string,
): Platform {
  const bornAt = drifting.own(life.bornAt);
  const clock: Clock = {
    monotonicMs: () => (drifting.own(life.now) - bornAt) / 1000,
    wallMs: () => drifting.wallMs(life.now),
  };
  const timers: Timers = {
    after(ms, callback) {
      // A microsecond at least, so that time passes whatever a process does.
      const micros = Math.max(1, drifting.trueMicros(ms));
      return life.at(life.now + micros, 'timer', callback);
    },
    cancel(timer: TimerHandle) {
      (timer as WorldEvent).cancelled = true;
    },
    soon(callback) {
      life.at(life.now + 1, 'soon', callback);
    },
  };
  const entropy: Entropy = { fill: (out) => random.fill(out) };
  return { runtime: 'virtual', clock, timers, entropy, osBootId };
}
