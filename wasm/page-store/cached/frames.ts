/**
 * The cache: a bounded number of frames of a page each, in slabs of 1 MiB that are made when first needed. Which frame has
 * to go is decided by second chance (a clock): the hand passes over frames that were used since it came by last. What was
 * read once and never again goes first, so that a long scan does not take everybody else's pages along.
 */
import { PAGE_SIZE } from '../../page-store.ts';

const FRAMES_PER_SLAB = 256;

/** Frames, numbered from 1. */
export class Frames {
  readonly count: number;
  /** Frame → the slot whose bytes are in it, 0 for none. */
  readonly slotOf: Int32Array;
  /** Frame → 1 when it was used since the hand came by. */
  readonly used: Uint8Array;
  readonly #slabs: Uint8Array[] = [];
  readonly #views: (Uint8Array | undefined)[] = [undefined];
  readonly #free: number[] = [];
  #fresh = 1;
  #hand = 0;

  constructor(count: number) {
    this.count = count;
    this.slotOf = new Int32Array(count + 1);
    this.used = new Uint8Array(count + 1);
  }

  /** Bytes of the memory taken so far. */
  get bytes(): number {
    return this.#slabs.reduce((sum, slab) => sum + slab.length, 0);
  }

  /** The bytes of a frame. */
  view(frame: number): Uint8Array {
    return this.#views[frame] ?? this.#newView(frame);
  }

  /** A frame that nothing is in, 0 when there is none. */
  takeFree(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    return this.#fresh <= this.count ? this.#fresh++ : 0;
  }

  /** Nothing is in `frame` any more. */
  give(frame: number): void {
    this.slotOf[frame] = 0;
    this.used[frame] = 0;
    this.#free.push(frame);
  }

  /** The frame that has to go; asked for when none is free. */
  victim(): number {
    for (;;) {
      this.#hand = this.after(this.#hand);
      if (this.used[this.#hand] === 0) return this.#hand;
      this.used[this.#hand] = 0;
    }
  }

  /** The frame that the hand comes to after `frame`. */
  after(frame: number): number {
    return frame >= this.count ? 1 : frame + 1;
  }

  #newView(frame: number): Uint8Array {
    const index = frame - 1;
    const slab = Math.floor(index / FRAMES_PER_SLAB);
    const frames = Math.min(FRAMES_PER_SLAB, this.count - slab * FRAMES_PER_SLAB);
    const bytes = (this.#slabs[slab] ??= new Uint8Array(frames * PAGE_SIZE));
    const start = (index % FRAMES_PER_SLAB) * PAGE_SIZE;
    const view = bytes.subarray(start, start + PAGE_SIZE);
    this.#views[frame] = view;
    return view;
  }
}
