/**
 * The log in IndexedDB: an entry per row under its index, term and vote in the same database, so that one strict
 * transaction holds them in the order in which the core asked for them (rules D1, D2).
 */
import type { Clock } from '../../platform/contract.ts';
import type { HardState, StorageWrite } from '../../raft/contract.ts';
import type { LogStore, RecoveredLog } from '../../storage/contract.ts';
import { assert } from '../../wire/assert.ts';
import { type Entry, type LogIndex, readEntry, type Term } from '../../wire/entry.ts';
import { QuorliteError } from '../../wire/error.ts';
import type { IdbDatabase } from './idb-database.ts';

type Done = (error: Error | null) => void;
type Point = { readonly index: LogIndex; readonly term: Term };

/** What a row takes beside its bytes, roughly. */
const ROW_BYTES = 64;
const HARD_STATE = 'hard-state';
const COMPACTED = 'compacted';

/**
 * The log in `database`, read at once since `open` cannot wait. Rejects with `CORRUPT` when a row is damaged or missing
 * (rule D5): transactions are whole, so there is no torn tail here.
 */
export async function openIdbLog(database: IdbDatabase, clock: Clock): Promise<LogStore> {
  const state = new Map(await database.all('state'));
  const rows = await database.all('log');
  const hardState = (state.get(HARD_STATE) as HardState | undefined) ?? NO_STATE;
  const compacted = (state.get(COMPACTED) as Point | undefined) ?? { index: 0, term: 0 };
  const entries = rows.map(([key, bytes], i) => {
    const index = compacted.index + 1 + i;
    const entry = key === index && bytes instanceof Uint8Array ? readEntry(bytes) : null;
    if (entry?.index === index) return entry;
    throw new QuorliteError('CORRUPT', `${database.label}: entry ${index} is missing`, {
      outcome: 'unknown',
    });
  });
  return new IdbLog(database, clock, { hardState, compacted, entries, torn: false });
}

const NO_STATE: HardState = { term: 0, vote: 0, commit: 0 };

class IdbLog implements LogStore {
  readonly #database: IdbDatabase;
  readonly #clock: Clock;
  #recovered: RecoveredLog | null;
  #hardState: HardState;
  #compacted: Point;
  /** Bytes of each entry behind `#compacted`. */
  readonly #sizes: number[];
  #bytes = 0;
  /** When each append that is not finished was asked for. */
  readonly #pending: number[] = [];

  constructor(database: IdbDatabase, clock: Clock, recovered: RecoveredLog) {
    this.#database = database;
    this.#clock = clock;
    this.#recovered = recovered;
    this.#hardState = recovered.hardState;
    this.#compacted = recovered.compacted;
    this.#sizes = recovered.entries.map(({ bytes }) => bytes.length);
    for (const size of this.#sizes) this.#bytes += size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  open(): RecoveredLog {
    const recovered = this.#recovered;
    assert(recovered !== null, 'a log is opened once');
    this.#recovered = null;
    return recovered;
  }

  append({ hardState, entries }: StorageWrite, done: Done): void {
    assert(this.#recovered === null, 'a log is opened before it is used');
    if (hardState !== null) this.#keepState(hardState);
    if (entries.length > 0) this.#keepEntries(entries);
    this.#wait(done);
  }

  #keepState({ term, vote, commit }: HardState): void {
    assert(term >= this.#hardState.term, 'the term never goes back');
    this.#hardState = { term, vote, commit };
    const value = this.#hardState;
    this.#database.put('state', HARD_STATE, ROW_BYTES, () => value);
  }

  #keepEntries(entries: readonly Entry[]): void {
    const first = entries[0]!.index;
    const at = first - this.#compacted.index - 1;
    const last = this.#compacted.index + this.#sizes.length;
    assert(at >= 0 && at <= this.#sizes.length, () => {
      return `appending ${first} to a log of ${this.#compacted.index + 1}..${last}`;
    });
    if (at < this.#sizes.length) {
      this.#forget(this.#sizes.splice(at));
      this.#database.delete('log', IDBKeyRange.lowerBound(first));
    }
    for (let i = 0; i < entries.length; i++) {
      const { index, bytes } = entries[i]!;
      assert(index === first + i, 'entries of one write are gapless');
      this.#sizes.push(bytes.length);
      this.#bytes += bytes.length;
      // A structured clone takes the whole buffer below a view.
      this.#database.put('log', index, bytes.length + ROW_BYTES, () => bytes.slice());
    }
  }

  compact(index: LogIndex, term: Term): void {
    const count = index - this.#compacted.index;
    if (count <= 0) return;
    assert(count <= this.#sizes.length, () => `compacting to ${index}, the log ends before it`);
    this.#forget(this.#sizes.splice(0, count));
    this.#keepCompacted({ index, term });
    this.#database.delete('log', IDBKeyRange.upperBound(index));
  }

  reset(index: LogIndex, term: Term, done: Done): void {
    assert(index >= this.#compacted.index, () => `reset to ${index}, which is compacted`);
    this.#forget(this.#sizes.splice(0));
    this.#keepCompacted({ index, term });
    this.#database.delete('log', IDBKeyRange.lowerBound(0));
    this.#wait(done);
  }

  close(done: Done): void {
    this.#database.flush(done);
  }

  stalledMs(): number {
    const oldest = this.#pending[0];
    return oldest === undefined ? 0 : this.#clock.monotonicMs() - oldest;
  }

  #keepCompacted(point: Point): void {
    this.#compacted = point;
    this.#database.put('state', COMPACTED, ROW_BYTES, () => point);
  }

  #forget(sizes: readonly number[]): void {
    for (const size of sizes) this.#bytes -= size;
  }

  #wait(done: Done): void {
    this.#pending.push(this.#clock.monotonicMs());
    this.#database.flush((error) => {
      this.#pending.shift();
      done(error);
    });
  }
}
