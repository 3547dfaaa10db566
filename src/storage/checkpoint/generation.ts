/**
 * One generation of a checkpoint in one file: a base, or what changed since the generation before it.
 *
 *     pages      images of `PAGE_SIZE` bytes, ascending by number; all-zero pages have none
 *     index      per page, 16 bytes: u32 page, u32 image + 1 (0: all zero), i32 hash low, i32 hash high
 *     sections   per pair: uint key length, key, uint value length + 1 (0: deleted), value
 *     directory  where those are, see `encodeDirectory`
 *     tail       16 bytes: u53 offset and u32 length of the directory, u32 magic `QLGN`
 *
 * Checksums are the manifest's, one per block.
 */
import { PAGE_SIZE } from '../../../wasm/page-store.ts';
import type { FileFolder, FileHandle } from '../../platform/files.ts';
import { ByteReader, ByteWriter } from '../../wire/bytes.ts';
import { QuorliteError } from '../../wire/error.ts';
import type { SectionDelta } from '../contract.ts';
import { corruptFile, readFully } from '../file-io.ts';
import { CHECKPOINT_BLOCK_BYTES, SECTION_ENTRIES_PER_SLICE } from '../limits.ts';
import { BlockCursor, BlockReader, BlockWriter } from './block-file.ts';
import { blockCount, type GenerationFile } from './manifest.ts';

const MAGIC = 0x4e474c51;
const TAIL_BYTES = 16;
const INDEX_ENTRY_BYTES = 16;

/** A page on its way into a generation. */
export interface SourcePage {
  readonly page: number;
  /** Null for an all-zero page; else valid until the next one is asked for. */
  readonly bytes: Uint8Array | null;
  readonly hashLo: number;
  readonly hashHi: number;
}

/** What a generation is written from. Iterated once. */
export interface GenerationSource {
  /** Pages of the whole database. */
  readonly pageCount: number;
  /** Pages in ascending order. */
  pages(): Iterable<SourcePage>;
  readonly sections: Iterable<SectionDelta>;
}

/** A page as a generation knows it. */
export interface IndexedPage {
  readonly page: number;
  /** Position among the images, or -1 for an all-zero page. */
  readonly image: number;
  readonly hashLo: number;
  readonly hashHi: number;
}

interface SectionPlace {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
}

interface Directory {
  readonly pageCount: number;
  readonly indexOffset: number;
  readonly indexCount: number;
  readonly sections: readonly SectionPlace[];
}

/** Writes a generation; yields after each slice of work. Returns what the manifest needs. Not synced at the end. */
export function* writeGeneration(
  handle: FileHandle,
  name: string,
  source: GenerationSource,
): Generator<void, GenerationFile> {
  const out = new BlockWriter(handle);
  const index = new ByteWriter(4096);
  let images = 0;
  let seen = out.written;
  let entries = 0;
  for (const { page, bytes, hashLo, hashHi } of source.pages()) {
    index.u32(page);
    index.u32(bytes === null ? 0 : ++images);
    index.u32(hashLo >>> 0);
    index.u32(hashHi >>> 0);
    if (bytes !== null) out.append(bytes);
    if (out.written === seen && ++entries % SECTION_ENTRIES_PER_SLICE !== 0) continue;
    seen = out.written;
    yield;
  }
  const indexOffset = out.length;
  for (let at = 0; at < index.length; at += CHECKPOINT_BLOCK_BYTES) {
    out.append(index.view().subarray(at, at + CHECKPOINT_BLOCK_BYTES));
    yield;
  }
  const sections: SectionPlace[] = [];
  for (const section of source.sections) {
    const offset = out.length;
    yield* writeSection(out, section);
    sections.push({ name: section.section, offset, bytes: out.length - offset });
  }
  const { pageCount } = source;
  const indexCount = index.length / INDEX_ENTRY_BYTES;
  writeDirectory(out, { pageCount, indexOffset, indexCount, sections });
  return out.finish(name);
}

function* writeSection(out: BlockWriter, section: SectionDelta): Generator<void, void> {
  const pair = new ByteWriter(256);
  let count = 0;
  let seen = out.written;
  for (const [key, value] of section.entries()) {
    pair.length = 0;
    pair.blob(key);
    pair.uint(value === null ? 0 : value.length + 1);
    out.append(pair.view());
    if (value !== null) out.append(value);
    if (out.written === seen && ++count % SECTION_ENTRIES_PER_SLICE !== 0) continue;
    seen = out.written;
    yield;
  }
}

function writeDirectory(out: BlockWriter, directory: Directory): void {
  const bytes = new ByteWriter();
  bytes.uint(directory.pageCount);
  bytes.uint(directory.indexOffset);
  bytes.uint(directory.indexCount);
  bytes.uint(directory.sections.length);
  for (const section of directory.sections) {
    bytes.text(section.name);
    bytes.uint(section.offset);
    bytes.uint(section.bytes);
  }
  const { length } = bytes;
  bytes.u53(out.length);
  bytes.u32(length);
  bytes.u32(MAGIC);
  out.append(bytes.view());
}

