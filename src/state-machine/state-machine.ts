/**
 * The replicated state machine: entries of the log in, outcomes out. It joins the modules, each of which owns one kind
 * of operation and its section of the checkpoint: settings, sessions, idempotency keys, and the SQL database with the
 * marks of its tables. Caches, counters, locks and topics join them here and in `admission.ts`.
 */
import type { Engine } from '../../wasm/engine.ts';
import type { PageStore } from '../../wasm/page-store.ts';
import type { CheckpointCut } from '../storage/contract.ts';
import { assert } from '../wire/assert.ts';
import { type Entry, EntryKind, type LogIndex, type Term } from '../wire/entry.ts';
import { QuorliteError } from '../wire/error.ts';
import type { Membership } from '../wire/membership.ts';
import { Admission, Verdict } from './admission.ts';
import { Checkpoints, restoreModules } from './checkpoint.ts';
import type {
  OutcomeListener,
  ReadCursor,
  ReadRequest,
  StateMachine,
  StateMachineOptions,
} from './contract.ts';
import { Database } from './database/database.ts';
import { TableMarks } from './database/tables.ts';
import { type DatabaseExport, exportDatabase } from './export.ts';
import { KeptBytes } from './kept.ts';
import { Keys } from './keys.ts';
import type { StateModule } from './module.ts';
import { openPageStore } from './page-store.ts';
import { type ReadResult, Reads } from './reads/reads.ts';
import { Sessions } from './sessions/sessions.ts';
import { Settings } from './settings-module.ts';
import { validateOperation } from './validate.ts';

/**
 * Opens a state machine, empty or from a checkpoint. Throws `CORRUPT` when the checkpoint does not hold together,
 * `ENGINE_MISMATCH` when another engine wrote it.
 */
export function openStateMachine(options: StateMachineOptions): StateMachine {
  const { engine, checkpoint } = options;
  const own = engineName(engine);
  if (checkpoint !== null && checkpoint.meta.engine !== own) {
    throw new QuorliteError(
      'ENGINE_MISMATCH',
      `the checkpoint was written by ${checkpoint.meta.engine}, this is ${own}`,
    );
  }
  const store = openPageStore(options);
  try {
    return new Replica(options, store);
  } catch (error) {
    store.close();
    throw error;
  }
}

/** How an engine stands in a checkpoint. */
function engineName({ id }: Engine): string {
  return `${id.name}/${id.version}/${id.hash}`;
}

class Replica implements StateMachine {
  readonly #engine: Engine;
  readonly #store: PageStore;
  readonly #settings = new Settings();
  readonly #tables = new TableMarks();
  readonly #sessions: Sessions;
  readonly #keys: Keys;
  readonly #database: Database;
  readonly #admission: Admission;
  readonly #checkpoints: Checkpoints;
  readonly #reads: Reads;
  #index: LogIndex = 0;
  #term: Term = 0;
  #wall = 0;
  #elapsed = 0;
  /** Why this node cannot go on. */
  #failure: Error | null = null;

