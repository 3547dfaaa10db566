/**
 * Linear versions of the built-in functions that run for minutes on huge arguments without a single step:
 * `instr`, `replace`, `trim(X, Y)`, `ltrim(X, Y)`, `rtrim(X, Y)`, `unhex(X, Y)`. Byte for byte the results of the
 * originals; the bytes they look at are charged to the budget.
 */
import { SQLITE } from './codes.ts';
import type { Pointer } from './exports.ts';
import type { SqlFunction } from './functions.ts';
import { CharacterSet, decodeHex, findBytes, replaceBytes } from './linear-bytes.ts';
import type { LinkedInstance } from './linked.ts';

const TYPE_BLOB = 4;
const TYPE_NULL = 5;
const TRANSIENT = -1;
const LIMIT_LENGTH = 0;
/** What SQLite's own trim allocates for each character of Y; it refuses more than the length limit. */
const BYTES_PER_CHARACTER = 8;

/** In the order of the signatures in functions.ts. */
export function createLinearFunctions(linked: LinkedInstance): SqlFunction[] {
  const functions = new LinearFunctions(linked);
  return [
    (context, _argc, argv) => functions.instr(context, argv),
    (context, _argc, argv) => functions.replace(context, argv),
    (context, _argc, argv) => functions.trim(context, argv, true, true),
    (context, _argc, argv) => functions.trim(context, argv, true, false),
    (context, _argc, argv) => functions.trim(context, argv, false, true),
    (context, _argc, argv) => functions.unhex(context, argv),
  ];
}

class LinearFunctions {
  readonly #linked: LinkedInstance;

  constructor(linked: LinkedInstance) {
    this.#linked = linked;
  }

  instr(context: Pointer, argv: Pointer): void {
    const { instance } = this.#linked;
    const { x } = instance;
    const [haystackValue, needleValue] = this.#values(argv, 2) as [Pointer, Pointer];
    const haystackType = x.sqlite3_value_type(haystackValue);
    const needleType = x.sqlite3_value_type(needleValue);
    if (haystackType === TYPE_NULL || needleType === TYPE_NULL) return;
    // A blob is looked at as it is: asking for its text would change its type for whoever sees it next.
    const haystack = this.#bytes(haystackValue, haystackType === TYPE_BLOB);
    const needle = this.#bytes(needleValue, needleType === TYPE_BLOB);
    const blobs = haystackType === TYPE_BLOB && needleType === TYPE_BLOB;
    if (haystack === null || needle === null) {
      x.sqlite3_result_error_nomem(context);
      return;
    }
    if (!this.#charge(context, haystack.length + needle.length)) return;
    if (needle.length === 0) {
      x.sqlite3_result_int(context, 1);
      return;
    }
    const { u8 } = instance;
    const found = findBytes(
      u8.subarray(haystack.start, haystack.start + haystack.length),
      u8.subarray(needle.start, needle.start + needle.length),
      !blobs,
    );
    x.sqlite3_result_int(context, found);
  }

  replace(context: Pointer, argv: Pointer): void {
    const { instance } = this.#linked;
    const { x } = instance;
    const values = this.#values(argv, 3);
    const [text, pattern, by] = values.map((value) => this.#bytes(value, false));
    if (!text || !pattern) return;
    const u8 = instance.u8;
    if (pattern.length === 0 || u8[pattern.start] === 0) {
      x.sqlite3_result_text(context, text.start, text.length, TRANSIENT);
      return;
    }
    if (!by) return;
    if (!this.#charge(context, text.length + pattern.length)) return;
    const result = replaceBytes(instance.u8, text, pattern, by, this.#maxBytes(context));
    if (result === null) {
      x.sqlite3_result_error_toobig(context);
      return;
    }
    if (!this.#charge(context, result.length)) return;
    this.#result(context, result, true);
  }

  trim(context: Pointer, argv: Pointer, left: boolean, right: boolean): void {
    const { instance } = this.#linked;
    const { x } = instance;
    const [text, characters] = this.#values(argv, 2).map((value) => this.#bytes(value, false));
    if (!text || !characters) return;
    if (!this.#charge(context, text.length + characters.length)) return;
    const { u8 } = instance;
    const set = new CharacterSet(
      u8.subarray(characters.start, characters.start + characters.length),
    );
    if (set.size * BYTES_PER_CHARACTER > this.#maxBytes(context)) {
      x.sqlite3_result_error_toobig(context);
      return;
    }
    const charge = (bytes: number): boolean => this.#charge(context, bytes);
    let start = text.start;
    let end = text.start + text.length;
    if (left) start = set.skipForward(u8, start, end, charge);
    if (right && start >= 0) end = set.skipBackward(u8, start, end, charge);
    if (start < 0 || end < 0) return;
    x.sqlite3_result_text(context, start, end - start, TRANSIENT);
  }

  unhex(context: Pointer, argv: Pointer): void {
    const { instance } = this.#linked;
    const [hex, ignored] = this.#values(argv, 2).map((value) => this.#bytes(value, false));
    if (!hex || !ignored) return;
    if (!this.#charge(context, hex.length + ignored.length)) return;
    const result = decodeHex(instance.u8, hex, ignored);
    if (result !== null) this.#result(context, result, false);
  }

  #values(argv: Pointer, count: number): Pointer[] {
    const { i32 } = this.#linked.instance;
    const values: Pointer[] = [];
    for (let i = 0; i < count; i++) values.push(i32[(argv >> 2) + i]!);
    return values;
  }

  /** Where a value's bytes are, converted to text unless `blob`; null for NULL, and when memory ran out. */
  #bytes(value: Pointer, blob: boolean): { start: number; length: number } | null {
    const { x } = this.#linked.instance;
    const start = blob ? x.sqlite3_value_blob(value) : x.sqlite3_value_text(value);
    const length = x.sqlite3_value_bytes(value);
    if (start === 0 && (!blob || length > 0)) return null;
    return { start, length };
  }

  /** Charges; when the budget is used up the function fails like an interrupted statement. */
  #charge(context: Pointer, bytes: number): boolean {
    if (this.#linked.charge(bytes)) return true;
    this.#linked.instance.x.sqlite3_result_error_code(context, SQLITE.INTERRUPT);
    return false;
  }

  /** The longest value that the connection allows. */
  #maxBytes(context: Pointer): number {
    const { x } = this.#linked.instance;
    return x.sqlite3_limit(x.sqlite3_context_db_handle(context), LIMIT_LENGTH, -1);
  }

  #result(context: Pointer, bytes: Uint8Array, text: boolean): void {
    const { instance } = this.#linked;
    const inScratch = bytes.length <= instance.scratchBytes;
    const pointer = inScratch ? instance.scratch : instance.allocate(bytes.length);
    instance.u8.set(bytes, pointer);
    const { x } = instance;
    if (text) x.sqlite3_result_text(context, pointer, bytes.length, TRANSIENT);
    else x.sqlite3_result_blob(context, pointer, bytes.length, TRANSIENT);
    if (!inScratch) x.free(pointer);
  }
}
