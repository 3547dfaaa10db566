/**
 * Texts of statements, interned: applying an entry compares the bytes of a statement with those seen before instead of
 * decoding them, and everything that depends on the text alone is worked out once.
 */
import type { Statement } from '../../../wasm/engine.ts';
import type { ByteReader } from '../../wire/bytes.ts';
import type { Column } from '../../wire/result.ts';
import { type Maintenance, maintenanceOf } from '../sql-text.ts';
import { type ParamShape, shapeOf } from './params.ts';

/** Slots of the table; a text that falls on a taken slot takes it over. */
const SLOTS = 1024;
/** Longer texts are not kept. */
const TEXT_BYTES = 4096;
const NONE: readonly string[] = [];

/** One text, and what is known of it. */
export class SqlText {
  readonly sql: string;
  readonly bytes: Uint8Array;
  readonly maintenance: Maintenance | null;
  #shape: ParamShape | null = null;
  #columns: readonly Column[] | undefined;
  #written: readonly string[] = NONE;
  #columnsAt = -1;
  #writtenAt = -1;

  constructor(sql: string, bytes: Uint8Array) {
    this.sql = sql;
    this.bytes = bytes;
    this.maintenance = maintenanceOf(sql);
  }

  /** How its parameters are bound; the text alone decides. */
  shape(statement: Statement): ParamShape {
    return (this.#shape ??= shapeOf(statement, this.sql));
  }

  /**
   * Columns of its rows, asked after its first step. `schema` counts changes of the schema: what is kept holds for one
   * number.
   */
  columns(statement: Statement, schema: number): readonly Column[] | undefined {
    if (this.#columnsAt !== schema) {
      this.#columnsAt = schema;
      this.#columns = columnsOf(statement);
    }
    return this.#columns;
  }

  /** Tables that it writes to, triggers and foreign key actions included; asked before it runs. */
  written(statement: Statement, schema: number): readonly string[] {
    if (this.#writtenAt !== schema) {
      this.#writtenAt = schema;
      this.#written = writtenBy(statement);
    }
    return this.#written;
  }
}

/** Tables that a statement writes to. Asked before it runs: afterwards it may compile no more. */
export function writtenBy(statement: Statement): readonly string[] {
  return statement.readonly ? NONE : statement.tables().written;
}

/** Whether a statement that writes to these tables changes the schema. */
export function isSchemaChange(written: readonly string[]): boolean {
  return written.includes('sqlite_master') || written.includes('sqlite_schema');
}

/** Columns of a statement, undefined when it returns no rows. Read after the first step, they are never stale. */
export function columnsOf(statement: Statement): readonly Column[] | undefined {
  if (statement.columnCount === 0) return undefined;
  const types = statement.columnTypes();
  return statement.columnNames().map((name, i) => ({ name, decltype: types[i] ?? null }));
}

/** The texts seen lately, in a direct-mapped table. */
export class SqlTexts {
  readonly #slots = new Array<SqlText | null>(SLOTS).fill(null);

  /** Reads a text where `input` stands. Throws `BAD_REQUEST` when it is not UTF-8 or ends too early. */
  read(input: ByteReader): SqlText {
    const start = input.at;
    const length = input.uint();
    const { bytes, at } = input;
    if (length > TEXT_BYTES || length > input.remaining || length === 0) {
      input.at = start;
      return new SqlText(input.text(), NO_BYTES);
    }
    const slot = slotOf(bytes, at, length);
    const known = this.#slots[slot]!;
    if (known !== null && sameText(known.bytes, bytes, at, length)) {
      input.at = at + length;
      return known;
    }
    input.at = start;
    const text = new SqlText(input.text(), bytes.slice(at, at + length));
    this.#slots[slot] = text;
    return text;
  }
}

const NO_BYTES = new Uint8Array(0);

/** A cheap hash: statements differ in length, near their start, in the middle or at the end. */
function slotOf(bytes: Uint8Array, at: number, length: number): number {
  const quarter = length >> 2;
  let hash = length;
  for (let i = 1; i <= 4; i++)
    hash = (hash * 31 + bytes[at + Math.min(i * quarter, length - 1)]!) | 0;
  hash = (hash * 31 + bytes[at + Math.min(12, length - 1)]!) | 0;
  hash = (hash * 31 + bytes[at + Math.min(17, length - 1)]!) | 0;
  return (hash ^ (hash >>> 10)) & (SLOTS - 1);
}

function sameText(known: Uint8Array, bytes: Uint8Array, at: number, length: number): boolean {
  if (known.length !== length) return false;
  for (let i = 0; i < length; i++) if (known[i] !== bytes[at + i]) return false;
  return true;
}
