/**
 * The log in rows of a SQL storage such as a Durable Object's: an entry is one row, or several when it is large; term,
 * vote and what was compacted are one row beside them.
 *
 * Such a storage makes all statements between two turns of the event loop one atomic write, and lets nothing leave the
 * object before that write is safe (output gates). So an append is done when its statements have run: whatever the
 * node sends because of it waits for the disk without being told to (rules D1, D2). A write that fails later ends the
 * object, and with it everything that believed in it.
 */
import type { StorageWrite } from '../raft/contract.ts';
import { assert } from '../wire/assert.ts';
import { type Entry, type LogIndex, readEntry, type Term } from '../wire/entry.ts';
import { type Outcome, QuorliteError } from '../wire/error.ts';
import type { LogStore, RecoveredLog } from './contract.ts';
import { ROW_PART_BYTES, ROW_PARTS_MAX } from './limits.ts';
import type { RowStorage } from './page-backing/rows.ts';
import { blobOf, firstRow, numberOf } from './row-storage.ts';

type Done = (error: Error | null) => void;

/**
 * Makes the log over `storage`, whose tables `log_state` and `log_parts` are this log's.
 *
 * @example
 * const log = createRowLogStore(ctx.storage.sql);
 */
export function createRowLogStore(storage: RowStorage): LogStore {
  return new RowLog(storage);
}

interface State {
  term: number;
  vote: number;
  commit: number;
  compactedIndex: number;
  compactedTerm: number;
}

const EMPTY: State = { term: 0, vote: 0, commit: 0, compactedIndex: 0, compactedTerm: 0 };

class RowLog implements LogStore {
  readonly #storage: RowStorage;
  #state: State = { ...EMPTY };
  /** A commit index that nobody waits for is written with what comes next. */
  #unwritten = false;
  /** Bytes of the entries kept, the oldest first; the first is that of `compactedIndex` + 1. */
  #sizes: number[] = [];
  #bytes = 0;
  #open = false;
  #failure: QuorliteError | null = null;
  readonly #dones: (() => void)[] = [];
  #delivering = false;

  constructor(storage: RowStorage) {
    this.#storage = storage;
  }

