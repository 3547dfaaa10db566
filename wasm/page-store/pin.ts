/** Pins of a page store in versions. */
import { assert } from '../../src/wire/assert.ts';
import type { HashHalves, PageNumber, Pin } from '../page-store.ts';
import type { SlotTable } from './slots.ts';

/** One pinned epoch, shared by all pins of it. */
export interface PinnedEpoch {
  readonly epoch: number;
  readonly pageCount: number;
  readonly hashLo: number;
  readonly hashHi: number;
  references: number;
  /** Page and slot, page and slot … of versions that only this and older pins can still see. */
  readonly superseded: number[];
}

/** What a pin asks of its store. */
export interface PinHost {
  readonly slots: SlotTable;
  slotAt(page: PageNumber, epoch: number): number;
  release(pinned: PinnedEpoch): void;
}

/** A handle on a pinned epoch. */
export class StorePin implements Pin {
  readonly epoch: number;
  readonly pageCount: number;
  readonly #pinned: PinnedEpoch;
  readonly #host: PinHost;
  #released = false;

  constructor(pinned: PinnedEpoch, host: PinHost) {
    this.epoch = pinned.epoch;
    this.pageCount = pinned.pageCount;
    this.#pinned = pinned;
    this.#host = host;
  }

  get hash(): string {
    return hashText(this.#pinned.hashLo, this.#pinned.hashHi);
  }

  page(page: PageNumber): Uint8Array | null {
    const slot = this.#slot(page);
    return slot === 0 ? null : this.#host.slots.peek(slot);
  }

  pageHash(page: PageNumber): HashHalves {
    const slot = this.#slot(page);
    return { lo: this.#host.slots.lo[slot]!, hi: this.#host.slots.hi[slot]! };
  }

  changedSince(epoch: number): Int32Array {
    assert(!this.#released, 'a released pin was used');
    const pages = new Int32Array(this.pageCount);
    let count = 0;
    for (let page = 1; page <= this.pageCount; page++) {
      const slot = this.#host.slotAt(page, this.epoch);
      // A hole may be what is left of a page that was cut off and came back unwritten: it reads as zeros now.
      if (epoch < 1 || slot === 0 || this.#host.slots.epoch[slot]! > epoch) pages[count++] = page;
    }
    return pages.slice(0, count);
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#host.release(this.#pinned);
  }

  #slot(page: PageNumber): number {
    assert(!this.#released, 'a released pin was used');
    if (page < 1 || page > this.pageCount) return 0;
    return this.#host.slotAt(page, this.epoch);
  }
}

/** A hash as 16 hex digits, high half first. */
export function hashText(lo: number, hi: number): string {
  return (hi >>> 0).toString(16).padStart(8, '0') + (lo >>> 0).toString(16).padStart(8, '0');
}
