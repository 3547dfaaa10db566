/** The one connection that writes: commands with budgets, and what they need to be the same on every replica. */
import type { Budget, EngineLimits, Writer } from '../engine.ts';
import type { PageStore } from '../page-store.ts';
import { Connection } from './connection.ts';
import { NO_HEAP_LIMIT, WORD } from './control.ts';
import { type CounterOffsets, Counters } from './counters.ts';
import type { Pointer } from './exports.ts';
import type { LinkedInstance } from './linked.ts';
import type { CompiledStatement } from './statement.ts';

const DBCONFIG_ENABLE_FKEY = 1002;
const STMTSTATUS_VM_STEP = 4;
const STEPS_MAX = 0x7fffffff;
const HEAP_MAX = 0xffffffff;

/** As measured: see the decision record on the page store. The header of a new database is written with these. */
const SETTINGS = `
  PRAGMA page_size = 4096; PRAGMA auto_vacuum = NONE; PRAGMA encoding = 'UTF-8';
  PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA temp_store = MEMORY; PRAGMA secure_delete = ON; PRAGMA foreign_keys = ON;
  PRAGMA trusted_schema = OFF; PRAGMA cache_spill = ON;`;

/** See the file's comment. */
export class WriterConnection extends Connection implements Writer {
  readonly interruptKind = 'steps' as const;
  readonly #store: PageStore;
  readonly #counters: Counters;
  readonly #onClose: () => void;
  #privileged = false;
  /** Total changes, steps and heap when the command began. */
  #totalAtBegin = 0;
  #stepsAtBegin = 0;
  #heapAtBegin = 0;
  #prepareBytes = Infinity;
  #cookieBefore: number | null = null;
  #statisticsWritten = false;

  constructor(
    linked: LinkedInstance,
    store: PageStore,
    limits: EngineLimits,
    counters: CounterOffsets,
    onClose: () => void,
  ) {
    super(linked, 'writer');
    this.#store = store;
    this.#counters = new Counters(this.instance, this.db, counters);
    this.#onClose = onClose;
    this.exec(SETTINGS);
    this.setLimits(limits);
    this.#loadSchema();
    this.clearStatements();
  }

  setLimits(limits: EngineLimits): void {
    this.applyTextLimits(limits);
    this.exec(`PRAGMA cache_size = ${Math.floor(limits.cachePages)}`);
    this.exec(`PRAGMA max_page_count = ${Math.floor(limits.maxPageCount)}`);
  }

  override exec(sql: string): void {
    super.exec(sql);
    if (this.autocommit()) this.#store.abort();
  }

  step(statement: Pointer, first: boolean): number {
    const { instance } = this;
    try {
      if (first) instance.x.sqlite3_stmt_status(statement, STMTSTATUS_VM_STEP, 1);
      return instance.x.sqlite3_step(statement);
    } catch (error) {
      throw instance.crash(error);
    }
  }

  override beforeRun(statement: CompiledStatement): void {
    this.rights = statement.rights;
    this.refusal = null;
    if (!statement.rights.schema) return;
    this.schemaGeneration++;
    if (this.#cookieBefore === null) {
      this.#cookieBefore = 0;
      this.#cookieBefore = this.schemaVersion();
      this.rights = statement.rights;
    }
    if (statement.rights.statistics) this.#statisticsWritten = true;
  }

  /** An error may have ended the transaction: what it had written to the store goes too. */
  override afterError(): void {
    if (!this.instance.dead && this.autocommit()) this.#store.abort();
  }

  autocommit(): boolean {
    return this.instance.x.sqlite3_get_autocommit(this.db) !== 0;
  }

  changes(): number {
    return this.#counters.changes;
  }

  totalChanges(): number {
    return this.#counters.totalChanges;
  }

  protected override changedInCommand(): number {
    return (this.#counters.totalChanges - this.#totalAtBegin) | 0;
  }

  lastInsertRowid(): number | bigint {
    return this.#counters.lastInsertRowid;
  }

  deferredForeignKeysPending(): boolean {
    return this.#counters.deferredPending;
  }

  beginCommand(budget: Budget): void {
    const { instance, linked } = this;
    this.dropLargeStatements();
    instance.forgetRandomness();
    this.#counters.reset();
    this.#totalAtBegin = this.#counters.totalChanges;
    const words = instance.i32;
    this.#cookieBefore = null;
    this.#statisticsWritten = false;
    linked.resetCharge();
    const at = instance.control >> 2;
    const heap = words[at + WORD.heapUsed]! >>> 0;
    this.#heapAtBegin = heap;
    this.#stepsAtBegin = Math.max(0, Math.min(STEPS_MAX, Math.floor(budget.steps)));
    words[at + WORD.remaining] = this.#stepsAtBegin;
    words[at + WORD.interrupted] = 0;
    words[at + WORD.ask] = 0;
    words[at + WORD.chargeRest] = 0;
    words[at + WORD.heapLimit] = Math.min(HEAP_MAX, heap + Math.max(0, budget.memoryBytes));
    words[at + WORD.heapPeak] = heap;
    this.#prepareBytes = budget.prepareBytes ?? Infinity;
    words[at + WORD.heapRefused] = 0;
    words[at + WORD.heapFailed] = 0;
    words[at + WORD.armed] = 1;
  }

  endCommand(): { steps: number; memoryBytes: number } {
    const { instance } = this;
    const words = instance.i32;
    const at = instance.control >> 2;
    words[at + WORD.armed] = 0;
    words[at + WORD.heapLimit] = NO_HEAP_LIMIT;
    words[at + WORD.interrupted] = 0;
    this.#prepareBytes = Infinity;
    return {
      steps: this.#stepsAtBegin - words[at + WORD.remaining]!,
      memoryBytes: (words[at + WORD.heapPeak]! >>> 0) - this.#heapAtBegin,
    };
  }

  protected override compileLimit(used: number, limit: number): number {
    return Math.min(limit >>> 0, used + this.#prepareBytes);
  }

  setForeignKeys(enabled: boolean): void {
    this.instance.x.sqlite3__wasm_db_config_ip(this.db, DBCONFIG_ENABLE_FKEY, enabled ? 1 : 0, 0);
  }

  schemaVersion(): number {
    return this.ownInteger('PRAGMA schema_version');
  }

  schemaOrStatisticsChanged(): boolean {
    if (this.#statisticsWritten) return true;
    return this.#cookieBefore !== null && this.#cookieBefore !== this.schemaVersion();
  }

  reloadSchema(): void {
    this.clearStatements();
    this.exec('PRAGMA writable_schema = RESET');
    this.#loadSchema();
    this.clearStatements();
  }

  /** Compiling any statement loads the schema and the statistics. */
  #loadSchema(): void {
    this.exec('SELECT 1 FROM sqlite_schema LIMIT 1');
  }

  protected override get isPrivileged(): boolean {
    return this.#privileged;
  }

  privileged<T>(run: () => T): T {
    const before = this.#privileged;
    this.#privileged = true;
    try {
      return run();
    } finally {
      this.#privileged = before;
    }
  }

  memoryBytes(): number {
    return this.instance.memoryBytes;
  }

  heapBytes(): number {
    return this.instance.word(WORD.heapUsed) >>> 0;
  }

  override close(): void {
    super.close();
    this.#onClose();
  }

  /** Ends the connection without touching the instance, when another writer takes its place. */
  supersede(): void {
    this.instance.crash(new Error('another writer was opened on the same page store'));
  }
}
