/** One client's session: the outcomes of its unacknowledged commands in a ring, found by sequence in O(1). */
import { ByteReader, ByteWriter } from '../../wire/bytes.ts';
import { QuorliteError } from '../../wire/error.ts';
import { type CommandOutcome, readOutcome, writeOutcome } from '../../wire/result.ts';

/** Version of the encoding. */
const SESSION_VERSION = 1;
const FIRST_CAPACITY = 16;

/** What a ring slot holds: an outcome, the ordinal of the command of the open entry that will give it, or nothing. */
export type Slot = CommandOutcome | number | undefined;

/** Sequences from `base` to `base + window − 1` have a slot; those below are acknowledged. */
export class Session {
  readonly id: number;
  /** The first sequence that is not acknowledged. */
  base = 1;
  /** When it was last used, replicated milliseconds. */
  used: number;
  /** False once closed or expired. */
  open = true;
  /** Which stretch between two cuts this object belongs to: an older one is frozen in a checkpoint. */
  readonly generation: number;
  /** Power-of-two length; the slot of a sequence is `sequence & (length − 1)`. */
  #ring: Slot[] = [];

  constructor(id: number, used: number, generation: number) {
    this.id = id;
    this.used = used;
    this.generation = generation;
  }

  /** A copy to change while this one stays as a checkpoint has it. Outcomes never change and are shared. */
  clone(generation: number): Session {
    const copy = new Session(this.id, this.used, generation);
    copy.base = this.base;
    copy.#ring = this.#ring.slice();
    return copy;
  }

  /** What is known of `sequence`, which must lie in the window. */
  at(sequence: number): Slot {
    const ring = this.#ring;
    if (sequence - this.base >= ring.length) return undefined;
    return ring[slotOf(sequence, ring.length)];
  }

  /** Sets the slot of a sequence in the window. */
  set(sequence: number, slot: Slot): void {
    if (sequence - this.base >= this.#ring.length) this.#grow(sequence - this.base + 1);
    this.#ring[slotOf(sequence, this.#ring.length)] = slot;
  }

  /** The client has every answer below `acknowledged`; `drop` is called for each outcome that goes. */
  acknowledge(acknowledged: number, drop: { drop(outcome: CommandOutcome): void }): void {
    const ring = this.#ring;
    const end = Math.min(acknowledged, this.base + ring.length);
    for (let sequence = this.base; sequence < end; sequence++) {
      const at = slotOf(sequence, ring.length);
      const slot = ring[at];
      if (typeof slot === 'object') drop.drop(slot);
      ring[at] = undefined;
    }
    this.base = acknowledged;
  }

  /** Calls `visit` with each kept outcome, ascending by sequence. */
  forEach(visit: (sequence: number, outcome: CommandOutcome) => void): void {
    for (let sequence = this.base; sequence < this.base + this.#ring.length; sequence++) {
      const slot = this.at(sequence);
      if (typeof slot === 'object') visit(sequence, slot);
    }
  }

  #grow(needed: number): void {
    const old = this.#ring;
    let capacity = Math.max(FIRST_CAPACITY, old.length);
    while (capacity < needed) capacity *= 2;
    const ring = new Array<Slot>(capacity).fill(undefined);
    for (let sequence = this.base; sequence < this.base + old.length; sequence++) {
      ring[slotOf(sequence, capacity)] = old[slotOf(sequence, old.length)];
    }
    this.#ring = ring;
  }

  /** Bytes for a checkpoint. */
  encode(): Uint8Array {
    const out = new ByteWriter(64);
    out.u8(SESSION_VERSION);
    out.uint(this.base);
    out.f64(this.used);
    this.forEach((sequence, outcome) => {
      out.uint(sequence - this.base + 1);
      writeOutcome(out, outcome);
    });
    out.uint(0);
    return out.take();
  }

  /** The opposite of `encode`. Throws `CORRUPT`. */
  static decode(id: number, bytes: Uint8Array, generation: number): Session {
    const input = new ByteReader(bytes);
    const version = input.u8();
    if (version !== SESSION_VERSION) {
      throw new QuorliteError('CORRUPT', `a session has the unknown format version ${version}`);
    }
    const base = input.uint();
    const session = new Session(id, input.f64(), generation);
    session.base = base;
    for (let step = input.uint(); step !== 0; step = input.uint()) {
      session.set(base + step - 1, readOutcome(input));
    }
    input.finish();
    return session;
  }
}

/** `sequence % length` for a power of two, also beyond 32 bits. */
function slotOf(sequence: number, length: number): number {
  return (sequence >>> 0) & (length - 1);
}
