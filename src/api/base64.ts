/** Base64 (RFC 4648, section 4) over byte tables: `btoa` and `atob` would go through a text of one unit per byte. */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const PADDING = 61;
const CODES: Uint8Array = Uint8Array.from(ALPHABET, (letter) => letter.charCodeAt(0));
const VALUES: Int8Array = new Int8Array(128).fill(-1);
CODES.forEach((code, value) => {
  VALUES[code] = value;
});
const ascii = new TextDecoder();

/**
 * Bytes as Base64 with padding.
 *
 * @example
 * encodeBase64(Uint8Array.of(1, 2)); // 'AQI='
 */
export function encodeBase64(bytes: Uint8Array): string {
  const out = new Uint8Array(Math.ceil(bytes.length / 3) * 4);
  let at = 0;
  let i = 0;
  for (; i + 2 < bytes.length; i += 3) {
    const three = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | bytes[i + 2]!;
    out[at++] = CODES[three >> 18]!;
    out[at++] = CODES[(three >> 12) & 63]!;
    out[at++] = CODES[(three >> 6) & 63]!;
    out[at++] = CODES[three & 63]!;
  }
  const rest = bytes.length - i;
  if (rest > 0) {
    const last = (bytes[i]! << 16) | (rest === 2 ? bytes[i + 1]! << 8 : 0);
    out[at++] = CODES[last >> 18]!;
    out[at++] = CODES[(last >> 12) & 63]!;
    out[at++] = rest === 2 ? CODES[(last >> 6) & 63]! : PADDING;
    out[at] = PADDING;
  }
  return ascii.decode(out);
}

/**
 * The bytes of a Base64 text; padding may be left out. Null for other letters, a wrong length, or bits that no encoder
 * would set (two texts never mean the same bytes, padding aside).
 */
export function decodeBase64(text: string): Uint8Array | null {
  let length = text.length;
  if (length % 4 === 0 && length > 0 && text.charCodeAt(length - 1) === PADDING) {
    length -= text.charCodeAt(length - 2) === PADDING ? 2 : 1;
  }
  const rest = length % 4;
  if (rest === 1) return null;
  const out = new Uint8Array(Math.floor((length * 3) / 4));
  let at = 0;
  let invalid = 0;
  let bits = 0;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    const value = code < 128 ? VALUES[code]! : -1;
    invalid |= value;
    bits = (bits << 6) | (value & 63);
    if (i % 4 === 3) {
      out[at++] = bits >> 16;
      out[at++] = bits >> 8;
      out[at++] = bits;
      bits = 0;
    }
  }
  if (invalid < 0) return null;
  if (rest === 2) {
    if (bits & 15) return null;
    out[at] = bits >> 4;
  } else if (rest === 3) {
    if (bits & 3) return null;
    out[at++] = bits >> 10;
    out[at] = bits >> 2;
  }
  return out;
}
