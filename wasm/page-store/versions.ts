/**
 * Pages in copy-on-write versions. Each version of a page is a slot that knows the epoch that wrote it, the version
 * before it and its hash; where its bytes are is up to the table of slots. A write makes a new version tagged epoch + 1; a
 * commit frees the old one unless a pin needs it, an abort puts it back.
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
import { grown, type SlotTable } from './slots.ts';

/** See the file's comment. `Slots` is where the bytes are. */
export class VersionedPageStore<Slots extends SlotTable = SlotTable> implements PageStore {
  readonly pageSize: number = PAGE_SIZE;
  epoch = 0;
  pageCount = 0;
  protected readonly slots: Slots;
  /** Page → its newest slot, 0 for none. */
  #newest: Int32Array = new Int32Array(1024);
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

  constructor(slots: Slots) {
    this.slots = slots;
  }

  get pendingPageCount(): number {
    return this.#open ? this.#pendingPages : this.pageCount;
  }

  get bytesHeld(): number {
    return this.slots.used * PAGE_SIZE;
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
    const slot = this.slotAt(page, epoch);
    if (slot === 0) {
      out.fill(0);
      return false;
    }
    const bytes = this.slots.bytes(slot);
    out.set(out.length === PAGE_SIZE ? bytes : bytes.subarray(start, start + out.length));
    return true;
  }

  write(page: PageNumber, bytes: Uint8Array, hashLo: number, hashHi: number): void {
    assert(bytes.length === PAGE_SIZE, () => `a page of ${bytes.length} bytes was written`);
    assert(page >= 1 && page <= 0x7fffffff, () => `page ${page} was written`);
    this.#begin();
    const slot = this.#newVersion(page);
    this.slots.room(slot).set(bytes);
    this.slots.lo[slot] = hashLo;
    this.slots.hi[slot] = hashHi;
    if (page > this.#pendingPages) this.#pendingPages = page;
  }

  truncate(pages: number): void {
    this.#begin();
    for (let page = pages + 1; page <= this.#pendingPages; page++) {
      const slot = this.#newVersion(page);
      this.slots.zero(slot);
      this.slots.lo[slot] = 0;
      this.slots.hi[slot] = 0;
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
    const { epoch, prev, lo, hi } = this.slots;
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
    this.slots.free(old);
  }

  abort(): void {
    for (const page of this.#pending) {
      const slot = this.#newest[page]!;
      this.#newest[page] = this.slots.prev[slot]!;
      this.slots.free(slot);
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
      slots: this.slots,
      slotAt: (page, epoch) => this.slotAt(page, epoch),
      release: (released) => this.#release(released),
    });
  }

  #release(pinned: PinnedEpoch): void {
    pinned.references--;
    if (pinned.references > 0) return;
    const at = this.#pins.indexOf(pinned);
    this.#pins.splice(at, 1);
    const older = this.#pins[at - 1];
    const { epoch, prev } = this.slots;
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
      this.slots.free(slot);
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

  /**
   * Copies the pages of `source` into this store, which is new. Throws `CORRUPT` when the recorded hashes of the pages
   * do not add up to the hash of the whole, `PageStoreFull` when they do not fit.
   */
  fill(source: PageSource): void {
    const aside = new Uint8Array(PAGE_SIZE);
    for (let page = 1; page <= source.pageCount; page++) {
      const { lo, hi } = source.pageHash(page);
      // A hash of 0 alone does not make a page all zero.
      if (lo === 0 && hi === 0 && !source.readPage(page, aside)) continue;
      const slot = this.recorded(page, lo, hi);
      const present = source.readPage(page, this.slots.room(slot));
      if (!present) throw corrupt(`page ${page} is missing from its source`);
    }
    this.filled(source.pageCount, source.hash);
  }

  /** A slot for `page` with its hash in the open transaction; who calls it knows where the bytes are. */
  protected recorded(page: PageNumber, lo: number, hi: number): number {
    this.#begin();
    const slot = this.#newVersion(page);
    this.slots.lo[slot] = lo;
    this.slots.hi[slot] = hi;
    return slot;
  }

  /** Ends the filling of a new store. Throws `CORRUPT`. */
  protected filled(pageCount: number, hash: string | undefined): void {
    if (pageCount > 0) this.#begin();
    this.#pendingPages = pageCount;
    this.commit();
    if (hash !== undefined && hash !== this.hash()) {
      throw corrupt(`the pages hash to ${this.hash()}, their source says ${hash}`);
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
      this.#newest = grown(this.#newest, Math.max(this.#newest.length * 2, page + 1));
    }
    const current = this.#newest[page]!;
    if (current !== 0 && this.slots.epoch[current]! > this.epoch) return current;
    const slot = this.slots.allocate(page);
    this.slots.epoch[slot] = this.epoch + 1;
    this.slots.prev[slot] = current;
    this.#newest[page] = slot;
    this.#pending.push(page);
    if (page > this.#highest) this.#highest = page;
    return slot;
  }

  /** The version of `page` that `epoch` sees, 0 for none. */
  protected slotAt(page: PageNumber, epoch: number): number {
    let slot = page < this.#newest.length ? this.#newest[page]! : 0;
    const { epoch: epochs, prev } = this.slots;
    while (slot !== 0 && epochs[slot]! > epoch) slot = prev[slot]!;
    return slot;
  }

  /** Gives back the zero pages that stand for what a shrink cut off; nobody can see them any more. */
  #sweep(): void {
    for (let page = this.pageCount + 1; page <= this.#highest; page++) {
      const slot = this.#newest[page]!;
      if (slot === 0) continue;
      this.slots.free(slot);
      this.#newest[page] = 0;
    }
    this.#highest = this.pageCount;
  }
}

/** The error for pages that do not hold together. */
function corrupt(message: string): QuorliteError {
  return new QuorliteError('CORRUPT', message, { outcome: 'not-applied' });
}
