/**
 * Open row streams. Each keeps its snapshot, so each has a bound: idle time, age, and the bytes of old pages that all of
 * them hold together; beyond it the oldest ends with `SNAPSHOT_TOO_OLD` (architecture, section 2).
 */
import type { NodeLimits } from '../config/limits.ts';
import type { ReadCursor } from '../state-machine/contract.ts';
import { asQuorliteError, QuorliteError } from '../wire/error.ts';
import type { SqlValue } from '../wire/value.ts';
import type { QueryStream } from './contract.ts';
import type { Turns } from './turns.ts';

/** What streams need of the node around them. */
export interface ReadStreamsHost {
  readonly limits: NodeLimits;
  now(): number;
  /** Slices take turns with those of other reads. */
  readonly turns: Turns;
  /** Bytes of page versions that only readers still need. */
  heldBytes(): number;
  /** Engine time of one slice. */
  sliceMs(): number;
}

interface Open {
  readonly openedAt: number;
  usedAt: number;
  /** Why it was ended, until its owner hears of it. */
  ended: QuorliteError | null;
  close(): void;
}

/** The open streams of a node, oldest first. */
export class ReadStreams {
  readonly #host: ReadStreamsHost;
  /** In the order they were opened. */
  readonly #open = new Set<Open>();

  constructor(host: ReadStreamsHost) {
    this.#host = host;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Throws `OVERLOADED` when no more may be opened. */
  admit(): void {
    if (this.#open.size < this.#host.limits.maxOpenStreams) return;
    throw new QuorliteError('OVERLOADED', 'too many open streams (limit maxOpenStreams)');
  }

  /** Makes a stream of a cursor. */
  open(cursor: ReadCursor): QueryStream {
    const now = this.#host.now();
    const open: Open = {
      openedAt: now,
      usedAt: now,
      ended: null,
      close: () => {
        if (this.#open.delete(open)) cursor.close();
      },
    };
    this.#open.add(open);
    return {
      columns: cursor.columns,
      index: cursor.index,
      next: (maxRows, callback) => this.#next(open, cursor, maxRows, callback),
      close: open.close,
    };
  }

  #next(
    open: Open,
    cursor: ReadCursor,
    maxRows: number,
    callback: Parameters<QueryStream['next']>[1],
  ): void {
    const rows: SqlValue[][] = [];
    const slice = (): void => {
      open.usedAt = this.#host.now();
      if (!this.#open.has(open)) {
        callback(open.ended ?? new QuorliteError('ABORTED', 'the stream is closed'), [], true);
        return;
      }
      try {
        const done = cursor.next(rows, maxRows - rows.length, this.#host.sliceMs());
        if (done) open.close();
        if (done || rows.length >= maxRows) callback(null, rows, done);
        else this.#host.turns.after(slice);
      } catch (error) {
        open.close();
        callback(asQuorliteError(error, 'not-applied'), [], true);
      }
    };
    // At once where nobody waits: most portions take far less than a slice.
    if (this.#host.turns.idle) slice();
    else this.#host.turns.after(slice);
  }

  /** Ends streams that hold their snapshot too long; called on ticks. */
  expire(): void {
    if (this.#open.size === 0) return;
    const now = this.#host.now();
    const { pinIdleMs, pinMs, maxPinBytes } = this.#host.limits;
    for (const open of this.#open) {
      if (now - open.usedAt > pinIdleMs) this.#end(open, `was idle for ${pinIdleMs} ms`);
      else if (now - open.openedAt > pinMs) this.#end(open, `is older than ${pinMs} ms`);
    }
    for (const open of this.#open) {
      if (this.#host.heldBytes() <= maxPinBytes) return;
      this.#end(open, `was the oldest while readers held more than ${maxPinBytes} bytes`);
    }
  }

  /** Ends all streams; each owner hears `error` when it asks for more. */
  endAll(error: QuorliteError): void {
    for (const open of [...this.#open]) {
      open.ended = error;
      open.close();
    }
  }

  #end(open: Open, why: string): void {
    open.ended = new QuorliteError(
      'SNAPSHOT_TOO_OLD',
      `the snapshot of this read ${why}: read again, in smaller parts`,
    );
    open.close();
  }
}
