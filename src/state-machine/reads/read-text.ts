/** What reads know of a text: how it is bound and what its rows are called. */
import type { Reader, Statement } from '../../../wasm/engine.ts';
import { QuorliteError } from '../../wire/error.ts';
import type { Column } from '../../wire/result.ts';
import { type ParamShape, shapeOf } from '../database/params.ts';
import { columnsOf } from '../database/texts.ts';

/** Texts kept. */
const KEPT_TEXTS = 1024;
/** Longer texts are not kept. */
const KEPT_UNITS = 4096;
const NO_COLUMNS: readonly Column[] = [];

/** A text that was read with. */
export class ReadText {
  readonly shape: ParamShape;
  #columns: readonly Column[] = NO_COLUMNS;
  #schema = -1;

  constructor(statement: Statement, sql: string) {
    this.shape = shapeOf(statement, sql);
  }

  /** Columns, as of the schema with the number `schema`. Asked after the first step. */
  columns(statement: Statement, schema: number): readonly Column[] {
    if (this.#schema !== schema) {
      this.#schema = schema;
      this.#columns = columnsOf(statement) ?? NO_COLUMNS;
    }
    return this.#columns;
  }
}

/** Texts by their text; emptied when full. */
export class ReadTexts {
  readonly #texts = new Map<string, ReadText>();

  of(statement: Statement, sql: string): ReadText {
    const known = this.#texts.get(sql);
    if (known !== undefined) return known;
    const text = new ReadText(statement, sql);
    if (sql.length > KEPT_UNITS) return text;
    if (this.#texts.size >= KEPT_TEXTS) this.#texts.clear();
    this.#texts.set(sql, text);
    return text;
  }
}

/** Compiles a text that must be one statement that only reads. */
export function prepareRead(reader: Reader, sql: string): Statement {
  const statement = reader.prepare(sql);
  if (statement === null) throw new QuorliteError('BAD_REQUEST', 'the text holds no statement');
  if (statement.readonly || statement.explain) return statement;
  throw new QuorliteError('SQL_READ_ONLY', 'this statement writes: send it with execute', {
    sqliteCode: 'SQLITE_READONLY',
  });
}
