/** Text across the border: JavaScript's UTF-16 and SQLite's UTF-8, with a fast path for short ASCII. */

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Up to this many bytes are looked at one by one in JavaScript; beyond it the platform's coder is faster. */
const SHORT = 48;

/** One string per ASCII character, so that short texts allocate no intermediate strings. */
const ASCII: readonly string[] = Array.from({ length: 128 }, (_, code) =>
  String.fromCharCode(code),
);

/** Decodes `length` bytes of UTF-8 at `at`; invalid sequences become U+FFFD. */
export function decodeText(bytes: Uint8Array, at: number, length: number): string {
  if (length <= SHORT) {
    let text = '';
    const end = at + length;
    for (let i = at; i < end; i++) {
      const code = bytes[i]!;
      if (code > 127) return decoder.decode(bytes.subarray(at, end));
      text += ASCII[code];
    }
    return text;
  }
  return decoder.decode(bytes.subarray(at, at + length));
}

/** Decodes a NUL-terminated text. */
export function decodeCString(bytes: Uint8Array, at: number): string {
  let end = at;
  while (bytes[end] !== 0) end++;
  return decodeText(bytes, at, end - at);
}

/** Writes `text` as UTF-8 at `at`, where at least three bytes per UTF-16 unit are free; returns the bytes written. */
export function encodeText(bytes: Uint8Array, at: number, text: string): number {
  const length = text.length;
  if (length <= SHORT) {
    let i = 0;
    for (; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 127) break;
      bytes[at + i] = code;
    }
    if (i === length) return length;
  }
  return encoder.encodeInto(text, bytes.subarray(at, at + 3 * length)).written;
}

/** UTF-16 units of `text` from unit `from` on that make up `byteCount` bytes of UTF-8. */
export function unitsOfBytes(text: string, from: number, byteCount: number): number {
  let unit = from;
  let left = byteCount;
  while (left > 0 && unit < text.length) {
    const code = text.charCodeAt(unit);
    if (code < 0x80) left -= 1;
    else if (code < 0x800) left -= 2;
    else if (code >= 0xd800 && code < 0xdc00 && isLow(text.charCodeAt(unit + 1))) {
      left -= 4;
      unit++;
    } else left -= 3;
    unit++;
  }
  return unit - from;
}

function isLow(code: number): boolean {
  return code >= 0xdc00 && code < 0xe000;
}
