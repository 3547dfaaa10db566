/** Virtual time: runs events in order, each at its moment. */
import { assert } from '../../wire/assert.ts';
import type { VirtualEvent } from './contract.ts';
import { EventQueue, type QueuedEvent } from './event-queue.ts';
import type { Life } from './life.ts';
import { Trace } from './trace.ts';

/** An event of the world. */
export interface WorldEvent extends QueuedEvent {
  readonly kind: VirtualEvent['kind'];
  /** Whom it happens to; null for the world itself. */
  readonly life: Life | null;
  readonly run: () => void;
  readonly bytes: Uint8Array | null;
  cancelled: boolean;
}

/** Runs events. */
export class Scheduler {
  /** True microseconds since the world began, an integer. */
  now = 0;
  readonly trace: Trace = new Trace();
  readonly #queue = new EventQueue<WorldEvent>();
  /** What to do with an error that an event throws. */
  readonly #onError: (life: Life | null, error: unknown) => void;

  constructor(onError: (life: Life | null, error: unknown) => void) {
    this.#onError = onError;
  }

  schedule(
    time: number,
    kind: VirtualEvent['kind'],
    life: Life | null,
    run: () => void,
    bytes: Uint8Array | null = null,
  ): WorldEvent {
    assert(Number.isSafeInteger(time), () => `an event at ${time} microseconds`);
    const event = {
      time: Math.max(time, this.now),
      order: 0,
      kind,
      life,
      run,
      bytes,
      cancelled: false,
    };
    this.#queue.push(event);
    return event;
  }

  /** Puts an event that was taken from the queue back, for later. */
  putOff(event: WorldEvent, time: number): void {
    event.time = time;
    this.#queue.push(event);
  }

  /** Runs the next event that really happens, if it happens until `limit`; false when none does. */
  step(limit: number): boolean {
    for (;;) {
      const next = this.#queue.peek();
      if (next === undefined || next.time > limit) return false;
      this.#queue.pop();
      this.now = next.time;
      if (next.cancelled || (next.life !== null && !next.life.takes(next))) continue;
      this.#happen(next);
      return true;
    }
  }

  #happen(event: WorldEvent): void {
    const { life } = event;
    this.trace.add(this.now, event.kind, life?.number ?? 0, life?.name ?? '', '', event.bytes);
    try {
      event.run();
    } catch (error) {
      // A process that died in the middle of its own callback has nothing to say any more.
      if (life === null || life.alive) this.#onError(life, error);
    }
  }
}
