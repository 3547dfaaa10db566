/** Versions of pages: one numbered slot each. What all page stores note of them, and where the memory store keeps them. */
import { PAGE_SIZE, type PageNumber, PageStoreFull } from '../page-store.ts';

const PAGES_PER_SLAB = 256;
const FIRST_SLOTS = 1024;

/**
 * Bookkeeping of slots, numbered from 1; slot 0 means "no version" and hashes to 0. Where the bytes are is up to the
 * kind of table; views of them are valid until its next call.
 */
export abstract class SlotTable {
  /** Epoch that wrote the slot. */
  epoch: Float64Array = new Float64Array(FIRST_SLOTS);
  /** The version of the same page before it, or 0. */
  prev: Int32Array = new Int32Array(FIRST_SLOTS);
  /** The two halves of the page's hash. */
  lo: Int32Array = new Int32Array(FIRST_SLOTS);
  hi: Int32Array = new Int32Array(FIRST_SLOTS);
  /** Slots in use. */
  used = 0;
  readonly #maxSlots: number;
  readonly #maxBytes: number;
  readonly #free: number[] = [];
  #next = 1;

  protected constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#maxSlots = Math.floor(maxBytes / PAGE_SIZE);
  }

  /** A free slot for a version of `page`, with old content. Throws `PageStoreFull`. */
  allocate(_page: PageNumber): number {
    if (this.used >= this.#maxSlots) {
      throw new PageStoreFull(
        `the page store is full: its limit is ${this.#maxBytes} bytes of pages, versions that open readers and ` +
          'checkpoints still need included; raise it, or let pages that memory has no room for go to disk',
      );
    }
    this.used++;
    const reused = this.#free.pop();
    if (reused !== undefined) return reused;
    const slot = this.#next++;
    if (slot >= this.epoch.length) this.grow(this.epoch.length * 2);
    return slot;
  }

  free(slot: number): void {
    this.used--;
    this.#free.push(slot);
  }

  /** The bytes of a slot, to be read. */
  abstract bytes(slot: number): Uint8Array;
  /** The same for who reads everything once: a cache stays as it is. */
  abstract peek(slot: number): Uint8Array;
  /** Where the slot's bytes go: all of them, before anything else is asked of the table. */
  abstract room(slot: number): Uint8Array;
  /** Makes the slot all zero. */
  abstract zero(slot: number): void;

  /** Makes room in the tables for `size` slots. */
  protected grow(size: number): void {
    const epoch = new Float64Array(size);
    epoch.set(this.epoch);
    this.epoch = epoch;
    this.prev = grown(this.prev, size);
    this.lo = grown(this.lo, size);
    this.hi = grown(this.hi, size);
  }
}

/** Slots whose bytes are all in memory, in slabs of 1 MiB. */
export class MemorySlots extends SlotTable {
  readonly #slabs: Uint8Array[] = [];
  readonly #views: (Uint8Array | undefined)[] = [undefined];

  constructor(maxBytes: number) {
    super(maxBytes);
  }

  bytes(slot: number): Uint8Array {
    return this.#views[slot] ?? this.#view(slot);
  }

  peek(slot: number): Uint8Array {
    return this.bytes(slot);
  }

  room(slot: number): Uint8Array {
    return this.#views[slot] ?? this.#view(slot);
  }

  zero(slot: number): void {
    this.bytes(slot).fill(0);
  }

  #view(slot: number): Uint8Array {
    const index = slot - 1;
    const slab = Math.floor(index / PAGES_PER_SLAB);
    const bytes = (this.#slabs[slab] ??= new Uint8Array(PAGES_PER_SLAB * PAGE_SIZE));
    const start = (index % PAGES_PER_SLAB) * PAGE_SIZE;
    const view = bytes.subarray(start, start + PAGE_SIZE);
    this.#views[slot] = view;
    return view;
  }
}

/** A copy of `old` with room for `size` words. */
export function grown(old: Int32Array, size: number): Int32Array {
  const bigger = new Int32Array(size);
  bigger.set(old);
  return bigger;
}
