/** A compiled statement. */
import { assert } from '../../src/wire/assert.ts';
import type { SqlValue, Statement } from '../engine.ts';
import type { StatementRights } from './authorizer.ts';
import { SQLITE } from './codes.ts';
import type { Connection } from './connection.ts';
import { plainError, readError } from './errors.ts';
import type { Pointer } from './exports.ts';
import type { Instance } from './instance.ts';
import type { StatementTables } from './tables.ts';
import { decodeText, encodeText } from './text.ts';

const TRANSIENT = -1;
const CELL_BYTES = 16;
/** Up to this many bytes, copying one by one is faster than a view and a call. */
const SHORT_TEXT_BYTES = 64;
const TYPE_INTEGER = 1;
const TYPE_REAL = 2;
const TYPE_TEXT = 3;
const TYPE_BLOB = 4;
const TYPE_BIG_INTEGER = 6;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** See `Statement`. Made by a connection. */
export class CompiledStatement implements Statement {
  readonly sql: string;
  /** Offset in `sql` where the statement begins; not 0 only in scripts. */
  readonly from: number;
  readonly readonly: boolean;
  readonly explain: boolean;
  readonly parameterCount: number;
  readonly rights: StatementRights;
  /** Bytes of heap that compiling took at its peak. */
  readonly compileBytes: number;
  /** The connection's schema generation when it was compiled. */
  readonly generation: number;
  columnCount: number;
  /** Between its first step and reset. */
  running = false;
  readonly #connection: Connection;
  readonly #instance: Instance;
  #pointer: Pointer;
  #retired = false;
  #tables: StatementTables | null = null;

  constructor(
    connection: Connection,
    pointer: Pointer,
    sql: string,
    from: number,
    rights: StatementRights,
    compileBytes: number,
  ) {
    const { instance } = connection;
    const { x } = instance;
    this.sql = sql;
    this.from = from;
    this.rights = rights;
    this.compileBytes = compileBytes;
    this.generation = connection.schemaGeneration;
    this.#connection = connection;
    this.#instance = instance;
    this.#pointer = pointer;
    this.readonly = x.sqlite3_stmt_readonly(pointer) !== 0;
    this.explain = x.sqlite3_stmt_isexplain(pointer) !== 0;
    this.parameterCount = x.sqlite3_bind_parameter_count(pointer);
    this.columnCount = x.sqlite3_column_count(pointer);
  }

  parameterName(index: number): string | null {
    return this.#instance.text(this.#instance.x.sqlite3_bind_parameter_name(this.#pointer, index));
  }

  tables(): StatementTables {
    const generation = this.#connection.schemaGeneration;
    if (this.#tables === null || this.#tables.generation !== generation) {
      this.#tables = this.#connection.collectTables(this.sql, this.from, this.rights);
    }
    return this.#tables;
  }