  constructor({ engine, checkpoint, readHost, pages }: StateMachineOptions, store: PageStore) {
    this.#engine = engine;
    this.#store = store;
    const settings = () => this.#settings.current;
    const kept = new KeptBytes();
    this.#sessions = new Sessions(kept, settings);
    this.#keys = new Keys(kept, settings);
    const [sessions, keys] = [this.#sessions, this.#keys];
    this.#admission = new Admission({ sessions, keys, settings: this.#settings });
    const modules: readonly StateModule[] = [this.#settings, sessions, keys, this.#tables];
    if (checkpoint !== null) restoreModules(checkpoint, modules);
    this.#database = new Database(engine, store, this.#tables, settings());
    this.#checkpoints = new Checkpoints(store, modules, pages?.images);
    this.#reads = new Reads(engine, readHost, this.#database, settings, () => this.#index);
    if (checkpoint === null) return;
    const { index, term, wall, elapsed } = checkpoint.meta;
    this.#index = index;
    this.#term = term;
    this.#wall = wall;
    this.#elapsed = elapsed;
    this.#checkpoints.restored(index);
  }

  get applied(): { readonly index: LogIndex; readonly term: Term } {
    return { index: this.#index, term: this.#term };
  }

  get wall(): number {
    return this.#wall;
  }

  get elapsed(): number {
    return this.#elapsed;
  }

  get failure(): Error | null {
    return this.#failure ?? this.#store.failure ?? null;
  }

  databaseHash(): string {
    return this.#store.hash();
  }

  settings(): { readonly [name: string]: number } {
    return this.#settings.current;
  }

  apply(entry: Entry, listener: OutcomeListener | null, done: (error: Error | null) => void): void {
    try {
      if (this.#failure !== null) throw this.#failure;
      assert(
        entry.index === this.#index + 1,
        () => `${entry.index} is applied after ${this.#index}`,
      );
      if (entry.kind === EntryKind.commands) this.#applyCommands(entry);
    } catch (error) {
      // Nothing that a client sent leads here: the instance died twice, or we made a mistake (rule C7).
      this.#failure = error instanceof Error ? error : new Error(String(error));
      done(this.#failure);
      return;
    }
    this.#index = entry.index;
    this.#term = entry.term;
    this.#deliver(listener);
    done(null);
  }

  #applyCommands(entry: Entry): void {
    const admission = this.#admission;
    if (!admission.open(entry)) return;
    const { wall, elapsed } = admission.header;
    this.#wall = wall;
    this.#elapsed = Math.max(this.#elapsed, elapsed);
    this.#sessions.expire(this.#elapsed);
    this.#keys.expire(this.#elapsed);
    admission.admitAll(this.#elapsed);
    const schemaChanged = this.#database.apply(admission, entry.index);
    admission.settle();
    const settingsChanged = this.#settings.commit();
    if (settingsChanged) this.#database.setSettings(this.#settings.current);
    // Readers then start anew: with the limits in force, and with the statistics.
    if (settingsChanged || schemaChanged) this.#reads.pool.retire();
  }

  #deliver(listener: OutcomeListener | null): void {
    const admission = this.#admission;
    if (listener !== null) {
      for (let ordinal = 0; ordinal < admission.count; ordinal++) {
        const duplicate = admission.verdicts[ordinal]! >= Verdict.duplicate;
        listener(ordinal, admission.outcomes[ordinal]!, duplicate);
      }
    }
    admission.clear();
  }

  validate(body: Uint8Array): void {
    validateOperation(body, this.#settings.current);
  }

  nextExpiry(): number {
    return Math.min(this.#sessions.nextExpiry(), this.#keys.nextExpiry());
  }

  readNow(request: ReadRequest): ReadResult | null {
    return this.#reads.now(request);
  }

  openRead(request: ReadRequest): ReadCursor {
    return this.#reads.open(request);
  }

  tableChangedAt(table: string): LogIndex {
    return this.#tables.changedAt(table);
  }

  tablesRead(sql: string): string[] {
    return this.#reads.tablesRead(sql);
  }

  cut(since: LogIndex, membership: Membership): CheckpointCut {
    assert(this.#failure === null, 'a node that cannot go on takes no checkpoint');
    const meta = {
      index: this.#index,
      term: this.#term,
      membership,
      pageCount: this.#store.pageCount,
      pageHash: this.#store.hash(),
      engine: engineName(this.#engine),
      wall: this.#wall,
      elapsed: this.#elapsed,
    };
    return this.#checkpoints.cut(meta, since);
  }

  checkpointed(index: LogIndex): void {
    this.#checkpoints.checkpointed(index);
  }

  openExport(): DatabaseExport {
    return exportDatabase(this.#store, this.#index);
  }

  dirtyBytes(): number {
    return this.#checkpoints.dirtyBytes();
  }

  stats(): { readonly [name: string]: number } {
    return {
      ...this.#database.stats(),
      ...this.#store.stats?.(),
      sessions: this.#sessions.size,
      keys: this.#keys.size,
      readerBytes: this.#reads.pool.memoryBytes(),
      readerCrashes: this.#reads.pool.crashes,
    };
  }

  close(): void {
    this.#reads.close();
    this.#database.close();
    this.#store.close();
  }
}
