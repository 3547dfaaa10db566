/**
 * The two times that a leader stamps on an entry (architecture, section 4). `wall` is what SQL sees: never before the
 * previous entry's. `elapsed` counts replicated milliseconds by each leader's own monotonic clock, so that a leader whose
 * calendar is an hour ahead does not expire the world.
 */
import type { Clock } from '../platform/contract.ts';
import { ByteReader } from '../wire/bytes.ts';
import { readBatchHeader } from '../wire/command.ts';
import { type Entry, EntryKind, entryPayload } from '../wire/entry.ts';

/** A pair of replicated times. */
export interface Stamp {
  readonly wall: number;
  readonly elapsed: number;
}

/** The stamp of a `commands` entry. */
export function stampOf(entry: Entry): Stamp {
  const { wall, elapsed } = readBatchHeader(new ByteReader(entryPayload(entry)));
  return { wall, elapsed };
}

/** Gives out stamps during one leadership. */
export class Stamper {
  readonly #clock: Clock;
  #last: Stamp;
  #monotonic: number;

  /** `last`: the newest stamp in this leader's log, committed or not, else what the state machine has. */
  constructor(clock: Clock, last: Stamp) {
    this.#clock = clock;
    this.#last = last;
    this.#monotonic = clock.monotonicMs();
  }

  /** What the next entry's `elapsed` would be. */
  elapsed(): number {
    const passed = this.#clock.monotonicMs() - this.#monotonic;
    return this.#last.elapsed + Math.max(0, Math.floor(passed));
  }

  next(): Stamp {
    const now = this.#clock.monotonicMs();
    const passed = Math.max(0, Math.floor(now - this.#monotonic));
    // Fractions of a millisecond stay on the clock for the next entry.
    this.#monotonic += passed;
    this.#last = {
      wall: Math.max(this.#last.wall, Math.floor(this.#clock.wallMs())),
      elapsed: this.#last.elapsed + passed,
    };
    return this.#last;
  }
}

/** The newest stamp among `entries` (ascending), or `fallback`. */
export function lastStamp(entries: readonly Entry[], fallback: Stamp): Stamp {
  for (let i = entries.length - 1; i >= 0; i--) {
    const entry = entries[i]!;
    if (entry.kind === EntryKind.commands) return stampOf(entry);
  }
  return fallback;
}