  open(): RecoveredLog {
    assert(!this.#open, 'a log is opened once');
    try {
      createTables(this.#storage);
      this.#state = loadState(this.#storage);
      const entries = loadEntries(this.#storage, this.#state.compactedIndex);
      this.#sizes = entries.map(({ bytes }) => bytes.length);
      this.#bytes = this.#sizes.reduce((sum, bytes) => sum + bytes, 0);
      this.#open = true;
      const { term, vote, commit, compactedIndex, compactedTerm } = this.#state;
      return {
        hardState: { term, vote, commit },
        compacted: { index: compactedIndex, term: compactedTerm },
        entries,
        torn: false,
      };
    } catch (error) {
      throw asFailure(error);
    }
  }

  append(write: StorageWrite, done: Done): void {
    assert(this.#open, 'a log is opened before it is used');
    const { entries, hardState, mustSync } = write;
    this.#check(write);
    this.#run(done, () => {
      if (hardState !== null) {
        this.#state.term = hardState.term;
        this.#state.vote = hardState.vote;
        this.#state.commit = hardState.commit;
        this.#unwritten = true;
      }
      if (mustSync) this.#writeState();
      if (entries.length > 0) this.#append(entries);
    });
  }

  compact(index: LogIndex, term: Term): void {
    const count = index - this.#state.compactedIndex;
    if (count <= 0 || this.#failure !== null) return;
    assert(count <= this.#sizes.length, () => `compacting to ${index}, the log ends before it`);
    try {
      this.#storage.exec('DELETE FROM log_parts WHERE id < ?', partId(index + 1, 0));
      this.#forget(this.#sizes.splice(0, count));
      this.#state.compactedIndex = index;
      this.#state.compactedTerm = term;
      this.#unwritten = true;
      this.#writeState();
    } catch (error) {
      // The next append says so to somebody who listens.
      this.#failure = asFailure(error);
    }
  }

  reset(index: LogIndex, term: Term, done: Done): void {
    assert(index >= this.#state.compactedIndex, () => `reset to ${index}, which is compacted`);
    this.#run(done, () => {
      this.#storage.exec('DELETE FROM log_parts');
      this.#forget(this.#sizes.splice(0));
      this.#state.compactedIndex = index;
      this.#state.compactedTerm = term;
      this.#unwritten = true;
      this.#writeState();
    });
  }

  close(done: Done): void {
    assert(this.#open, 'a log is closed once');
    this.#run(done, () => this.#writeState());
    this.#open = false;
  }

  stalledMs(): number {
    return 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  #check({ hardState, entries }: StorageWrite): void {
    const { term, compactedIndex } = this.#state;
    assert(hardState === null || hardState.term >= term, 'the term never goes back');
    const first = entries[0]?.index;
    if (first === undefined) return;
    const end = compactedIndex + this.#sizes.length;
    assert(first > compactedIndex && first <= end + 1, () => {
      return `appending ${first} to a log of ${compactedIndex + 1}..${end}`;
    });
    const gapless = entries.every(({ index }, i) => index === first + i);
    assert(gapless, 'entries of one write are gapless');
  }

  #append(entries: readonly Entry[]): void {
    const first = entries[0]!.index;
    const at = first - this.#state.compactedIndex - 1;
    if (at < this.#sizes.length) {
      this.#storage.exec('DELETE FROM log_parts WHERE id >= ?', partId(first, 0));
      this.#forget(this.#sizes.splice(at));
    }
    for (const { index, bytes } of entries) {
      writeEntry(this.#storage, index, bytes);
      this.#sizes.push(bytes.length);
      this.#bytes += bytes.length;
    }
  }

  #writeState(): void {
    if (!this.#unwritten) return;
    const { term, vote, commit, compactedIndex, compactedTerm } = this.#state;
    this.#storage.exec(
      'INSERT OR REPLACE INTO log_state (id, term, vote, known_commit, compacted_index, compacted_term) VALUES (1, ?, ?, ?, ?, ?)',
      term,
      vote,
      commit,
      compactedIndex,
      compactedTerm,
    );
    this.#unwritten = false;
  }

  #forget(sizes: readonly number[]): void {
    for (const bytes of sizes) this.#bytes -= bytes;
  }

  /** Runs `work` unless the store has failed, and calls back in the order of the calls, also when a callback appends. */
  #run(done: Done, work: () => void): void {
    if (this.#failure === null) {
      try {
        work();
      } catch (error) {
        this.#failure = asFailure(error);
      }
    }
    const failure = this.#failure;
    this.#dones.push(() => done(failure));
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      for (let next = this.#dones.shift(); next; next = this.#dones.shift()) next();
    } finally {
      this.#delivering = false;
    }
  }
}

function createTables(storage: RowStorage): void {
  storage.exec(
    'CREATE TABLE IF NOT EXISTS log_state (id INTEGER PRIMARY KEY, term INTEGER NOT NULL, vote INTEGER NOT NULL, known_commit INTEGER NOT NULL, compacted_index INTEGER NOT NULL, compacted_term INTEGER NOT NULL)',
  );
  storage.exec(
    'CREATE TABLE IF NOT EXISTS log_parts (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL)',
  );
}

function loadState(storage: RowStorage): State {
  const row = firstRow(
    storage,
    'SELECT term, vote, known_commit, compacted_index, compacted_term FROM log_state',
  );
  if (row === undefined) return { ...EMPTY };
  return {
    term: numberOf(row['term']),
    vote: numberOf(row['vote']),
    commit: numberOf(row['known_commit']),
    compactedIndex: numberOf(row['compacted_index']),
    compactedTerm: numberOf(row['compacted_term']),
  };
}

/** All entries, each one's checksum verified (rule D5): rows are never torn, so a gap is damage. */
function loadEntries(storage: RowStorage, compacted: LogIndex): Entry[] {
  const entries: Entry[] = [];
  let parts: Uint8Array[] = [];
  let index = compacted;
  function finish(): void {
    if (parts.length === 0) return;
    const entry = readEntry(joined(parts));
    if (entry.index !== index) throw corrupt(`the row of entry ${index} holds ${entry.index}`);
    entries.push(entry);
    parts = [];
  }
  for (const row of storage.exec('SELECT id, bytes FROM log_parts ORDER BY id')) {
    const id = numberOf(row['id']);
    const at = Math.floor(id / ROW_PARTS_MAX);
    const part = id - at * ROW_PARTS_MAX;
    if (part === 0) {
      finish();
      index++;
    }
    const bytes = blobOf(row['bytes']);
    if (at !== index || part !== parts.length || bytes === null) {
      throw corrupt(`there is part ${part} of entry ${at}, expected was entry ${index}`);
    }
    parts.push(bytes);
  }
  finish();
  return entries;
}

function writeEntry(storage: RowStorage, index: LogIndex, bytes: Uint8Array): void {
  assert(bytes.length <= ROW_PARTS_MAX * ROW_PART_BYTES, 'an entry fits into its rows');
  for (let part = 0, from = 0; part === 0 || from < bytes.length; part++) {
    const to = Math.min(bytes.length, from + ROW_PART_BYTES);
    storage.exec(
      'INSERT INTO log_parts (id, bytes) VALUES (?, ?)',
      partId(index, part),
      bytes.subarray(from, to),
    );
    from = to;
  }
}

function partId(index: LogIndex, part: number): number {
  const id = index * ROW_PARTS_MAX + part;
  assert(Number.isSafeInteger(id), 'rows of the log are numbered exactly');
  return id;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function corrupt(what: string): QuorliteError {
  return new QuorliteError('CORRUPT', `log rows: ${what}`, { outcome: 'unknown' });
}

function asFailure(error: unknown, outcome: Outcome = 'unknown'): QuorliteError {
  if (error instanceof QuorliteError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new QuorliteError('STORAGE_FAILED', `log rows: ${message}`, { outcome, cause: error });
}
