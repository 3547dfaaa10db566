/**
 * A page store in memory. Pages live in slabs of 1 MiB; each version of a page is a slot that knows the epoch that
 * wrote it, the version before it and its hash. A write makes a new version tagged epoch + 1; a commit frees the old
 * one unless a pin needs it, an abort puts it back.
 *
 * A superseded version goes on the list of the newest pin that can see it; releasing that pin hands it to the next
 * older one or frees it. Chains are therefore at most (number of pins + 1) long.
 */
import { assert } from '../../src/wire/assert.ts';
import { QuorliteError } from '../../src/wire/error.ts';
import {
  PAGE_SIZE,
  type PageNumber,
  type PageSource,
  type PageStore,
  type Pin,
} from '../page-store.ts';
import { hashText, type PinnedEpoch, StorePin } from './pin.ts';
import { SlotTable } from './slots.ts';

/** Options of a memory page store. */
export interface MemoryPageStoreOptions {
  /** Bytes of pages that it may hold, old versions included; beyond it `write` throws `PageStoreFull`. */
  readonly maxBytes: number;
}

/** An empty page store. */
export function createMemoryPageStore(options: MemoryPageStoreOptions): PageStore {
  return new MemoryPageStore(options.maxBytes);
}

/**
 * A page store at epoch 1 that holds the pages of `source`. Throws `CORRUPT` when the recorded hashes of the pages
 * do not add up to the hash of the whole, `PageStoreFull` when they do not fit.
 */
export function restoreMemoryPageStore(
  source: PageSource,
  options: MemoryPageStoreOptions,
): PageStore {
  const store = new MemoryPageStore(options.maxBytes);
  store.fill(source);
  return store;
}

class MemoryPageStore implements PageStore {
  readonly pageSize = PAGE_SIZE;
  epoch = 0;
  pageCount = 0;
  readonly #slots: SlotTable;
  /** Page → its newest slot, 0 for none. */
  #newest = new Int32Array(1024);
  #hashLo = 0;
  #hashHi = 0;
  #open = false;
  #pendingPages = 0;
  /** Pages with a version in the open transaction. */
  #pending: PageNumber[] = [];
  /** Largest page that ever had a slot: what a shrink left behind lies between `pageCount` and this. */
  #highest = 0;
  /** Pinned epochs, ascending. */
  #pins: PinnedEpoch[] = [];
  #beforeCommit: readonly (() => void)[] = [];
  #onCommit: readonly (() => void)[] = [];

  constructor(maxBytes: number) {
    this.#slots = new SlotTable(maxBytes);
  }

  get pendingPageCount(): number {
    return this.#open ? this.#pendingPages : this.pageCount;
  }

  get bytesHeld(): number {
    return this.#slots.used * PAGE_SIZE;
  }

  hash(): string {
    return hashText(this.#hashLo, this.#hashHi);
  }

  read(epoch: number, offset: number, out: Uint8Array): boolean {
    const within = offset % PAGE_SIZE;
    const page = (offset - within) / PAGE_SIZE + 1;
    if (within + out.length <= PAGE_SIZE) return this.#readWithin(epoch, page, within, out);
    let complete = true;
    for (let done = 0; done < out.length; ) {
      const start = (offset + done) % PAGE_SIZE;
      const length = Math.min(out.length - done, PAGE_SIZE - start);
      const part = out.subarray(done, done + length);
      const number = (offset + done - start) / PAGE_SIZE + 1;
      complete = this.#readWithin(epoch, number, start, part) && complete;
      done += length;
    }
    return complete;
  }

  #readWithin(epoch: number, page: PageNumber, start: number, out: Uint8Array): boolean {
    const slot = this.#slotAt(page, epoch);
    if (slot === 0) {
      out.fill(0);
      return false;
    }
    const bytes = this.#slots.bytes(slot);
    out.set(out.length === PAGE_SIZE ? bytes : bytes.subarray(start, start + out.length));
    return true;
  }

