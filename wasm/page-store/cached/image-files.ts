/** The files of page images that slots are in: open while a slot needs them. */
import { assert, must } from '../../../src/wire/assert.ts';
import type { OpenPageImages, PageImages } from '../../page-store.ts';

/** Numbers of files that fit beside the bookkeeping of a slot. */
const NUMBERS_MAX = 0xffff;

interface NumberedFile {
  readonly images: OpenPageImages;
  /** Slots whose bytes are in it, and one more while `hold` lasts. */
  slots: number;
}

/** Open files by number, which count from `first`. */
export class ImageFiles {
  readonly #first: number;
  readonly #files: (NumberedFile | undefined)[] = [];
  /** Slots in all files together. */
  slots = 0;
  #closed = false;

  constructor(first: number) {
    this.#first = first;
  }

  /** Opens a file and holds it until `letGo`. Throws what opening throws. */
  hold(file: PageImages): { number: number; images: OpenPageImages } {
    const images = file.open();
    let at = this.#files.indexOf(undefined);
    if (at < 0) at = this.#files.length;
    const number = this.#first + at;
    assert(number <= NUMBERS_MAX, 'too many files of page images are open');
    this.#files[at] = { images, slots: 1 };
    this.slots++;
    return { number, images };
  }

  /** Ends what `hold` began: the file closes with its last slot. */
  letGo(number: number): void {
    this.remove(number);
  }

  /** A slot's bytes are in file `number`. */
  add(number: number): void {
    this.#file(number).slots++;
    this.slots++;
  }

  /** A slot's bytes are not in it any more. */
  remove(number: number): void {
    if (this.#closed) return;
    const file = this.#file(number);
    this.slots--;
    if (--file.slots > 0) return;
    this.#files[number - this.#first] = undefined;
    file.images.close();
  }

  read(number: number, image: number, out: Uint8Array): void {
    this.#file(number).images.read(image, out);
  }

  /** Files that are open. */
  get open(): number {
    return this.#files.reduce((count, file) => (file === undefined ? count : count + 1), 0);
  }

  /** Closes all; what pins give back later is gone already. */
  close(): void {
    this.#closed = true;
    for (const file of this.#files) file?.images.close();
    this.#files.length = 0;
    this.slots = 0;
  }

  #file(number: number): NumberedFile {
    return must(this.#files[number - this.#first], 'a file of page images is not open');
  }
}