/** A generation opened for reading. */
export class GenerationReader {
  readonly file: GenerationFile;
  readonly #handle: FileHandle;
  readonly #reader: BlockReader;
  readonly #label: string;
  readonly #directory: Directory;

  /**
   * Opens `file`, in the folder under `name`. Throws `CORRUPT` when it is not whole; contents are checked as they are
   * read when `check` is set.
   */
  constructor(folder: FileFolder, file: GenerationFile, check: boolean, name: string = file.name) {
    this.file = file;
    this.#label = `${folder.label}/${name}`;
    this.#handle = folder.open(name, { create: false });
    try {
      const size = this.#handle.size();
      if (size !== file.bytes) {
        throw corruptFile(this.#label, size, `the file should have ${file.bytes} bytes`);
      }
      this.#reader = new BlockReader(this.#handle, file, this.#label, check);
      this.#directory = this.#readDirectory();
    } catch (error) {
      this.#handle.close();
      throw error;
    }
  }

  /** Reads everything once and checks it against the manifest. Throws `CORRUPT`. */
  verify(): void {
    const reader = new BlockReader(this.#handle, this.file, this.#label, true);
    for (let block = 0; block < blockCount(this.file.bytes); block++) reader.block(block);
  }

  /** Pages of the whole database when this generation was written. */
  get pageCount(): number {
    return this.#directory.pageCount;
  }

  /** The index as it is in the file: page, image + 1, and the two halves of the hash, for each page. */
  index(): Int32Array {
    const { indexOffset, indexCount } = this.#directory;
    const words = new Int32Array((indexCount * INDEX_ENTRY_BYTES) / 4);
    this.#reader.read(new Uint8Array(words.buffer), indexOffset);
    return words;
  }

  /** The pages of this generation, ascending. */
  *pages(): IterableIterator<IndexedPage> {
    const index = this.index();
    for (let at = 0; at < index.length; at += 4) {
      yield {
        page: index[at]! >>> 0,
        image: index[at + 1]! - 1,
        hashLo: index[at + 2]!,
        hashHi: index[at + 3]!,
      };
    }
  }

  /** Copies the image into `out`. */
  readImage(image: number, out: Uint8Array): void {
    this.#reader.read(out, image * PAGE_SIZE);
  }

  /** The same without the block around it, unchecked: for single pages here and there. */
  readImageInPlace(image: number, out: Uint8Array): void {
    const offset = image * PAGE_SIZE;
    if (readFully(this.#handle, out, offset) < out.length) {
      throw corruptFile(this.#label, offset, 'the file was cut');
    }
  }

  sections(): string[] {
    return this.#directory.sections.map(({ name }) => name);
  }

  /** Pairs of a section; null is a deletion. Keys and values are copies. */
  *entries(section: string): IterableIterator<[Uint8Array, Uint8Array | null]> {
    for (const { name, offset, bytes } of this.#directory.sections) {
      if (name !== section) continue;
      const cursor = new BlockCursor(this.#reader, offset, offset + bytes);
      while (!cursor.done) {
        const key = cursor.raw(cursor.uint());
        const length = cursor.uint();
        yield [key, length === 0 ? null : cursor.raw(length - 1)];
      }
    }
  }

  close(): void {
    this.#handle.close();
  }

  #readDirectory(): Directory {
    const { bytes } = this.file;
    if (bytes < TAIL_BYTES)
      throw corruptFile(this.#label, 0, 'the file is too small for a checkpoint');
    const tail = new Uint8Array(TAIL_BYTES);
    this.#reader.read(tail, bytes - TAIL_BYTES);
    const input = new ByteReader(tail);
    try {
      const offset = input.u53();
      const length = input.u32();
      if (input.u32() !== MAGIC || offset + length + TAIL_BYTES !== bytes) throw this.#misshapen();
      const content = new Uint8Array(length);
      this.#reader.read(content, offset);
      return this.#parseDirectory(new ByteReader(content), offset);
    } catch (error) {
      if (error instanceof QuorliteError && error.code === 'BAD_REQUEST') throw this.#misshapen();
      throw error;
    }
  }

  #parseDirectory(input: ByteReader, end: number): Directory {
    const pageCount = input.uint();
    const indexOffset = input.uint();
    const indexCount = input.uint();
    if (indexOffset + indexCount * INDEX_ENTRY_BYTES > end) throw this.#misshapen();
    const sections: SectionPlace[] = [];
    for (let left = input.uint(); left > 0; left--) {
      const place = { name: input.text(), offset: input.uint(), bytes: input.uint() };
      if (place.offset + place.bytes > end) throw this.#misshapen();
      sections.push(place);
    }
    input.finish();
    return { pageCount, indexOffset, indexCount, sections };
  }

  #misshapen(): QuorliteError {
    return corruptFile(this.#label, this.file.bytes - TAIL_BYTES, 'this is no checkpoint file');
  }
}
