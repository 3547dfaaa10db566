/**
 * The contract of the replicated state machine: deterministic, total, and without a clock, randomness or I/O of its own.
 * Applying is reached through a callback, so that it can move to a thread of its own; readers see whole entries only.
 */
import type { Engine, EngineHost } from '../../wasm/engine.ts';
import type { PageBacking } from '../../wasm/page-store.ts';
import type { CheckpointContent, CheckpointCut, CheckpointImages } from '../storage/contract.ts';
import type { Entry, LogIndex, Term } from '../wire/entry.ts';
import type { Membership } from '../wire/membership.ts';
import type { Column, CommandOutcome } from '../wire/result.ts';
import type { Params, SqlValue } from '../wire/value.ts';

/** What a state machine is opened with. */
export interface StateMachineOptions {
  readonly engine: Engine;
  /** The newest checkpoint, or null to start empty. It is read during `open` and may be closed afterwards. */
  readonly checkpoint: CheckpointContent | null;
  /** What SQL sees in reads: the node's clock and entropy. Entries bring their own. */
  readonly readHost: EngineHost;
  /** Bound of the page memory on this node; exceeding it is a crash, never a result. Without `pages`. */
  readonly maxPageBytes: number;
  /** Where pages are that the cache has no room for; without it all of them are in memory. */
  readonly pages?: PagePlaces | undefined;
}

/** What a database larger than its page memory needs. */
export interface PagePlaces {
  /** Bytes of page memory. */
  readonly cacheBytes: number;
  /** Opens the scratch, empty; the state machine closes it. Throws `STORAGE_FAILED`. */
  openBacking(): PageBacking;
  /** Where the newest checkpoint has its pages; null when they cannot be read one by one. */
  images(): CheckpointImages | null;
}

/**
 * Called for each command of an applied entry, in order. `ordinal` counts from 0.
 * `duplicate` tells that the outcome is the kept one of an earlier entry.
 */
export type OutcomeListener = (
  ordinal: number,
  outcome: CommandOutcome,
  duplicate: boolean,
) => void;

/** A read request. */
export interface ReadRequest {
  readonly sql: string;
  readonly params?: Params<SqlValue> | undefined;
  /** Engine time allowed in total, milliseconds; `Infinity` for streams. */
  readonly deadlineMs: number;
  /** Engine time that a call of `next` may spend inside single steps, milliseconds; unlimited unless said. */
  readonly maxStepMs?: number | undefined;
  readonly maxRows: number;
  readonly maxBytes: number;
}

/** Rows of a read, step by step. */
export interface ReadCursor {
  readonly columns: readonly Column[];
  /** Index that the rows are as of. */
  readonly index: LogIndex;
  /**
   * Steps until `maxRows` rows or `sliceMs` of engine time are used; rows are appended to `into`. Returns true at the
   * end. Throws `QuorliteError`.
   */
  next(into: SqlValue[][], maxRows: number, sliceMs: number): boolean;
  /** Must be called in every case; frees the reader. */
  close(): void;
}

/** The replicated state: applies entries, answers reads, cuts checkpoints. */
export interface StateMachine {
  /** The last applied entry. */
  readonly applied: { readonly index: LogIndex; readonly term: Term };
  /** Replicated clocks as of `applied`. */
  readonly wall: number;
  readonly elapsed: number;
  /** Why it cannot go on: an entry could not be applied, or pages could not be read. Absent or null while it can. */
  readonly failure?: Error | null;
  /** Hash of the database's pages: equal on replicas that applied the same entries. */
  databaseHash(): string;
  /** Cluster settings in force. */
  settings(): { readonly [name: string]: number };
  /**
   * Applies one committed entry (also empty and membership ones, which only move `applied`). Outcomes are delivered
   * before `done`, which may be called before this returns. `done(error)` means that this node cannot go on (rule C7).
   * `listener` is null when nobody waits here.
   */
  apply(entry: Entry, listener: OutcomeListener | null, done: (error: Error | null) => void): void;
  /** Checks a command before it is proposed, cheaply: size, shape, op known; throws `QuorliteError`. Never needed for safety. */
  validate(body: Uint8Array): void;
  /** The next time (in `elapsed`) at which something expires, or Infinity: the leader proposes a tick then. */
  nextExpiry(): number;

  /** Runs a read that finishes within its first slice, the fast path; null when it did not (then use `openRead`). */
  readNow(
    request: ReadRequest,
  ): { columns: readonly Column[]; rows: SqlValue[][]; index: LogIndex } | null;
  /** Opens a cursor that keeps its snapshot. */
  openRead(request: ReadRequest): ReadCursor;
  /** Index of the last entry that changed one of these tables (for guards and transactions), by lower-case name. */
  tableChangedAt(table: string): LogIndex;
  /** Tables that a read of `sql` touches, lower-case. */
  tablesRead(sql: string): string[];

  /** Cuts a checkpoint as of `applied`, in O(1). `since` is the index of the checkpoint to build on, 0 for everything. */
  cut(since: LogIndex, membership: Membership): CheckpointCut;
  /** Tells that the checkpoint at `index` is durable: deltas since then are what the next cut holds. */
  checkpointed(index: LogIndex): void;
  /** The database as a plain SQLite file, as of one index, in slices of pages; `close` releases it. */
  openExport(): {
    index: LogIndex;
    bytes: number;
    read(maxBytes: number): Uint8Array | null;
    close(): void;
  };
  /** Bytes dirty since the last checkpoint, estimates. */
  dirtyBytes(): number;
  /** Numbers for metrics. */
  stats(): { readonly [name: string]: number };
  close(): void;
}
