/** Reads: at once where they fit into a slice, else by a cursor that keeps its snapshot. */
import {
  type Engine,
  type EngineHost,
  type Reader,
  SqlError,
  type Statement,
} from '../../../wasm/engine.ts';
import type { LogIndex } from '../../wire/entry.ts';
import { QuorliteError } from '../../wire/error.ts';
import type { Column } from '../../wire/result.ts';
import type { SqlValue } from '../../wire/value.ts';
import type { ReadCursor, ReadRequest } from '../contract.ts';
import type { Database } from '../database/database.ts';
import { isCrash, publicError } from '../database/errors.ts';
import { selectAllOf } from '../database/names.ts';
import { bindValues, RETAINED_BYTES } from '../database/params.ts';
import type { ClusterSettings } from '../settings.ts';
import { engineLimits } from '../settings-module.ts';
import { Cursor } from './cursor.ts';
import { ReaderPool } from './pool.ts';
import { prepareRead, ReadTexts } from './read-text.ts';

/** Engine time that a read may take before others have their turn, milliseconds. */
export const READ_SLICE_MS = 20;

/** A finished read. */
export interface ReadResult {
  readonly columns: readonly Column[];
  readonly rows: SqlValue[][];
  readonly index: LogIndex;
}

/** See the file's comment. */
export class Reads {
  readonly pool: ReaderPool;
  readonly #host: EngineHost;
  readonly #database: Database;
  readonly #applied: () => LogIndex;
  readonly #texts = new ReadTexts();

  constructor(
    engine: Engine,
    host: EngineHost,
    database: Database,
    settings: () => ClusterSettings,
    applied: () => LogIndex,
  ) {
    this.#host = host;
    this.#database = database;
    this.#applied = applied;
    this.pool = new ReaderPool(engine, database.store, host, () => engineLimits(settings()));
  }

  /** See `StateMachine.readNow`. */
  now(request: ReadRequest): ReadResult | null {
    try {
      return this.#run(this.pool.instant(), request);
    } catch (error) {
      if (!isCrash(error)) throw error;
      this.pool.crashed();
      return this.#retry(() => this.#run(this.pool.instant(), request));
    }
  }

  #run(reader: Reader, request: ReadRequest): ReadResult | null {
    const { sql, params, deadlineMs, maxRows, maxBytes } = request;
    const patience = Math.min(deadlineMs, READ_SLICE_MS);
    let statement: Statement | undefined;
    let bound = 0;
    try {
      statement = prepareRead(reader, sql);
      const text = this.#texts.of(statement, sql);
      bound = bindValues(statement, text.shape, params);
      reader.setDeadline(patience);
      const rows: SqlValue[][] = [];
      let bytes = 0;
      while (statement.step()) {
        if (maxBytes !== Infinity) bytes += statement.rowBytes();
        if (rows.length >= maxRows || bytes > maxBytes) throw tooLarge(request);
        rows.push(statement.row());
      }
      const columns = text.columns(statement, this.#database.schema);
      return { columns, rows, index: this.#applied() };
    } catch (error) {
      if (error instanceof SqlError && error.kind === 'timeout' && patience < deadlineMs)
        return null;
      throw this.#publicError(error);
    } finally {
      statement?.reset();
      if (bound > RETAINED_BYTES) statement?.clearBindings();
    }
  }

  /** See `StateMachine.openRead`. */
  open(request: ReadRequest): ReadCursor {
    try {
      return this.#open(request);
    } catch (error) {
      if (!isCrash(error)) throw error;
      this.pool.crashed();
      return this.#retry(() => this.#open(request));
    }
  }

  #open(request: ReadRequest): ReadCursor {
    const taken = this.pool.take();
    const { reader } = taken;
    let broken = false;
    try {
      // The read transaction keeps the snapshot of this moment, whose index is known.
      reader.exec('BEGIN');
      reader.exec('SELECT 1 FROM sqlite_schema LIMIT 1');
      const statement = prepareRead(reader, request.sql);
      const { shape } = this.#texts.of(statement, request.sql);
      const bound = bindValues(statement, shape, request.params);
      const retained = bound <= RETAINED_BYTES;
      return new Cursor(taken, statement, retained, request, this.#host, this.#applied());
    } catch (error) {
      broken = isCrash(error);
      if (!broken) reader.exec('ROLLBACK');
      taken.give(broken);
      throw readError(error);
    }
  }

  /** Tables that a read of `sql` touches. */
  tablesRead(sql: string): string[] {
    try {
      const reader = this.pool.instant();
      return prepareRead(reader, sql)
        .tables()
        .read.filter((name) => isTable(reader, name));
    } catch (error) {
      if (isCrash(error)) this.pool.crashed();
      throw isCrash(error) ? failed(error) : readError(error);
    }
  }

  /** A read that ran out of memory may have left others without; the next ones get a fresh instance. */
  #publicError(error: unknown): unknown {
    if (error instanceof SqlError && error.kind === 'memory') this.pool.retire();
    return readError(error);
  }

  /** A second try on a new instance; what crashes that, too, is an answer. */
  #retry<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      if (!isCrash(error)) throw error;
      this.pool.crashed();
      throw failed(error);
    }
  }

  close(): void {
    this.pool.retire();
  }
}

/** A read's error in public terms; a crash is thrown on. */
export function readError(error: unknown): unknown {
  if (!(error instanceof SqlError) || error.kind === 'crash') return error;
  if (error.kind === 'memory') {
    return new QuorliteError('RESULT_TOO_LARGE', 'this read needs more memory than a node grants');
  }
  return publicError(error);
}

/** Storage that failed under a read, as the store told it, or null: the node is about to stop. */
export function storageFailure(error: unknown): QuorliteError | null {
  const cause = error instanceof SqlError ? error.cause : null;
  return cause instanceof QuorliteError ? cause : null;
}

function failed(error: unknown): QuorliteError {
  const failure = storageFailure(error);
  if (failure !== null) return failure;
  return new QuorliteError('RESULT_TOO_LARGE', 'this read ended the SQL engine twice', {
    hint: 'it probably needs more memory than there is',
    cause: error,
  });
}

/** The error for a result beyond its bounds. */
export function tooLarge({ maxRows, maxBytes }: ReadRequest): QuorliteError {
  return new QuorliteError(
    'RESULT_TOO_LARGE',
    `the result has more than ${maxRows} rows or ${maxBytes} bytes`,
    { hint: 'use LIMIT, or stream the rows' },
  );
}

/** SQLite names common table expressions, too, when a statement reads no column of them. */
function isTable(reader: Reader, name: string): boolean {
  try {
    reader.prepare(selectAllOf(name));
    return true;
  } catch (error) {
    if (error instanceof SqlError && error.kind === 'sql') return false;
    throw error;
  }
}
