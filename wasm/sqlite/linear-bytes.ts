/** Linear algorithms on bytes behind the functions in linear.ts. They know nothing of SQLite's memory. */

/** Bytes `[start, start + length)` of an array. */
export interface Span {
  readonly start: number;
  readonly length: number;
}

/** Says whether so many more bytes may be looked at. */
export type Charge = (bytes: number) => boolean;

/** Knuth, Morris and Pratt: for each prefix of `pattern`, the length of its longest proper border. */
function borders(pattern: Uint8Array): Int32Array {
  const table = new Int32Array(pattern.length);
  for (let i = 1, k = 0; i < pattern.length; i++) {
    while (k > 0 && pattern[i] !== pattern[k]) k = table[k - 1]!;
    if (pattern[i] === pattern[k]) k++;
    table[i] = k;
  }
  return table;
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}

/**
 * As `instr`: the position from 1 of `needle`, which is not empty, or 0. With `characters` positions count UTF-8
 * characters, and a match must begin where a character does.
 */
export function findBytes(haystack: Uint8Array, needle: Uint8Array, characters: boolean): number {
  const table = borders(needle);
  for (let i = 0, k = 0; i < haystack.length; i++) {
    while (k > 0 && haystack[i] !== needle[k]) k = table[k - 1]!;
    if (haystack[i] === needle[k]) k++;
    if (k < needle.length) continue;
    const at = i + 1 - needle.length;
    if (!characters) return at + 1;
    if (at === 0 || !isContinuation(haystack[at]!)) return countCharacters(haystack, at) + 1;
    k = table[k - 1]!;
  }
  return 0;
}

/** Characters that end before byte `end`, where one begins. Stray continuation bytes at the start belong to the first. */
function countCharacters(bytes: Uint8Array, end: number): number {
  let count = 0;
  for (let i = 1; i <= end; i++) {
    if (i === end || !isContinuation(bytes[i]!)) count++;
  }
  return count;
}

/** As `replace`: every occurrence of `pattern`, from the left. Null when the result exceeds `maxBytes`. */
export function replaceBytes(
  bytes: Uint8Array,
  textSpan: Span,
  patternSpan: Span,
  bySpan: Span,
  maxBytes: number,
): Uint8Array | null {
  if (textSpan.length + 1 > maxBytes) return null;
  const text = part(bytes, textSpan);
  const pattern = part(bytes, patternSpan);
  const by = part(bytes, bySpan);
  const found = occurrences(text, pattern);
  const length = text.length + found.length * (by.length - pattern.length);
  if (length > maxBytes) return null;
  const out = new Uint8Array(length);
  let from = 0;
  let to = 0;
  for (const at of found) {
    out.set(text.subarray(from, at), to);
    to += at - from;
    out.set(by, to);
    to += by.length;
    from = at + pattern.length;
  }
  out.set(text.subarray(from), to);
  return out;
}

function part(bytes: Uint8Array, span: Span): Uint8Array {
  return bytes.subarray(span.start, span.start + span.length);
}

function occurrences(text: Uint8Array, pattern: Uint8Array): number[] {
  const table = borders(pattern);
  const found: number[] = [];
  for (let i = 0, k = 0; i < text.length; i++) {
    while (k > 0 && text[i] !== pattern[k]) k = table[k - 1]!;
    if (text[i] === pattern[k]) k++;
    if (k < pattern.length) continue;
    found.push(i + 1 - pattern.length);
    k = 0;
  }
  return found;
}

/** A character of the set: its bytes and its place in the set, since the first that fits is taken. */
interface LongCharacter {
  readonly bytes: Uint8Array;
  readonly rank: number;
}

/**
 * The characters that `trim(X, Y)` cuts off. A character is what SQLite takes for one: a byte, or a byte from 0xC0 on
 * with all continuation bytes behind it, so that invalid text has characters of any length.
 */
export class CharacterSet {
  /** Characters, repeated ones included; a NUL ends the set. */
  readonly size: number;
  /** Rank by the one byte, by two, three and four bytes packed into a number; 0 bytes are never used. */
  readonly #ranks: readonly Map<number, number>[] = [0, 1, 2, 3, 4].map(() => new Map());
  readonly #long: LongCharacter[] = [];

  constructor(set: Uint8Array) {
    let rank = 0;
    for (let at = 0; at < set.length && set[at] !== 0; rank++) {
      const start = at;
      if (set[at++]! >= 0xc0) while (at < set.length && isContinuation(set[at]!)) at++;
      this.#add(set.subarray(start, at), rank);
    }
    this.size = rank;
  }

