/** What a command sees while it runs: one object per state machine, set anew for every command. */
import type { Statement, Writer } from '../../../wasm/engine.ts';
import { ByteReader } from '../../wire/bytes.ts';
import type { LogIndex } from '../../wire/entry.ts';
import { QuorliteError } from '../../wire/error.ts';
import type { Column, StatementResult } from '../../wire/result.ts';
import type { SqlValue } from '../../wire/value.ts';
import { rowBytes } from '../kept.ts';
import { type ClusterSettings, DEFAULT_SETTINGS } from '../settings.ts';
import { RETAINED_BYTES } from './params.ts';
import type { TableMarks } from './tables.ts';
import { columnsOf, isSchemaChange, type SqlText, SqlTexts, writtenBy } from './texts.ts';

/** See the file's comment. */
export class CommandContext {
  readonly texts: SqlTexts = new SqlTexts();
  readonly tables: TableMarks;
  writer!: Writer;
  settings: ClusterSettings = DEFAULT_SETTINGS;
  /** The entry's payload; a command begins with `input.at` at its operation and ends at `end`. */
  input: ByteReader = new ByteReader(new Uint8Array(0));
  end = 0;
  /** Where the text of an `execute` stands. */
  textAt = 0;
  index: LogIndex = 0;
  wall = 0;
  /** Statements or files of this command that are not run (again): they ended the transaction and failed. */
  skip: ReadonlyMap<number, QuorliteError> | null = null;
  /** The entry holds this command only, which is maintenance and was prepared for. */
  alone = false;
  /** The run whose limits decide the result. */
  canonical = false;
  /** Set when a failed command has undone itself by its savepoint. */
  undone = false;
  /** Grows when the schema may be another one: what is known of texts then holds no longer. */
  schema = 0;
  /** Tables written by the statements of this command. */
  readonly #written: (readonly string[])[] = [];
  /** Result rows and their bytes in this command. */
  #rows = 0;
  #bytes = 0;
  /** The text read last in this entry, and where it stands. */
  #text: SqlText | null = null;
  #textReadAt = 0;

  constructor(tables: TableMarks) {
    this.tables = tables;
  }

  /** An entry begins; its commands stand in `input`. */
  begin(input: ByteReader): void {
    this.input = input;
    this.#text = null;
  }

  /** The text of an `execute`, which stands where `input` is, or above it. */
  text(): SqlText {
    const { input, textAt } = this;
    const after = input.at;
    if (textAt === after) {
      this.#text = this.texts.read(input);
      this.#textReadAt = textAt;
    } else if (this.#text === null || this.#textReadAt !== textAt) {
      if (textAt === 0) throw new QuorliteError('BAD_REQUEST', 'malformed bytes: no text above');
      input.at = textAt;
      this.#text = this.texts.read(input);
      this.#textReadAt = textAt;
      input.at = after;
    }
    return this.#text;
  }

  /** Forgets what the command before left. */
  start(): void {
    this.undone = false;
    this.#written.length = 0;
    this.#rows = 0;
    this.#bytes = 0;
  }

  /** Throws unless the operation was read to its end. */
  finish(): void {
    if (this.input.at === this.end) return;
    throw new QuorliteError('BAD_REQUEST', 'malformed bytes: the operation has another length');
  }

  /**
   * Runs a bound statement to its end and tells what it did. `text` keeps what is known of a statement run before; a
   * statement of a script has none. `boundBytes`: size of its parameters.
   */
  run(statement: Statement, text: SqlText | null, boundBytes: number): StatementResult {
    const { writer, schema } = this;
    const written = text === null ? writtenBy(statement) : text.written(statement, schema);
    const before = writer.totalChanges();
    let rows: SqlValue[][] | undefined;
    try {
      while (statement.step()) this.#take(statement, (rows ??= []));
    } finally {
      statement.reset();
      if (boundBytes > RETAINED_BYTES) statement.clearBindings();
    }
    const rowsAffected = writer.totalChanges() === before ? 0 : writer.changes();
    const lastInsertRowid = writer.lastInsertRowid();
    const columns = this.#columns(statement, text);
    if (written.length > 0) this.#wrote(written);
    if (columns === undefined) return { rowsAffected, lastInsertRowid };
    return { rowsAffected, lastInsertRowid, columns, rows: rows ?? [] };
  }

  #take(statement: Statement, rows: SqlValue[][]): void {
    const row = statement.row();
    this.#bytes += rowBytes(row);
    this.#rows++;
    const { resultRows, resultBytes } = this.settings;
    if (this.#rows > resultRows || this.#bytes > resultBytes) {
      throw new QuorliteError(
        'RESULT_TOO_LARGE',
        `a write may return ${resultRows} rows and ${resultBytes} bytes; this one returns more`,
      );
    }
    rows.push(row);
  }

  #wrote(written: readonly string[]): void {
    this.#written.push(written);
    if (isSchemaChange(written)) this.schema++;
  }

  /** What the command wrote stays: its tables count as changed. */
  settle(): void {
    const written = this.#written;
    for (let i = 0; i < written.length; i++) {
      this.tables.changed(written[i]!, this.index);
      if (isSchemaChange(written[i]!)) this.tables.schemaChanged(this.index);
    }
    written.length = 0;
  }

  #columns(statement: Statement, text: SqlText | null): readonly Column[] | undefined {
    if (statement.columnCount === 0) return undefined;
    return text === null ? columnsOf(statement) : text.columns(statement, this.schema);
  }
}