  columnNames(): string[] {
    const names: string[] = [];
    for (let i = 0; i < this.columnCount; i++) {
      names.push(this.#instance.text(this.#instance.x.sqlite3_column_name(this.#pointer, i)) ?? '');
    }
    return names;
  }

  columnTypes(): (string | null)[] {
    const types: (string | null)[] = [];
    for (let i = 0; i < this.columnCount; i++) {
      types.push(this.#instance.text(this.#instance.x.sqlite3_column_decltype(this.#pointer, i)));
    }
    return types;
  }

  bindNull(index: number): void {
    this.#check(this.#instance.x.sqlite3_bind_null(this.#pointer, index));
  }

  bindInteger(index: number, value: number): void {
    const rc =
      (value | 0) === value
        ? this.#instance.x.sqlite3_bind_int(this.#pointer, index, value)
        : this.#instance.t.bindInteger(this.#pointer, index, value);
    if (rc !== SQLITE.OK) this.#check(rc);
  }

  bindBigint(index: number, value: bigint): void {
    if (value < INT64_MIN || value > INT64_MAX) {
      throw plainError(SQLITE.MISMATCH, `the integer ${value} does not fit into 64 bits`);
    }
    this.#check(this.#instance.x.sqlite3_bind_int64(this.#pointer, index, value));
  }

  bindReal(index: number, value: number): void {
    if (Number.isNaN(value)) throw plainError(SQLITE.MISMATCH, 'NaN is not a value in SQL');
    const rc = this.#instance.x.sqlite3_bind_double(this.#pointer, index, value);
    if (rc !== SQLITE.OK) this.#check(rc);
  }

  bindText(index: number, value: string): void {
    const instance = this.#instance;
    if (value.length * 3 <= instance.scratchBytes) {
      const bytes = encodeText(instance.u8, instance.scratch, value);
      this.#bindBytes(index, instance.scratch, bytes, true);
      return;
    }
    const { pointer, bytes } = instance.allocateText(value);
    this.#bindBytes(index, pointer, bytes, true);
  }

  bindTextBytes(
    index: number,
    bytes: Uint8Array,
    start: number = 0,
    end: number = bytes.length,
  ): void {
    const length = end - start;
    if (length > SHORT_TEXT_BYTES) {
      this.#bindCopy(index, bytes.subarray(start, end), true);
      return;
    }
    const { u8, scratch } = this.#instance;
    for (let i = 0; i < length; i++) u8[scratch + i] = bytes[start + i]!;
    this.#bindBytes(index, scratch, length, true);
  }

  bindBlob(index: number, value: Uint8Array): void {
    if (value.length > 0) this.#bindCopy(index, value, false);
    else this.#check(this.#instance.x.sqlite3_bind_zeroblob(this.#pointer, index, 0));
  }

  #bindCopy(index: number, value: Uint8Array, text: boolean): void {
    const instance = this.#instance;
    const inScratch = value.length <= instance.scratchBytes;
    const pointer = inScratch ? instance.scratch : instance.allocate(value.length);
    instance.u8.set(value, pointer);
    this.#bindBytes(index, pointer, value.length, text);
  }

  /** Binds bytes that stand in the scratch space or in memory of their own, which is freed. */
  #bindBytes(index: number, pointer: Pointer, bytes: number, text: boolean): void {
    const { x, scratch } = this.#instance;
    const rc = text
      ? x.sqlite3_bind_text(this.#pointer, index, pointer, bytes, TRANSIENT)
      : x.sqlite3_bind_blob(this.#pointer, index, pointer, bytes, TRANSIENT);
    if (pointer !== scratch) x.free(pointer);
    if (rc !== SQLITE.OK) this.#check(rc);
  }

  bind(index: number, value: SqlValue): void {
    if (typeof value === 'string') this.bindText(index, value);
    else if (typeof value === 'number') {
      if ((value | 0) === value && !Object.is(value, -0)) this.bindInteger(index, value);
      else if (Number.isSafeInteger(value) && value !== 0) this.bindInteger(index, value);
      else this.bindReal(index, value);
    } else if (value === null) this.bindNull(index);
    else if (typeof value === 'bigint') this.bindBigint(index, value);
    else {
      assert(value instanceof Uint8Array, () => `a ${typeof value} is not a value in SQL`);
      this.bindBlob(index, value);
    }
  }

  clearBindings(): void {
    this.#instance.x.sqlite3_clear_bindings(this.#pointer);
  }

  step(): boolean {
    const first = !this.running;
    if (first) {
      assert(this.#pointer !== 0, 'a finalized statement was used');
      this.#connection.beforeRun(this);
      this.running = true;
    }
    const rc = this.#connection.step(this.#pointer, first);
    if (rc === SQLITE.ROW) {
      if (first) this.columnCount = this.#instance.x.sqlite3_data_count(this.#pointer);
      return true;
    }
    if (rc === SQLITE.DONE) {
      this.reset();
      return false;
    }
    throw this.#failed(rc);
  }

  #failed(rc: number): Error {
    const connection = this.#connection;
    const error = readError(this.#instance, connection.db, rc, {
      refusal: connection.refusal,
      interrupt: connection.interruptKind,
      sql: this.sql,
      from: this.from,
    });
    if (error.kind !== 'crash') this.reset();
    connection.afterError();
    return error;
  }

  row(): SqlValue[] {
    const instance = this.#instance;
    const count = this.columnCount;
    const needed = count * CELL_BYTES;
    const cells = needed <= instance.scratchBytes ? instance.scratch : instance.allocate(needed);
    try {
      instance.t.row(this.#pointer, count, cells);
    } catch (error) {
      throw instance.crash(error);
    }
    const values = new Array<SqlValue>(count);
    for (let i = 0; i < count; i++) values[i] = this.#value(cells + i * CELL_BYTES);
    if (cells !== instance.scratch) instance.x.free(cells);
    return values;
  }

  column(index: number): SqlValue {
    const instance = this.#instance;
    try {
      instance.t.cell(this.#pointer, index, instance.scratch);
    } catch (error) {
      throw instance.crash(error);
    }
    return this.#value(instance.scratch);
  }

  #value(cell: Pointer): SqlValue {
    const instance = this.#instance;
    const words = instance.i32;
    const at = cell >> 2;
    switch (words[at]) {
      case TYPE_INTEGER:
      case TYPE_REAL:
        return instance.f64[(cell >> 3) + 1]!;
      case TYPE_TEXT:
        return this.#textAt(words[at + 2]!, words[at + 1]!);
      case TYPE_BLOB: {
        const start = words[at + 2]!;
        return instance.u8.slice(start, start + words[at + 1]!);
      }
      case TYPE_BIG_INTEGER:
        return instance.int64(cell + 8);
      default:
        return null;
    }
  }

  #textAt(pointer: Pointer, bytes: number): string {
    if (pointer === 0) throw this.#failed(SQLITE.NOMEM);
    return decodeText(this.#instance.u8, pointer, bytes);
  }

  rowBytes(): number {
    return this.#instance.t.rowBytes(this.#pointer, this.columnCount);
  }

  reset(): void {
    if (!this.running) return;
    this.running = false;
    this.#instance.x.sqlite3_reset(this.#pointer);
    if (this.#retired) this.finalize();
  }

  finalize(): void {
    if (this.#pointer === 0) return;
    const pointer = this.#pointer;
    this.#pointer = 0;
    this.running = false;
    if (!this.#instance.dead) this.#instance.x.sqlite3_finalize(pointer);
  }

  /** Leaves its cache: finalized now, or when its run ends. */
  retire(): void {
    this.#retired = true;
    if (!this.running) this.finalize();
  }

  #check(rc: number): void {
    if (rc === SQLITE.OK) return;
    if (rc === SQLITE.TOOBIG) throw plainError(rc, 'string or blob too big');
    throw readError(this.#instance, this.#connection.db, rc, {
      refusal: null,
      interrupt: this.#connection.interruptKind,
      sql: this.sql,
      from: this.from,
    });
  }
}