  #add(bytes: Uint8Array, rank: number): void {
    if (bytes.length > 4) {
      this.#long.push({ bytes: bytes.slice(), rank });
      return;
    }
    const key = pack(bytes, 0, bytes.length);
    const ranks = this.#ranks[bytes.length]!;
    if (!ranks.has(key)) ranks.set(key, rank);
  }

  /** Where the text in `[start, end)` begins once leading characters of the set are gone; -1: `charge` said no. */
  skipForward(bytes: Uint8Array, start: number, end: number, charge: Charge): number {
    while (start < end) {
      const length = this.#fit(bytes, end - start, charge, () => start);
      if (length <= 0) return length < 0 ? -1 : start;
      start += length;
    }
    return start;
  }

  /** Where the text ends once trailing characters of the set are gone; -1: `charge` said no. */
  skipBackward(bytes: Uint8Array, start: number, end: number, charge: Charge): number {
    while (start < end) {
      const length = this.#fit(bytes, end - start, charge, (length) => end - length);
      if (length <= 0) return length < 0 ? -1 : end;
      end -= length;
    }
    return end;
  }

  /** Length of the first character of the set that stands at `at(length)`; 0 for none, -1 when `charge` says no. */
  #fit(bytes: Uint8Array, room: number, charge: Charge, at: (length: number) => number): number {
    let best = Number.MAX_SAFE_INTEGER;
    let fitting = 0;
    for (let length = 1; length <= 4 && length <= room; length++) {
      const ranks = this.#ranks[length]!;
      if (ranks.size === 0) continue;
      const rank = ranks.get(pack(bytes, at(length), length));
      if (rank === undefined || rank >= best) continue;
      best = rank;
      fitting = length;
    }
    for (const { bytes: character, rank } of this.#long) {
      if (rank >= best) break;
      if (character.length > room) continue;
      if (!charge(character.length)) return -1;
      if (!equalAt(bytes, at(character.length), character)) continue;
      return character.length;
    }
    return fitting;
  }
}

function pack(bytes: Uint8Array, at: number, length: number): number {
  let key = 0;
  for (let i = 0; i < length; i++) key = key * 256 + bytes[at + i]!;
  return key;
}

function equalAt(bytes: Uint8Array, at: number, other: Uint8Array): boolean {
  for (let i = 0; i < other.length; i++) if (bytes[at + i] !== other[i]) return false;
  return true;
}

/** As `unhex(X, Y)`: pairs of hexadecimal digits, with characters of Y between them; null when there is anything else. */
export function decodeHex(bytes: Uint8Array, hexSpan: Span, ignoredSpan: Span): Uint8Array | null {
  const hex = part(bytes, hexSpan);
  const ignored = characterCodes(part(bytes, ignoredSpan));
  const out = new Uint8Array((hex.length >> 1) + 1);
  let length = 0;
  for (let at = 0; at < hex.length && hex[at] !== 0; ) {
    const high = hexDigit(hex[at]!);
    if (high < 0) {
      const { code, next } = readCharacter(hex, at);
      if (!ignored.has(code)) return null;
      at = next;
      continue;
    }
    const low = hexDigit(hex[at + 1] ?? 0);
    if (low < 0) return null;
    out[length++] = high * 16 + low;
    at += 2;
  }
  return out.subarray(0, length);
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function characterCodes(bytes: Uint8Array): Set<number> {
  const codes = new Set<number>();
  for (let at = 0; at < bytes.length; ) {
    const { code, next } = readCharacter(bytes, at);
    codes.add(code);
    at = next;
  }
  return codes;
}

/** One character as SQLite's `sqlite3Utf8Read` reads it, invalid text included. */
function readCharacter(bytes: Uint8Array, at: number): { code: number; next: number } {
  const first = bytes[at++]!;
  if (first < 0xc0) return { code: first, next: at };
  let code =
    first & (first < 0xe0 ? 0x1f : first < 0xf0 ? 0x0f : first < 0xf8 ? 0x07 : leadBits(first));
  while (at < bytes.length && isContinuation(bytes[at]!)) {
    code = ((code << 6) + (bytes[at++]! & 0x3f)) | 0;
  }
  const unsigned = code >>> 0;
  const invalid =
    unsigned < 0x80 || (code & 0xfffff800) === (0xd800 | 0) || (code & 0xfffffffe) >>> 0 === 0xfffe;
  return { code: invalid ? 0xfffd : unsigned, next: at };
}

/** SQLite's table for lead bytes that UTF-8 does not have: 0xF8..0xFB, 0xFC..0xFD, 0xFE, 0xFF. */
function leadBits(first: number): number {
  if (first < 0xfc) return 0x03;
  if (first < 0xfe) return 0x01;
  return 0x00;
}
