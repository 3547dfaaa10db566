/** The SQL database: runs the commands of an entry in one transaction and gives each its outcome. */
import { type Budget, type Engine, SqlError } from '../../../wasm/engine.ts';
import { hardStepLimit, PREPARE_BYTES } from '../../../wasm/limits.ts';
import type { PageStore } from '../../../wasm/page-store.ts';
import { QuorliteError } from '../../wire/error.ts';
import { Op, operationIsSlow } from '../../wire/operation.ts';
import type { CommandOutcome, OperationResult } from '../../wire/result.ts';
import { type Admission, Verdict } from '../admission.ts';
import type { ClusterSettings } from '../settings.ts';
import type { Maintenance } from '../sql-text.ts';
import { runBatch } from './batch.ts';
import { CommandContext } from './context.ts';
import { EntryHost } from './entry-host.ts';
import { isCrash, isLimit, PartFailed, publicError } from './errors.ts';
import { runExecute } from './execute.ts';
import { runMigrate } from './migrations.ts';
import { insideSavepoint } from './savepoint.ts';
import type { TableMarks } from './tables.ts';
import { EntryTransaction, type Past } from './transaction.ts';
import { runTxn } from './txn.ts';
import { vacuum } from './vacuum.ts';

/** The module of SQL. */
export class Database {
  readonly store: PageStore;
  readonly tables: TableMarks;
  readonly #context: CommandContext;
  readonly #transaction: EntryTransaction;
  readonly #budget = { steps: 0, memoryBytes: 0, prepareBytes: 0 };
  #settings: ClusterSettings;
  #admission: Admission | null = null;
  /** The schema or the statistics changed in this entry. */
  #schemaChanged = false;
  /** The store's epoch before the entry. */
  #epoch = 0;
  /** Second way of committing: every command settles what it leaves to COMMIT by itself. */
  #careful = false;