  write(page: PageNumber, bytes: Uint8Array, hashLo: number, hashHi: number): void {
    assert(bytes.length === PAGE_SIZE, () => `a page of ${bytes.length} bytes was written`);
    assert(page >= 1 && page <= 0x7fffffff, () => `page ${page} was written`);
    this.#begin();
    const slot = this.#newVersion(page);
    this.#slots.bytes(slot).set(bytes);
    this.#slots.lo[slot] = hashLo;
    this.#slots.hi[slot] = hashHi;
    if (page > this.#pendingPages) this.#pendingPages = page;
  }

  truncate(pages: number): void {
    this.#begin();
    for (let page = pages + 1; page <= this.#pendingPages; page++) {
      const slot = this.#newVersion(page);
      this.#slots.bytes(slot).fill(0);
      this.#slots.lo[slot] = 0;
      this.#slots.hi[slot] = 0;
    }
    this.#pendingPages = pages;
  }

  commit(): void {
    if (!this.#open) return;
    for (const listener of this.#beforeCommit) listener();
    for (const page of this.#pending) this.#publish(page);
    this.#pending.length = 0;
    this.epoch++;
    this.pageCount = this.#pendingPages;
    this.#open = false;
    if (this.#pins.length === 0) this.#sweep();
    for (const listener of this.#onCommit) listener();
  }

  #publish(page: PageNumber): void {
    const { epoch, prev, lo, hi } = this.#slots;
    const slot = this.#newest[page]!;
    const old = prev[slot]!;
    this.#hashLo ^= lo[slot]! ^ lo[old]!;
    this.#hashHi ^= hi[slot]! ^ hi[old]!;
    if (old === 0) return;
    const pin = this.#pins.at(-1);
    if (pin !== undefined && pin.epoch >= epoch[old]!) {
      pin.superseded.push(page, old);
      return;
    }
    prev[slot] = prev[old]!;
    this.#slots.free(old);
  }

  abort(): void {
    for (const page of this.#pending) {
      const slot = this.#newest[page]!;
      this.#newest[page] = this.#slots.prev[slot]!;
      this.#slots.free(slot);
    }
    this.#pending.length = 0;
    this.#open = false;
    if (this.#pins.length === 0) this.#sweep();
  }

  pin(): Pin {
    let pinned = this.#pins.at(-1);
    if (pinned === undefined || pinned.epoch !== this.epoch) {
      pinned = {
        epoch: this.epoch,
        pageCount: this.pageCount,
        hashLo: this.#hashLo,
        hashHi: this.#hashHi,
        references: 0,
        superseded: [],
      };
      this.#pins.push(pinned);
    }
    pinned.references++;
    return new StorePin(pinned, {
      slots: this.#slots,
      slotAt: (page, epoch) => this.#slotAt(page, epoch),
      release: (released) => this.#release(released),
    });
  }

  #release(pinned: PinnedEpoch): void {
    pinned.references--;
    if (pinned.references > 0) return;
    const at = this.#pins.indexOf(pinned);
    this.#pins.splice(at, 1);
    const older = this.#pins[at - 1];
    const { epoch, prev } = this.#slots;
    const list = pinned.superseded;
    for (let i = 0; i < list.length; i += 2) {
      const page = list[i]!;
      const slot = list[i + 1]!;
      if (older !== undefined && older.epoch >= epoch[slot]!) {
        older.superseded.push(page, slot);
        continue;
      }
      let newer = this.#newest[page]!;
      while (prev[newer] !== slot) newer = prev[newer]!;
      prev[newer] = prev[slot]!;
      this.#slots.free(slot);
    }
    if (this.#pins.length === 0 && !this.#open) this.#sweep();
  }

  onBeforeCommit(listener: () => void): () => void {
    this.#beforeCommit = [...this.#beforeCommit, listener];
    return () => {
      this.#beforeCommit = this.#beforeCommit.filter((other) => other !== listener);
    };
  }

  onCommit(listener: () => void): () => void {
    this.#onCommit = [...this.#onCommit, listener];
    return () => {
      this.#onCommit = this.#onCommit.filter((other) => other !== listener);
    };
  }

  close(): void {
    this.abort();
    this.#beforeCommit = [];
    this.#onCommit = [];
  }

  /** Takes over the pages of `source`; only for a new store. */
  fill(source: PageSource): void {
    for (let page = 1; page <= source.pageCount; page++) {
      this.#begin();
      const { lo, hi } = source.pageHash(page);
      if (lo === 0 && hi === 0) continue;
      const slot = this.#newVersion(page);
      const present = source.readPage(page, this.#slots.bytes(slot));
      if (!present) throw corrupt(`page ${page} is missing from its source`);
      this.#slots.lo[slot] = lo;
      this.#slots.hi[slot] = hi;
    }
    this.#pendingPages = source.pageCount;
    this.commit();
    if (source.hash !== undefined && source.hash !== this.hash()) {
      throw corrupt(`the pages hash to ${this.hash()}, their source says ${source.hash}`);
    }
  }

  #begin(): void {
    if (this.#open) return;
    this.#open = true;
    this.#pendingPages = this.pageCount;
  }

  /** The slot that holds `page` in the open transaction, made when it has none yet. */
  #newVersion(page: PageNumber): number {
    if (page >= this.#newest.length) {
      const grown = new Int32Array(Math.max(this.#newest.length * 2, page + 1));
      grown.set(this.#newest);
      this.#newest = grown;
    }
    const current = this.#newest[page]!;
    if (current !== 0 && this.#slots.epoch[current]! > this.epoch) return current;
    const slot = this.#slots.allocate();
    this.#slots.epoch[slot] = this.epoch + 1;
    this.#slots.prev[slot] = current;
    this.#newest[page] = slot;
    this.#pending.push(page);
    if (page > this.#highest) this.#highest = page;
    return slot;
  }

  #slotAt(page: PageNumber, epoch: number): number {
    let slot = page < this.#newest.length ? this.#newest[page]! : 0;
    const { epoch: epochs, prev } = this.#slots;
    while (slot !== 0 && epochs[slot]! > epoch) slot = prev[slot]!;
    return slot;
  }

  /** Gives back the zero pages that stand for what a shrink cut off; nobody can see them any more. */
  #sweep(): void {
    for (let page = this.pageCount + 1; page <= this.#highest; page++) {
      const slot = this.#newest[page]!;
      if (slot === 0) continue;
      this.#slots.free(slot);
      this.#newest[page] = 0;
    }
    this.#highest = this.pageCount;
  }
}

function corrupt(message: string): QuorliteError {
  return new QuorliteError('CORRUPT', message, { outcome: 'not-applied' });
}
