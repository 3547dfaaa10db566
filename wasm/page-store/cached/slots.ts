/**
 * Slots whose bytes are in the cache, in the backing, or in a file of page images. A slot that is nowhere but in its frame
 * is dirty: its frame is not given away before the backing has it. A committed version never changes, so every other
 * frame can go at any time.
 *
 * What comes back from a disk is compared with its recorded hash: a write that the disk lost is an error, never a page.
 */
import { assert } from '../../../src/wire/assert.ts';
import { QuorliteError } from '../../../src/wire/error.ts';
import {
  type OpenPageImages,
  PAGE_SIZE,
  type PageBacking,
  type PageHasher,
  type PageImages,
  type PageNumber,
} from '../../page-store.ts';
import { grown, SlotTable } from '../slots.ts';
import { Frames } from './frames.ts';
import { ImageFiles } from './image-files.ts';
import { Places } from './places.ts';

/** What a table of cached slots is made of. */
export interface CachedSlotsOptions {
  /** Bytes of pages that it may hold wherever they are. */
  readonly maxBytes: number;
  /** Bytes of page memory. */
  readonly cacheBytes: number;
  readonly backing: PageBacking;
  /** How pages are hashed; without it what comes back is not checked. */
  readonly hash?: PageHasher | undefined;
}

/** Fewest frames that make sense. */
const FRAMES_MIN = 4;
/** Dirty frames that one write takes to the backing, and frames that are looked at to find them. */
const BATCH_PAGES = 64;
const BATCH_LOOK = 256;

/** Where the bytes of a slot are when they are in no frame: numbers of files come behind these. */
const NOWHERE = 0;
const SCRATCH = 1;
const ZERO = 2;
const FIRST_FILE = 3;

/** See the file's comment. */
export class CachedSlots extends SlotTable {
  /** Why pages can no longer be had. */
  failure: QuorliteError | null = null;
  readonly #backing: PageBacking;
  readonly #hash: PageHasher | undefined;
  readonly #frames: Frames;
  readonly #places: Places = new Places();
  readonly #files: ImageFiles = new ImageFiles(FIRST_FILE);
  /** Slot → its page, its frame (0: none), its file, and its place there. */
  #page: Int32Array = new Int32Array(this.epoch.length);
  #frame: Int32Array = new Int32Array(this.epoch.length);
  #file = new Uint16Array(this.epoch.length);
  #place: Int32Array = new Int32Array(this.epoch.length);
  readonly #zero = new Uint8Array(PAGE_SIZE);
  readonly #aside = new Uint8Array(PAGE_SIZE);
  readonly #batchPlaces = new Int32Array(BATCH_PAGES);
  readonly #batchPages: Uint8Array[] = [];
  readonly #batchSlots: number[] = [];
  #closed = false;
  #reads = 0;
  #spills = 0;

  constructor(options: CachedSlotsOptions) {
    super(options.maxBytes);
    this.#backing = options.backing;
    this.#hash = options.hash;
    this.#frames = new Frames(Math.max(FRAMES_MIN, Math.floor(options.cacheBytes / PAGE_SIZE)));
  }

  override allocate(page: PageNumber): number {
    const slot = super.allocate(page);
    this.#page[slot] = page;
    return slot;
  }

  override free(slot: number): void {
    const frame = this.#frame[slot]!;
    if (frame !== 0) {
      this.#frame[slot] = 0;
      this.#frames.give(frame);
    }
    this.#leave(slot);
    super.free(slot);
  }

  bytes(slot: number): Uint8Array {
    const frame = this.#frame[slot]!;
    if (frame === 0) return this.#load(slot);
    const frames = this.#frames;
    frames.used[frame] = 1;
    return frames.view(frame);
  }

