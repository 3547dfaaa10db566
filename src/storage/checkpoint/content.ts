/** A checkpoint read as one: its base with the deltas on top. */
import { PAGE_SIZE } from '../../../wasm/page-store.ts';
import type { FileFolder } from '../../platform/files.ts';
import { assert } from '../../wire/assert.ts';
import { keyOfBytes } from '../byte-key.ts';
import type { CheckpointContent, CheckpointMeta } from '../contract.ts';
import { corruptFile } from '../file-io.ts';
import { GenerationReader } from './generation.ts';
import type { GenerationFile, Manifest } from './manifest.ts';

/** How the files of a checkpoint are opened. */
export interface ContentOptions {
  /** Check every block whenever it is read. */
  readonly check: boolean;
  /** Names under which the files stand in the folder, if not their own. */
  readonly nameOf?: ((file: GenerationFile) => string) | undefined;
  readonly onClose?: (() => void) | undefined;
}

/** Opens the checkpoint that `manifest` describes. Throws `CORRUPT` or `FileError`. */
export function openContent(
  folder: FileFolder,
  manifest: Manifest,
  options: ContentOptions,
): LayeredContent {
  const layers: GenerationReader[] = [];
  try {
    for (const file of manifest.files) {
      const name = options.nameOf?.(file) ?? file.name;
      layers.push(new GenerationReader(folder, file, options.check, name));
    }
    return new LayeredContent(folder.label, manifest.meta, layers, options.onClose);
  } catch (error) {
    for (const layer of layers) layer.close();
    throw error;
  }
}

/** Generations on top of each other. */
export class LayeredContent implements CheckpointContent {
  readonly meta: CheckpointMeta;
  /** Oldest first. */
  readonly layers: readonly GenerationReader[];
  /** Per page: number of its layer + 1 (0: never written), its image (-1: all zero) and hash. */
  readonly #layer: Uint16Array;
  readonly #image: Int32Array;
  readonly #hashLo: Int32Array;
  readonly #hashHi: Int32Array;
  readonly #onClose: (() => void) | undefined;
  #closed = false;

  constructor(
    label: string,
    meta: CheckpointMeta,
    layers: readonly GenerationReader[],
    onClose: (() => void) | undefined,
  ) {
    this.meta = meta;
    this.layers = layers;
    this.#onClose = onClose;
    this.#layer = new Uint16Array(meta.pageCount + 1);
    this.#image = new Int32Array(meta.pageCount + 1).fill(-1);
    this.#hashLo = new Int32Array(meta.pageCount + 1);
    this.#hashHi = new Int32Array(meta.pageCount + 1);
    for (let i = 0; i < layers.length; i++) this.#apply(label, i);
  }

  /**
   * Later layers replace pages of earlier ones. A page that a layer says nothing about is as before, unless the
   * database was shorter then: it is all zero when it comes back.
   */
  #apply(label: string, number: number): void {
    const layer = this.layers[number]!;
    for (let page = layer.pageCount + 1; page <= this.meta.pageCount; page++) {
      this.#set(page, 0, -1, 0, 0);
    }
    for (const { page, image, hashLo, hashHi } of layer.pages()) {
      if (page === 0 || page > layer.pageCount) {
        throw corruptFile(`${label}/${layer.file.name}`, 0, `there is no page ${page}`);
      }
      if (page <= this.meta.pageCount) this.#set(page, number + 1, image, hashLo, hashHi);
    }
  }

  #set(page: number, layer: number, image: number, hashLo: number, hashHi: number): void {
    this.#layer[page] = layer;
    this.#image[page] = image;
    this.#hashLo[page] = hashLo;
    this.#hashHi[page] = hashHi;
  }

  readPage(page: number, out: Uint8Array): boolean {
    assert(page >= 1 && page <= this.meta.pageCount, () => `no page ${page} in this checkpoint`);
    assert(out.length === PAGE_SIZE, 'a page has its size');
    const image = this.#image[page]!;
    if (image < 0) return false;
    this.layers[this.#layer[page]! - 1]!.readImage(image, out);
    return true;
  }

  pageHash(page: number): { lo: number; hi: number } {
    return { lo: this.#hashLo[page]!, hi: this.#hashHi[page]! };
  }

  sections(): Iterable<string> {
    const names = new Set<string>();
    for (const layer of this.layers) for (const name of layer.sections()) names.add(name);
    return [...names].sort();
  }

  *entries(section: string): IterableIterator<readonly [key: Uint8Array, value: Uint8Array]> {
    // Newest first, so that memory holds the keys of the deltas only.
    const seen = new Set<string>();
    for (let i = this.layers.length - 1; i >= 0; i--) {
      for (const [key, value] of this.layers[i]!.entries(section)) {
        if (this.layers.length > 1) {
          const name = keyOfBytes(key);
          if (seen.has(name)) continue;
          if (i > 0) seen.add(name);
        }
        if (value !== null) yield [key, value];
      }
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const layer of this.layers) layer.close();
    this.#onClose?.();
  }
}
