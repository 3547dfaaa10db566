/**
 * One log entry's transaction, and how it survives what commands do to it.
 *
 * A command that fails leaves nothing behind. Where SQLite itself undid it, or its savepoint did, that is so already.
 * Where it took the whole transaction along (`OR ROLLBACK`, an interrupt, a full database) or left rows behind (`OR
 * FAIL`), the transaction is **redone**: rolled back, begun again, and the commands before run once more with their
 * seeds and savepoints. What is undone and redone is the same on every replica.
 *
 * Two things are not the same everywhere: whether the first attempt crosses its soft limit, and whether the instance
 * crashes. Both lead to a fresh instance over the last committed pages and to the same commands again, so the pages
 * come out the same.
 */
import type { Engine, Writer } from '../../../wasm/engine.ts';
import type { PageStore } from '../../../wasm/page-store.ts';
import { assert } from '../../wire/assert.ts';
import type { QuorliteError } from '../../wire/error.ts';
import type { ClusterSettings } from '../settings.ts';
import { engineLimits } from '../settings-module.ts';
import type { CommandContext } from './context.ts';
import type { EntryHost } from './entry-host.ts';
import { CannotApply, isCrash, isLimit } from './errors.ts';

/** Steps and memory without bound, for what is known to end. */
const UNLIMITED = { steps: Infinity, memoryBytes: Infinity };

/** A command that ran since BEGIN and left the transaction open: it is part of what a redo repeats. */
export interface Past {
  readonly ordinal: number;
  readonly skip: ReadonlyMap<number, QuorliteError> | null;
  /** Whether it succeeded; it does so every time. */
  readonly ok: boolean;
}

/** Counters for metrics. */
export interface TransactionStats {
  redos: number;
  canonicalRuns: number;
  crashes: number;
}

/** The writer and the open transaction. */
export class EntryTransaction {
  readonly stats: TransactionStats = { redos: 0, canonicalRuns: 0, crashes: 0 };
  readonly host: EntryHost;
  writer: Writer;
  readonly #engine: Engine;
  readonly #store: PageStore;
  readonly #context: CommandContext;
  /** Runs one command again, discarding its result; errors of SQL are its own. */
  readonly #again: (past: Past) => void;
  #past: Past[] = [];
  /**
   * The instance is fresh and has run nothing but what stays of this entry, in order: its state is a function of the
   * log, so a run on it is canonical.
   */
  pristine = false;
  #settings: ClusterSettings;
  #heapAtBegin = 0;
  /** Commands that had ended when the instance crashed last, -1 for no crash in this entry. */
  #crashedAfter = -1;
  #ended = 0;

  constructor(
    engine: Engine,
    store: PageStore,
    host: EntryHost,
    context: CommandContext,
    settings: ClusterSettings,
    again: (past: Past) => void,
  ) {
    this.#engine = engine;
    this.#store = store;
    this.host = host;
    this.#context = context;
    this.#settings = settings;
    this.#again = again;
    this.writer = engine.openWriter(store, host, engineLimits(settings));
    context.writer = this.writer;
  }

  /** Changed limits, from the next entry on. */
  setSettings(settings: ClusterSettings): void {
    this.#settings = settings;
    this.writer.setLimits(engineLimits(settings));
  }

  /** An entry starts. */
  start(): void {
    this.#past.length = 0;
    this.pristine = false;
    this.#crashedAfter = -1;
    this.#ended = 0;
  }

  begin(): void {
    this.writer.exec('BEGIN');
    this.#heapAtBegin = this.writer.heapBytes?.() ?? 0;
  }

  /** What a command may use of memory: the whole transaction shares one allowance, since it holds all of it. */
  memoryLeft(canonical: boolean): number {
    const { softMemoryBytes, hardMemoryBytes } = this.#settings;
    const used = (this.writer.heapBytes?.() ?? 0) - this.#heapAtBegin;
    return Math.max(0, (canonical ? hardMemoryBytes : softMemoryBytes) - used);
  }

  /** A command ended and is part of the transaction now. */
  keep(ordinal: number, skip: Past['skip'], ok: boolean): void {
    this.#past.push({ ordinal, skip, ok });
    this.#ended++;
  }

  /** A command ended and is no part of the transaction. */
  leaveOut(): void {
    this.#ended++;
  }

  /**
   * Undoes everything since BEGIN and does again what stays. `reload`: schema or statistics changed meanwhile; the
   * connection would remember statistics that were rolled back, and plan differently from a fresh instance.
   */
  redo(reload: boolean): void {
    this.stats.redos++;
    this.#surviving(() => {
      this.rollback();
      if (reload) this.writer.reloadSchema();
      this.begin();
      this.#repeat();
    });
  }

  /** A fresh instance over the last committed pages, with what stays done again. */
  renew(): void {
    this.#surviving(() => {
      this.#open();
      this.begin();
      this.#repeat();
      this.pristine = true;
    });
  }

  /** A fresh instance without a transaction, for maintenance that runs outside of one. */
  renewBare(): void {
    this.#open();
  }

  /** Starts the entry over: nothing of it stays. */
  restart(reload: boolean): void {
    this.#past.length = 0;
    this.#surviving(() => {
      this.rollback();
      if (reload) this.writer.reloadSchema();
      this.begin();
    });
  }

  /** Undoes everything since BEGIN. */
  rollback(): void {
    this.pristine = false;
    this.#context.schema++;
    if (!this.writer.autocommit()) this.writer.exec('ROLLBACK');
  }

  /**
   * The instance crashed. Throws `CannotApply` when it has done so before without getting further: no result may come
   * of that (rule C7), so the node stops.
   */
  crashed(error: unknown): void {
    this.stats.crashes++;
    const { failure } = this.#store;
    if (failure) throw new CannotApply(failure.message, { cause: failure });
    if (this.#crashedAfter >= this.#ended) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new CannotApply(`the SQL engine failed twice at the same command: ${reason}`, {
        cause: error,
      });
    }
    this.#crashedAfter = this.#ended;
  }

  #open(): void {
    try {
      this.writer.close();
    } catch {
      // A crashed instance cannot be closed; it is dropped as a whole.
    }
    this.#context.schema++;
    this.writer = this.#engine.openWriter(this.#store, this.host, engineLimits(this.#settings));
    this.#context.writer = this.writer;
  }

  #repeat(): void {
    for (const past of this.#past) {
      this.host.entropy.start(past.ordinal);
      this.writer.beginCommand(UNLIMITED);
      try {
        this.#again(past);
      } catch (error) {
        if (isCrash(error) || isLimit(error)) throw error;
        assert(!past.ok, () => `command ${past.ordinal} fails when it is done again: ${error}`);
      }
      this.writer.endCommand();
      assert(!this.writer.autocommit(), () => `command ${past.ordinal} ended its transaction`);
    }
  }

  /** Does `work`, once more on a fresh instance when the first one crashes meanwhile. */
  #surviving(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!isCrash(error) && !isLimit(error)) throw error;
      this.crashed(error);
      this.renew();
    }
  }

  close(): void {
    this.writer.close();
  }
}
