/** The versions of pages in memory: one slot each, in slabs of 1 MiB. */
import { PAGE_SIZE, PageStoreFull } from '../page-store.ts';

const PAGES_PER_SLAB = 256;

/** Storage and bookkeeping of slots, numbered from 1; slot 0 means "no version" and hashes to 0. */
export class SlotTable {
  /** Epoch that wrote the slot. */
  epoch: Float64Array = new Float64Array(1024);
  /** The version of the same page before it, or 0. */
  prev: Int32Array = new Int32Array(1024);
  /** The two halves of the page's hash. */
  lo: Int32Array = new Int32Array(1024);
  hi: Int32Array = new Int32Array(1024);
  /** Slots in use. */
  used = 0;
  readonly #maxSlots: number;
  readonly #maxBytes: number;
  readonly #slabs: Uint8Array[] = [];
  readonly #views: (Uint8Array | undefined)[] = [undefined];
  readonly #free: number[] = [];
  #next = 1;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#maxSlots = Math.floor(maxBytes / PAGE_SIZE);
  }

  /** A free slot, with old content. Throws `PageStoreFull`. */
  allocate(): number {
    if (this.used >= this.#maxSlots) {
      throw new PageStoreFull(
        `the page store is full: its limit is ${this.#maxBytes} bytes of pages, versions that open readers and ` +
          'checkpoints still need included',
      );
    }
    this.used++;
    const reused = this.#free.pop();
    if (reused !== undefined) return reused;
    const slot = this.#next++;
    if (slot >= this.epoch.length) this.#growTables();
    return slot;
  }

  free(slot: number): void {
    this.used--;
    this.#free.push(slot);
  }

  /** The bytes of a slot, not a copy. */
  bytes(slot: number): Uint8Array {
    return this.#views[slot] ?? this.#view(slot);
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

  #growTables(): void {
    const size = this.epoch.length * 2;
    const epoch = new Float64Array(size);
    epoch.set(this.epoch);
    this.epoch = epoch;
    this.prev = grown(this.prev, size);
    this.lo = grown(this.lo, size);
    this.hi = grown(this.hi, size);
  }
}

function grown(old: Int32Array, size: number): Int32Array {
  const bigger = new Int32Array(size);
  bigger.set(old);
  return bigger;
}
