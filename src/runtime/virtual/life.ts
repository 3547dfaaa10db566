/** One life of a process: from a start to the next death. Everything that a runtime hands out belongs to a life. */
import type { Scheduler, WorldEvent } from './scheduler.ts';

/** Order in which an event loop that was stopped catches up: due timers, then I/O, then `soon`. */
const CATCH_UP: readonly WorldEvent['kind'][] = ['timer', 'io', 'message', 'soon'];

/** A life. */
export class Life {
  readonly name: string;
  /** Number of the process. */
  readonly number: number;
  /** When it began, true microseconds. */
  readonly bornAt: number;
  alive = true;
  readonly #scheduler: Scheduler;
  readonly #held: WorldEvent[] = [];
  /** Until when its one thread is busy with what it did last, true microseconds. */
  #busyUntil = 0;
  #paused = false;

  constructor(scheduler: Scheduler, name: string, number: number) {
    this.#scheduler = scheduler;
    this.name = name;
    this.number = number;
    this.bornAt = scheduler.now;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** The moment at which the process's own code is, true microseconds: ahead of the world while it is busy. */
  get now(): number {
    return Math.max(this.#scheduler.now, this.#busyUntil);
  }

  /** Its thread does nothing else for so long. */
  busy(micros: number): void {
    this.#busyUntil = this.now + micros;
  }

  /** Arranges that something happens to this life; never after its death. */
  at(
    time: number,
    kind: WorldEvent['kind'],
    run: () => void,
    bytes: Uint8Array | null = null,
  ): WorldEvent {
    return this.#scheduler.schedule(time, kind, this, run, bytes);
  }

  /** Whether an event can happen to this life now; if not, it was dropped or put off. */
  takes(event: WorldEvent): boolean {
    if (!this.alive) return false;
    if (this.#paused) {
      this.#held.push(event);
      return false;
    }
    if (this.#busyUntil > this.#scheduler.now) {
      this.#scheduler.putOff(event, this.#busyUntil);
      return false;
    }
    return true;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    const held = this.#held.splice(0);
    for (const kind of CATCH_UP) {
      for (const event of held) {
        if (event.kind === kind) this.#scheduler.putOff(event, this.#scheduler.now);
      }
    }
  }

  end(): void {
    this.alive = false;
    this.#held.length = 0;
  }
}
