/**
 * Little-endian writing and reading over one growable buffer. Unsigned integers up to 2^53 − 1 are written as
 * LEB128 varints (`uint`) or as fixed eight bytes (`u53`); nothing here uses BigInt except `int64`.
 */
import { QuorliteError } from './error.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });
const TWO_32 = 4294967296;
/** Up to this many UTF-16 units, copying ASCII by hand beats `TextEncoder`. */
const SHORT_TEXT = 48;

/** Writes into a buffer that grows by doubling. Views handed out stay valid: growing copies, never moves. */
export class ByteWriter {
  bytes: Uint8Array;
  length = 0;
  #view: DataView;

  constructor(capacity: number = 256) {
    this.bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.bytes.buffer);
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const need = this.length + count;
    if (need <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(need, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.#view = new DataView(grown.buffer);
  }

  u8(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  u32(value: number): void {
    this.reserve(4);
    this.#view.setUint32(this.length, value, true);
    this.length += 4;
  }

  /** Overwrites four bytes written earlier. */
  u32At(position: number, value: number): void {
    this.#view.setUint32(position, value, true);
  }

  /** An integer from 0 to 2^53 − 1 in eight bytes. */
  u53(value: number): void {
    this.reserve(8);
    this.#view.setUint32(this.length, value % TWO_32, true);
    this.#view.setUint32(this.length + 4, Math.floor(value / TWO_32), true);
    this.length += 8;
  }

  f64(value: number): void {
    this.reserve(8);
    this.#view.setFloat64(this.length, value, true);
    this.length += 8;
  }

  int64(value: bigint): void {
    this.reserve(8);
    this.#view.setBigInt64(this.length, value, true);
    this.length += 8;
  }

  /** LEB128 of an integer from 0 to 2^53 − 1. */
  uint(value: number): void {
    this.reserve(8);
    const { bytes } = this;
    while (value > 0x7fffffff) {
      bytes[this.length++] = (value % 128) | 128;
      value = Math.floor(value / 128);
    }
    while (value > 127) {
      bytes[this.length++] = (value & 127) | 128;
      value >>>= 7;
    }
    bytes[this.length++] = value;
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
  readonly #view: DataView;

  constructor(bytes: Uint8Array, start: number = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
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
    return this.#view.getUint32(this.#take(4), true);
  }

  u53(): number {
    const at = this.#take(8);
    const high = this.#view.getUint32(at + 4, true);
    if (high > 0x1fffff) throw malformed('an integer exceeds 2^53 - 1');
    return high * TWO_32 + this.#view.getUint32(at, true);
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  int64(): bigint {
    return this.#view.getBigInt64(this.#take(8), true);
  }

  uint(): number {
    let value = this.u8();
    if (value < 128) return value;
    value &= 127;
    for (let scale = 128; ; scale *= 128) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw malformed('an integer exceeds 2^53 - 1');
      if (byte < 128) return value;
    }
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
