/** Files in checksummed blocks: a writer that gathers blocks, a reader that hands out checked ones. */
import type { FileHandle } from '../../platform/files.ts';
import { crc32c } from '../../wire/crc32c.ts';
import { corruptFile, readFully, writeFully } from '../file-io.ts';
import { CHECKPOINT_BLOCK_BYTES } from '../limits.ts';
import type { GenerationFile } from './manifest.ts';

/** Appends to a file, one write per block, and sums up each block. */
export class BlockWriter {
  readonly #handle: FileHandle;
  readonly #block: Uint8Array = new Uint8Array(CHECKPOINT_BLOCK_BYTES);
  #filled = 0;
  readonly #sums: number[] = [];
  /** Blocks written so far: who watches it can pause between them. */
  written = 0;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** Bytes appended so far. */
  get length(): number {
    return this.written * CHECKPOINT_BLOCK_BYTES + this.#filled;
  }

  append(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const count = Math.min(bytes.length - at, CHECKPOINT_BLOCK_BYTES - this.#filled);
      this.#block.set(
        count === bytes.length ? bytes : bytes.subarray(at, at + count),
        this.#filled,
      );
      this.#filled += count;
      at += count;
      if (this.#filled === CHECKPOINT_BLOCK_BYTES) this.#flush();
    }
  }

  /** Writes the last, short block; returns what a manifest needs to know. Not synced. */
  finish(name: string): GenerationFile {
    const bytes = this.length;
    if (this.#filled > 0) this.#flush();
    return { name, bytes, blocks: Uint32Array.from(this.#sums) };
  }

  #flush(): void {
    const block = this.#block.subarray(0, this.#filled);
    writeFully(this.#handle, block, this.written * CHECKPOINT_BLOCK_BYTES);
    this.#sums.push(crc32c(block));
    this.written++;
    this.#filled = 0;
  }
}

/** Reads a finished file block by block; keeps the last one. */
export class BlockReader {
  readonly #handle: FileHandle;
  readonly #file: GenerationFile;
  readonly #label: string;
  readonly #check: boolean;
  readonly #buffer: Uint8Array;
  #current = -1;
  #length = 0;

  /** With `check`, every block's checksum is verified whenever it is read. */
  constructor(handle: FileHandle, file: GenerationFile, label: string, check: boolean) {
    this.#handle = handle;
    this.#file = file;
    this.#label = label;
    this.#check = check;
    this.#buffer = new Uint8Array(Math.min(CHECKPOINT_BLOCK_BYTES, file.bytes));
  }

  /** Block `number`: a view, valid until the next call. Throws `CORRUPT`. */
  block(number: number): Uint8Array {
    if (number !== this.#current) this.#load(number);
    return this.#buffer.subarray(0, this.#length);
  }

  /** Copies bytes from `offset` on into `out`. Throws `CORRUPT` past the end. */
  read(out: Uint8Array, offset: number): void {
    for (let done = 0; done < out.length; ) {
      const at = offset + done;
      const number = Math.floor(at / CHECKPOINT_BLOCK_BYTES);
      const start = at - number * CHECKPOINT_BLOCK_BYTES;
      const block = this.block(number);
      const count = Math.min(out.length - done, block.length - start);
      if (count <= 0) throw corruptFile(this.#label, at, 'the file ends too early');
      out.set(block.subarray(start, start + count), done);
      done += count;
    }
  }

  #load(number: number): void {
    const start = number * CHECKPOINT_BLOCK_BYTES;
    const length = Math.min(CHECKPOINT_BLOCK_BYTES, this.#file.bytes - start);
    if (length <= 0) throw corruptFile(this.#label, start, 'the file ends too early');
    this.#current = -1;
    const block = this.#buffer.subarray(0, length);
    if (readFully(this.#handle, block, start) < length) {
      throw corruptFile(this.#label, start, 'the file was cut');
    }
    if (this.#check && crc32c(block) !== this.#file.blocks[number]) {
      throw corruptFile(this.#label, start, 'a block fails its checksum');
    }
    this.#current = number;
    this.#length = length;
  }
}

/** Reads forward through a part of a file. */
export class BlockCursor {
  readonly #reader: BlockReader;
  readonly #end: number;
  #at: number;

  constructor(reader: BlockReader, start: number, end: number) {
    this.#reader = reader;
    this.#at = start;
    this.#end = end;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  /** An integer as `ByteWriter.uint` writes it. */
  uint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#byte();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }

  /** The next `count` bytes: a copy. */
  raw(count: number): Uint8Array {
    if (count > this.#end - this.#at)
      throw corruptFile('a checkpoint', this.#at, 'a section ends too early');
    const bytes = new Uint8Array(count);
    this.#reader.read(bytes, this.#at);
    this.#at += count;
    return bytes;
  }

  #byte(): number {
    if (this.done) throw corruptFile('a checkpoint', this.#at, 'a section ends too early');
    const number = Math.floor(this.#at / CHECKPOINT_BLOCK_BYTES);
    const byte = this.#reader.block(number)[this.#at - number * CHECKPOINT_BLOCK_BYTES]!;
    this.#at++;
    return byte;
  }
}
