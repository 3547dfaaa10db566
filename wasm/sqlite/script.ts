/** A text of several statements, encoded once, in which compiling goes forward. */

import { SQLITE } from './codes.ts';
import { plainError } from './errors.ts';
import type { Pointer } from './exports.ts';
import type { Instance } from './instance.ts';
import { encodeText, unitsOfBytes } from './text.ts';

/** Keeps the UTF-8 copy of a text and translates offsets between the two. Freed when its end was reached. */
export class Script {
  readonly sql: string;
  readonly #instance: Instance;
  readonly #pointer: Pointer;
  readonly #bytes: number;
  #freed = false;
  /** The position reached, in UTF-16 units and in bytes. */
  #units = 0;
  #offset = 0;

  /** Throws an SQL error for a text that contains NUL, where SQLite would silently stop. */
  constructor(instance: Instance, sql: string) {
    const nul = sql.indexOf('\0');
    if (nul >= 0) throw plainError(SQLITE.ERROR, 'the SQL text contains a NUL character', nul);
    const { pointer, bytes } = instance.allocateText(sql);
    this.sql = sql;
    this.#instance = instance;
    this.#pointer = pointer;
    this.#bytes = bytes;
  }

  /** Whether compiling `sql` from UTF-16 offset `from` goes on in this script. */
  continues(sql: string, from: number): boolean {
    return !this.#freed && this.sql === sql && from >= this.#units;
  }

  /** Whether the end was reached. */
  get done(): boolean {
    return this.#offset >= this.#bytes;
  }

  /** Address of the byte at UTF-16 offset `units`, at or behind the position reached. */
  seek(units: number): Pointer {
    if (units > this.#units) {
      this.#offset += this.#byteLength(this.#units, units);
      this.#units = units;
    }
    return this.#pointer + this.#offset;
  }

  /** UTF-16 offset of the byte at address `at`, which becomes the position reached. */
  unitsAt(at: Pointer): number {
    const bytes = at - this.#pointer - this.#offset;
    this.#units += unitsOfBytes(this.sql, this.#units, bytes);
    this.#offset += bytes;
    return this.#units;
  }

  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    if (!this.#instance.dead) this.#instance.x.free(this.#pointer);
  }

  #byteLength(from: number, to: number): number {
    const instance = this.#instance;
    const copy = instance.allocate(3 * (to - from));
    const bytes = encodeText(instance.u8, copy, this.sql.slice(from, to));
    instance.x.free(copy);
    return bytes;
  }
}
