/** A cursor: rows of one read in slices, all from one snapshot. */
import type { EngineHost, Statement } from '../../../wasm/engine.ts';
import { SqlError } from '../../../wasm/engine.ts';
import type { LogIndex } from '../../wire/entry.ts';
import { QuorliteError } from '../../wire/error.ts';
import type { Column } from '../../wire/result.ts';
import type { SqlValue } from '../../wire/value.ts';
import type { ReadCursor, ReadRequest } from '../contract.ts';
import { isCrash } from '../database/errors.ts';
import { columnsOf } from '../database/texts.ts';
import type { TakenReader } from './pool.ts';
import { readError, storageFailure, tooLarge } from './reads.ts';

/** See `ReadCursor`. `retained`: the parameters are small and may stay bound. */
export class Cursor implements ReadCursor {
  readonly columns: readonly Column[];
  readonly index: LogIndex;
  readonly #taken: TakenReader;
  readonly #statement: Statement;
  readonly #retained: boolean;
  readonly #request: ReadRequest;
  readonly #host: EngineHost;
  #leftMs: number;
  #rows = 0;
  #bytes = 0;
  #state: 'open' | 'ended' | 'closed' = 'open';

  constructor(
    taken: TakenReader,
    statement: Statement,
    retained: boolean,
    request: ReadRequest,
    host: EngineHost,
    index: LogIndex,
  ) {
    this.columns = columnsOf(statement) ?? [];
    this.index = index;
    this.#taken = taken;
    this.#statement = statement;
    this.#retained = retained;
    this.#request = request;
    this.#host = host;
    this.#leftMs = request.deadlineMs;
  }

  next(into: SqlValue[][], maxRows: number, sliceMs: number): boolean {
    if (this.#state === 'closed') throw new QuorliteError('ABORTED', 'this read is closed');
    if (this.#state === 'ended') return true;
    const start = this.#host.monotonicMs();
    this.#taken.reader.setDeadline(Math.min(this.#leftMs, this.#request.maxStepMs ?? Infinity));
    try {
      const ended = this.#fill(into, maxRows, start + sliceMs);
      this.#leftMs -= this.#host.monotonicMs() - start;
      if (ended) this.#end(false);
      return ended;
    } catch (error) {
      this.#end(isCrash(error));
      throw isCrash(error) ? lost(error) : readError(error);
    }
  }

  /** Appends rows until there are enough, the slice is over or the end is reached (true). */
  #fill(into: SqlValue[][], maxRows: number, until: number): boolean {
    const statement = this.#statement;
    const { maxRows: limit, maxBytes } = this.#request;
    for (let taken = 0; taken < maxRows; taken++) {
      if (!statement.step()) return true;
      if (maxBytes !== Infinity) this.#bytes += statement.rowBytes();
      if (this.#rows >= limit || this.#bytes > maxBytes) throw tooLarge(this.#request);
      into.push(statement.row());
      this.#rows++;
      if (this.#host.monotonicMs() >= until) return false;
    }
    return false;
  }

  close(): void {
    this.#end(false);
    this.#state = 'closed';
  }

  /** Gives the connection back, once. */
  #end(broken: boolean): void {
    if (this.#state !== 'open') return;
    this.#state = 'ended';
    if (!broken) {
      try {
        this.#statement.reset();
        if (!this.#retained) this.#statement.clearBindings();
        this.#taken.reader.exec('ROLLBACK');
      } catch (error) {
        // Another read has ended the instance that this one shared.
        if (!(error instanceof SqlError)) throw error;
        broken = true;
      }
    }
    this.#taken.give(broken);
  }
}

function lost(error: unknown): QuorliteError {
  const failure = storageFailure(error);
  if (failure !== null) return failure;
  return new QuorliteError(
    'SNAPSHOT_TOO_OLD',
    'the SQL engine of this read ended: start it again',
    {
      cause: error,
    },
  );
}