  constructor(engine: Engine, store: PageStore, tables: TableMarks, settings: ClusterSettings) {
    this.store = store;
    this.tables = tables;
    this.#settings = settings;
    this.#context = new CommandContext(this.tables);
    this.#context.settings = settings;
    this.#transaction = new EntryTransaction(
      engine,
      store,
      new EntryHost(),
      this.#context,
      settings,
      (past) => this.#runAgain(past),
    );
  }

  /** Changed settings, from the next entry on. */
  setSettings(settings: ClusterSettings): void {
    this.#settings = settings;
    this.#context.settings = settings;
    this.#transaction.setSettings(settings);
  }

  /**
   * Runs the commands that were admitted for the database and writes their outcomes. Returns whether schema or
   * statistics changed. Throws `CannotApply` when this node cannot go on.
   */
  apply(admission: Admission, index: number): boolean {
    const { header } = admission;
    this.#admission = admission;
    this.#schemaChanged = false;
    this.#careful = false;
    const context = this.#context;
    context.begin(admission.input);
    context.index = index;
    context.wall = header.wall;
    this.#transaction.host.wall = header.wall;
    this.#transaction.host.entropy.seed(header.seed);
    this.#transaction.start();
    if (admission.runs > 0) this.#applyCommands(admission);
    if (this.#schemaChanged) this.#reload(index);
    this.#admission = null;
    return this.#schemaChanged;
  }

  #applyCommands(admission: Admission): void {
    const maintenance = this.#loneMaintenance(admission);
    if (maintenance === 'vacuum') {
      this.#vacuum(admission);
      return;
    }
    // What PRAGMA optimize does depends on what the connection has run before: on all replicas nothing.
    if (maintenance === 'optimize') this.#reloadSurviving();
    this.#context.alone = maintenance !== null;
    this.#begin();
    for (;;) {
      this.#runAll(admission);
      if (this.#commit(admission)) return;
    }
  }

  #runAll({ count, verdicts, outcomes }: Admission): void {
    for (let ordinal = 0; ordinal < count; ordinal++) {
      if (verdicts[ordinal] === Verdict.run) outcomes[ordinal] = this.#runOne(ordinal);
    }
  }

  /** Runs a command to its outcome, whatever attempts that takes. */
  #runOne(ordinal: number): CommandOutcome {
    const transaction = this.#transaction;
    const index = this.#context.index;
    let skip: Map<number, QuorliteError> | null = null;
    for (;;) {
      const canonical = transaction.pristine;
      const before = transaction.writer.totalChanges();
      try {
        const result = this.#attempt(ordinal, skip, canonical);
        transaction.keep(ordinal, skip, true);
        return { ok: true, index, result };
      } catch (error) {
        if (isCrash(error)) {
          transaction.crashed(error);
          transaction.renew();
        } else if (isLimit(error) && !canonical) {
          transaction.stats.canonicalRuns++;
          transaction.renew();
        } else if (error instanceof PartFailed) {
          skip = new Map(skip).set(error.part, error.error);
          this.#undo(canonical);
        } else {
          const failure = publicError(error);
          if (isLimit(error) || this.#leftSomething(before)) {
            this.#undo(canonical);
            transaction.leaveOut();
          } else {
            transaction.keep(ordinal, skip, false);
          }
          return { ok: false, index, error: failure };
        }
      }
    }
  }

  /** One run of a command under its limits. */
  #attempt(
    ordinal: number,
    skip: ReadonlyMap<number, QuorliteError> | null,
    canonical: boolean,
  ): OperationResult {
    const { writer, host } = this.#transaction;
    const context = this.#context;
    host.entropy.start(ordinal);
    context.skip = skip;
    context.canonical = canonical;
    writer.beginCommand(this.#budgetOf(ordinal, canonical));
    let result: OperationResult;
    try {
      result = this.#run(ordinal);
    } catch (error) {
      if (!isCrash(error)) this.#ended();
      throw error;
    }
    this.#ended();
    context.settle();
    return result;
  }

  /** A run ended, well or not: a migration that failed leaves the files before it. */
  #ended(): void {
    const { writer } = this.#transaction;
    writer.endCommand();
    if (writer.schemaOrStatisticsChanged()) this.#schemaChanged = true;
  }

  #runAgain({ ordinal, skip }: Past): void {
    const context = this.#context;
    context.skip = skip;
    context.canonical = true;
    this.#run(ordinal);
  }

  #run(ordinal: number): OperationResult {
    const { starts, ends, texts } = this.#admission!;
    const context = this.#context;
    context.start();
    context.textAt = texts[ordinal]!;
    context.end = ends[ordinal]!;
    context.input.at = starts[ordinal]!;
    if (this.#careful) return this.#runCarefully();
    return this.#dispatch();
  }

  #dispatch(): OperationResult {
    const op = this.#context.input.u8();
    switch (op) {
      case Op.execute:
        return runExecute(this.#context);
      case Op.txn:
        return runTxn(this.#context);
      case Op.batch:
        return runBatch(this.#context);
      case Op.migrate:
        return runMigrate(this.#context);
      default:
        throw new QuorliteError('BAD_REQUEST', `malformed bytes: operation ${op}`);
    }
  }

  #budgetOf(ordinal: number, canonical: boolean): Budget {
    const { starts, input } = this.#admission!;
    const { softSteps, hardSteps, slowSteps } = this.#settings;
    const body = input.bytes;
    const start = starts[ordinal]!;
    const budget = this.#budget;
    const slow =
      (body[start] === Op.migrate || body[start + 1] !== 0) && operationIsSlow(body, start);
    if (slow) budget.steps = canonical ? hardStepLimit(slowSteps) : slowSteps;
    else budget.steps = canonical ? hardSteps : softSteps;
    budget.memoryBytes = this.#transaction.memoryLeft(canonical);
    budget.prepareBytes = canonical ? PREPARE_BYTES.hard : PREPARE_BYTES.soft;
    return budget;
  }

  /** Whether a failed command ended the transaction or left rows behind. */
  #leftSomething(before: number): boolean {
    const { writer } = this.#transaction;
    return writer.autocommit() || (!this.#context.undone && writer.totalChanges() !== before);
  }

  /** A canonical run that failed may have left its instance short of memory. */
  #undo(canonical: boolean): void {
    if (canonical) this.#transaction.renew();
    else this.#transaction.redo(this.#schemaChanged);
  }

  /**
   * In careful mode a command also settles what it would leave to COMMIT: opening a savepoint makes FTS5 write what it
   * has gathered, so that a full database is the command's own failure.
   */
  #runCarefully(): OperationResult {
    const { writer } = this.#transaction;
    return insideSavepoint(this.#context, 'careful', () => {
      const result = this.#dispatch();
      writer.exec('SAVEPOINT settled');
      writer.exec('RELEASE settled');
      return result;
    });
  }

  #begin(): void {
    this.#epoch = this.store.epoch;
    try {
      this.#transaction.begin();
    } catch (error) {
      if (!isCrash(error)) throw error;
      this.#transaction.crashed(error);
      this.#transaction.renew();
    }
  }

  /** Commits; false when the commands must run again, in careful mode. */
  #commit(admission: Admission): boolean {
    const transaction = this.#transaction;
    for (;;) {
      try {
        transaction.writer.exec('COMMIT');
        return true;
      } catch (error) {
        if (!(error instanceof SqlError)) throw error;
        if (isCrash(error)) {
          // A crash behind the commit point looks like a failure; the store knows better.
          if (this.store.epoch !== this.#epoch) {
            transaction.renewBare();
            return true;
          }
          transaction.crashed(error);
          transaction.renew();
        } else if (!this.#careful) {
          this.#careful = true;
          transaction.restart(this.#schemaChanged);
          return false;
        } else {
          this.#failAll(admission, publicError(error));
          transaction.rollback();
          return true;
        }
      }
    }
  }

  #failAll({ count, verdicts, outcomes }: Admission, error: QuorliteError): void {
    const { index } = this.#context;
    for (let ordinal = 0; ordinal < count; ordinal++) {
      if (verdicts[ordinal] === Verdict.run) outcomes[ordinal] = { ok: false, index, error };
    }
  }

  /** Which maintenance the entry consists of, or null. */
  #loneMaintenance({ count, verdicts, starts, input }: Admission): Maintenance | null {
    const start = starts[0]!;
    if (count !== 1 || verdicts[0] !== Verdict.run || input.bytes[start] !== Op.execute)
      return null;
    input.at = start + 2;
    try {
      return this.#context.texts.read(input).maintenance;
    } catch (error) {
      if (error instanceof QuorliteError) return null;
      throw error;
    }
  }

  #vacuum(admission: Admission): void {
    const { index } = this.#context;
    this.#schemaChanged = true;
    this.#context.alone = true;
    admission.outcomes[0] = vacuum({
      transaction: this.#transaction,
      store: this.store,
      index,
      memoryBytes: this.#settings.hardMemoryBytes,
      attempt: (canonical) => this.#attemptVacuum(canonical),
    });
  }

  #attemptVacuum(canonical: boolean): OperationResult {
    const { writer, host } = this.#transaction;
    host.entropy.start(0);
    writer.beginCommand({ ...this.#budgetOf(0, canonical), memoryBytes: Infinity });
    try {
      return this.#run(0);
    } finally {
      writer.endCommand();
    }
  }

  #reload(index: number): void {
    this.tables.schemaChanged(index);
    this.#reloadSurviving();
  }

  #reloadSurviving(): void {
    this.#context.schema++;
    try {
      this.#transaction.writer.reloadSchema();
    } catch (error) {
      if (!isCrash(error)) throw error;
      // A fresh instance has loaded it.
      this.#transaction.renewBare();
    }
  }

  /** Grows whenever the schema may be another one. */
  get schema(): number {
    return this.#context.schema;
  }

  stats(): { readonly [name: string]: number } {
    return {
      ...this.#transaction.stats,
      engineBytes: this.#transaction.writer.memoryBytes(),
      pageBytes: this.store.bytesHeld,
      pages: this.store.pageCount,
    };
  }

  close(): void {
    this.#transaction.close();
  }
}