  peek(slot: number): Uint8Array {
    const frame = this.#frame[slot]!;
    if (frame !== 0) return this.#frames.view(frame);
    if (this.#file[slot] === ZERO) return this.#zero;
    this.#fetch(slot, this.#aside);
    return this.#aside;
  }

  room(slot: number): Uint8Array {
    this.#leave(slot);
    const frame = this.#frame[slot]! || this.#takeFrame(slot);
    this.#frames.used[frame] = 1;
    return this.#frames.view(frame);
  }

  zero(slot: number): void {
    this.#leave(slot);
    this.#file[slot] = ZERO;
    const frame = this.#frame[slot]!;
    if (frame === 0) return;
    this.#frame[slot] = 0;
    this.#frames.give(frame);
  }

  /** Opens a file of images for `place`; it stays open until `letGo` and while slots are in it. */
  hold(file: PageImages): { number: number; images: OpenPageImages } {
    return this.#files.hold(file);
  }

  letGo(number: number): void {
    this.#files.letGo(number);
  }

  /** The bytes of a slot are in file `number`: as image `image`, counted from 0, or all zero for -1. */
  place(slot: number, number: number, image: number): void {
    this.#leave(slot);
    this.#file[slot] = image < 0 ? ZERO : number;
    this.#place[slot] = image;
    if (image >= 0) this.#files.add(number);
  }

  /** Number of the file that a slot's bytes are in, 0 for none. */
  fileOf(slot: number): number {
    const file = this.#file[slot]!;
    return file >= FIRST_FILE ? file : 0;
  }

  /** Gives back what is free at the end of the backing. Throws `STORAGE_FAILED`. */
  trim(): void {
    const { end } = this.#places;
    if (end === 0 || this.#places.trim() > end / 2) return;
    this.#guarded(() => this.#backing.truncate(this.#places.end));
  }

  /** Gauges and counters. */
  stats(): { readonly [name: string]: number } {
    return {
      pageCacheBytes: this.#frames.bytes,
      pageScratchBytes: this.#places.taken * PAGE_SIZE,
      pageScratchFileBytes: this.#places.end * PAGE_SIZE,
      pageImageBytes: this.#files.slots * PAGE_SIZE,
      pageImageFiles: this.#files.open,
      pageCacheMisses: this.#reads,
      pageSpills: this.#spills,
    };
  }

  /** Once: the backing's name may be somebody else's afterwards. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#files.close();
    this.#backing.close();
  }

  /** Remembers the first failure; every later need of the backing ends with it. */
  fail(error: unknown): QuorliteError {
    if (this.failure === null) {
      const message = error instanceof Error ? error.message : String(error);
      this.failure =
        error instanceof QuorliteError
          ? error
          : new QuorliteError('STORAGE_FAILED', message, { outcome: 'unknown', cause: error });
    }
    return this.failure;
  }

  protected override grow(size: number): void {
    super.grow(size);
    this.#page = grown(this.#page, size);
    this.#frame = grown(this.#frame, size);
    this.#place = grown(this.#place, size);
    const file = new Uint16Array(size);
    file.set(this.#file);
    this.#file = file;
  }

  /** What the slot has outside of its frame is not needed any more. */
  #leave(slot: number): void {
    const file = this.#file[slot]!;
    if (file === NOWHERE) return;
    this.#file[slot] = NOWHERE;
    if (file === SCRATCH) this.#places.give(this.#place[slot]!);
    else if (file >= FIRST_FILE) this.#files.remove(file);
  }

  #load(slot: number): Uint8Array {
    if (this.#file[slot] === ZERO) return this.#zero;
    const frame = this.#takeFrame(slot);
    const bytes = this.#frames.view(frame);
    try {
      this.#fetch(slot, bytes);
    } catch (error) {
      this.#frame[slot] = 0;
      this.#frames.give(frame);
      throw error;
    }
    return bytes;
  }

  /** Reads what is not in a frame, and checks it. */
  #fetch(slot: number, out: Uint8Array): void {
    const file = this.#file[slot]!;
    const place = this.#place[slot]!;
    assert(file !== NOWHERE && file !== ZERO, () => `slot ${slot} has no bytes`);
    this.#reads++;
    this.#guarded(() => {
      if (file === SCRATCH) this.#backing.read(place, out);
      else this.#files.read(file, place, out);
      this.#check(slot, out);
    });
  }

  #check(slot: number, bytes: Uint8Array): void {
    if (this.#hash === undefined) return;
    const page = this.#page[slot]!;
    const { lo, hi } = this.#hash(page, bytes);
    if (lo === this.lo[slot] && hi === this.hi[slot]) return;
    const where = this.#file[slot] === SCRATCH ? 'the scratch file' : 'a checkpoint';
    throw new QuorliteError('STORAGE_FAILED', `page ${page} comes damaged out of ${where}`, {
      outcome: 'unknown',
      hint: 'the disk loses or changes what is written: check it, then start the node again',
    });
  }

  #takeFrame(slot: number): number {
    const frames = this.#frames;
    let frame = frames.takeFree();
    if (frame === 0) {
      frame = frames.victim();
      const old = frames.slotOf[frame]!;
      if (this.#file[old] === NOWHERE) this.#spill(frame);
      this.#frame[old] = 0;
    }
    frames.slotOf[frame] = slot;
    frames.used[frame] = 0;
    this.#frame[slot] = frame;
    return frame;
  }

  /** Writes the dirty frame `first` to the backing, and others that will have to go soon. */
  #spill(first: number): void {
    const frames = this.#frames;
    const slots = this.#batchSlots;
    const pages = this.#batchPages;
    slots.length = 0;
    let frame = first;
    const look = Math.min(BATCH_LOOK, frames.count);
    for (let i = 0; i < look && slots.length < BATCH_PAGES; i++, frame = frames.after(frame)) {
      const slot = frames.slotOf[frame]!;
      if (slot === 0 || frames.used[frame] !== 0 || this.#file[slot] !== NOWHERE) continue;
      pages[slots.length] = frames.view(frame);
      slots.push(slot);
    }
    const places = this.#batchPlaces;
    for (let i = 0; i < slots.length; i++) places[i] = this.#places.take();
    this.#guarded(() => this.#backing.write(places, pages, slots.length));
    for (let i = 0; i < slots.length; i++) {
      this.#file[slots[i]!] = SCRATCH;
      this.#place[slots[i]!] = places[i]!;
    }
    this.#spills += slots.length;
  }

  #guarded(work: () => void): void {
    if (this.failure !== null) throw this.failure;
    try {
      work();
    } catch (error) {
      throw this.fail(error);
    }
  }
}
