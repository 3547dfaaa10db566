/**
 * Little-endian writing and reading over one growable buffer. Unsigned integers up to 2^53 − 1 are written as
 * LEB128 varints (`uint`) or as fixed eight bytes (`u53`); nothing here uses BigInt except `int64`.
 */
import { QuorliteError } from './error.ts';
import type { TextAbove } from './text-above.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });
const TWO_32 = 4294967296;
/** Integers are split here: 28 bits are four groups of seven, and 53 − 28 fit into 32-bit arithmetic. */
const TWO_28 = 268435456;
/** Up to this many UTF-16 units, copying ASCII by hand beats `TextEncoder`. */
const SHORT_TEXT = 48;

/** Writes into a buffer that grows by doubling. Views handed out stay valid: growing copies, never moves. */
export class ByteWriter {
  bytes: Uint8Array;
  length = 0;
  /** In the writer of a batch: the text that its next statement need not repeat. */
  above: TextAbove | null = null;
  /** Made when first needed: most writers never need one. */
  #view: DataView | null = null;

  constructor(capacity: number = 256) {
    this.bytes = new Uint8Array(capacity);
  }

  get #floats(): DataView {
    return (this.#view ??= new DataView(this.bytes.buffer));
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const need = this.length + count;
    if (need <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(need, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.#view = null;
  }

  u8(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  u32(value: number): void {
    this.reserve(4);
    this.u32At(this.length, value);
    this.length += 4;
  }

  /** Overwrites four bytes written earlier. */
  u32At(position: number, value: number): void {
    const { bytes } = this;
    bytes[position] = value;
    bytes[position + 1] = value >>> 8;
    bytes[position + 2] = value >>> 16;
    bytes[position + 3] = value >>> 24;
  }

  /** An integer from 0 to 2^53 − 1 in eight bytes. */
  u53(value: number): void {
    this.reserve(8);
    this.u32At(this.length, value % TWO_32);
    this.u32At(this.length + 4, Math.floor(value / TWO_32));
    this.length += 8;
  }

  f64(value: number): void {
    this.reserve(8);
    this.#floats.setFloat64(this.length, value, true);
    this.length += 8;
  }

  int64(value: bigint): void {
    this.reserve(8);
    this.#floats.setBigInt64(this.length, value, true);
    this.length += 8;
  }

  /** LEB128 of an integer from 0 to 2^53 − 1. */
  uint(value: number): void {
    this.reserve(8);
    const { bytes } = this;
    let at = this.length;
    if (value > 0x7fffffff) {
      const high = Math.floor(value / TWO_28);
      const low = value - high * TWO_28;
      bytes[at] = (low & 127) | 128;
      bytes[at + 1] = ((low >>> 7) & 127) | 128;
      bytes[at + 2] = ((low >>> 14) & 127) | 128;
      bytes[at + 3] = (low >>> 21) | 128;
      at += 4;
      value = high;
    }
    while (value > 127) {
      bytes[at++] = (value & 127) | 128;
      value >>>= 7;
    }
    bytes[at] = value;
    this.length = at + 1;
  }

  /** Raw bytes, no length. */
  raw(value: Uint8Array): void {
    this.reserve(value.length);
    this.bytes.set(value, this.length);
    this.length += value.length;
  }

  /** Length, then bytes. */
  blob(value: Uint8Array): void {
    this.uint(value.length);
    this.raw(value);
  }

  /** Length in bytes, then UTF-8. Lone surrogates become U+FFFD, as everywhere on the web. */
  text(value: string): void {
    const units = value.length;
    if (units <= SHORT_TEXT) {
      this.reserve(units + 1);
      const { bytes, length } = this;
      let i = 0;
      for (; i < units; i++) {
        const code = value.charCodeAt(i);
        if (code > 127) break;
        bytes[length + 1 + i] = code;
      }
      if (i === units) {
        bytes[length] = units;
        this.length = length + 1 + units;
        return;
      }
    }
    const encoded = encoder.encode(value);
    this.uint(encoded.length);
    this.raw(encoded);
  }

  /** The bytes written so far: a view, not a copy. */
  view(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /** The bytes written so far, as a buffer of their own; the writer starts again from nothing. */
  take(): Uint8Array {
    const taken = this.bytes.slice(0, this.length);
    this.length = 0;
    return taken;
  }
}

/** Reads what `ByteWriter` wrote. Malformed input is a `BAD_REQUEST`, never an out-of-range read. */
export class ByteReader {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;
  #view: DataView | null = null;

  constructor(bytes: Uint8Array, start: number = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  get #floats(): DataView {
    const { bytes } = this;
    return (this.#view ??= new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }

  get remaining(): number {
    return this.end - this.at;
  }

  #take(count: number): number {
    const at = this.at;
    if (count > this.end - at) throw malformed('the message ends too early');
    this.at = at + count;
    return at;
  }

  u8(): number {
    return this.bytes[this.#take(1)]!;
  }

  u32(): number {
    return this.#u32At(this.#take(4));
  }

  #u32At(at: number): number {
    const { bytes } = this;
    const high = (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    return (bytes[at]! | (bytes[at + 1]! << 8) | high) >>> 0;
  }

  u53(): number {
    const at = this.#take(8);
    const high = this.#u32At(at + 4);
    if (high > 0x1fffff) throw malformed('an integer exceeds 2^53 - 1');
    return high * TWO_32 + this.#u32At(at);
  }

  f64(): number {
    return this.#floats.getFloat64(this.#take(8), true);
  }

  int64(): bigint {
    return this.#floats.getBigInt64(this.#take(8), true);
  }

  uint(): number {
    let value = this.u8();
    if (value < 128) return value;
    value &= 127;
    for (let shift = 7; shift < 28; shift += 7) {
      const byte = this.u8();
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
    for (let scale = TWO_28; ; scale *= 128) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw malformed('an integer exceeds 2^53 - 1');
      if (byte < 128) return value;
    }
  }

  /** Goes past `count` bytes. */
  skip(count: number): void {
    this.#take(count);
  }

  /** `count` bytes as a view into the input. */
  raw(count: number): Uint8Array {
    const at = this.#take(count);
    return this.bytes.subarray(at, at + count);
  }

  /** Length-prefixed bytes as a view into the input. */
  blob(): Uint8Array {
    return this.raw(this.uint());
  }

  text(): string {
    const length = this.uint();
    const at = this.#take(length);
    if (length <= SHORT_TEXT) {
      let text = '';
      let i = at;
      for (const end = at + length; i < end; i++) {
        const byte = this.bytes[i]!;
        if (byte > 127) break;
        text += String.fromCharCode(byte);
      }
      if (i === at + length) return text;
    }
    try {
      return decoder.decode(this.bytes.subarray(at, at + length));
    } catch {
      throw malformed('text is not valid UTF-8');
    }
  }

  /** Throws unless everything was read. */
  finish(): void {
    if (this.at !== this.end) throw malformed(`${this.end - this.at} bytes too many`);
  }
}

function malformed(what: string): QuorliteError {
  return new QuorliteError('BAD_REQUEST', `malformed bytes: ${what}`);
}
