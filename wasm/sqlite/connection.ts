/** What a writer and a reader connection share: opening, compiling, our own SQL. */
import { assert } from '../../src/wire/assert.ts';
import type { Connection as Contract, EngineLimits, Statement } from '../engine.ts';
import {
  GENERATED_COLUMNS_MAX,
  LARGE_STATEMENT_BYTES,
  PLANNER_STEPS_MAX,
  STATEMENT_CACHE,
  STEP_UNIT,
} from '../limits.ts';
import {
  AUTHORIZER_MASK,
  type StatementRights,
  statementRights,
  trustedRights,
} from './authorizer.ts';
import { SQLITE } from './codes.ts';
import { applyLimits, GENERATED_REFUSAL, lowerLimits } from './compile-limits.ts';
import { NO_HEAP_LIMIT, TICKS_ONLY, WORD } from './control.ts';
import { plainError, readError, refusedError } from './errors.ts';
import type { Pointer } from './exports.ts';
import { createFunctions, registerFunctions } from './functions.ts';
import type { Instance } from './instance.ts';
import type { Authorized, LinkedInstance } from './linked.ts';
import { Script } from './script.ts';
import { generatedColumns, isBlank } from './sql-text.ts';
import { CompiledStatement } from './statement.ts';
import { StatementCache } from './statement-cache.ts';
import { type StatementTables, TableCollector } from './tables.ts';
import { DATABASE_NAME } from './vfs.ts';

const PREPARE_PERSISTENT = 1;
/** `sqlite3_db_config` switches with the value they get. */
const SWITCHES: readonly (readonly [option: number, value: number])[] = [
  [1002, 1], // ENABLE_FKEY
  [1007, 1], // ENABLE_QPSG: plans do not depend on bound values
  [1010, 1], // DEFENSIVE
  [1013, 0], // DQS_DML
  [1014, 0], // DQS_DDL
  [1017, 0], // TRUSTED_SCHEMA
];
/** Modules that stay; all others (dbstat, sqlite_dbpage …) show pages or the process. */
const MODULES: readonly string[] = ['fts5', 'fts5vocab', 'rtree', 'json_each', 'json_tree'];
const PRIMARY_FLAGS = { reader: 1, writer: 6 } as const;

/** See the file's comment. */
export abstract class Connection implements Contract, Authorized {
  readonly instance: Instance;
  readonly db: Pointer;
  rights: StatementRights;
  refusal: string | null = null;
  collector: TableCollector | null = null;
  programs: Set<number> | null = null;
  altered: string | null = null;
  /** Grows with everything that may change the schema. */
  schemaGeneration = 0;
  abstract readonly interruptKind: 'steps' | 'timeout';
  protected readonly linked: LinkedInstance;
  /** Whether a statement of ours is running, which no limit may stop. */
  protected unlimited = false;
  readonly #id: number;
  readonly #cache = new StatementCache(STATEMENT_CACHE);
  /** Our own short statements (BEGIN, COMMIT, savepoints …). */
  readonly #own = new StatementCache(STATEMENT_CACHE);
  /** Maintenance statements, which nobody may get without asking for privileges again. */
  readonly #privileged = new StatementCache(STATEMENT_CACHE);
  readonly #programs = new Set<number>();
  #script: Script | null = null;
  #closed = false;

  protected constructor(linked: LinkedInstance, role: 'reader' | 'writer') {
    this.linked = linked;
    this.instance = linked.instance;
    this.rights = trustedRights('', 0);
    this.#id = linked.register(this);
    this.db = this.#open(PRIMARY_FLAGS[role]);
  }

  #open(flags: number): Pointer {
    const { instance } = this;
    const { x } = instance;
    const name = instance.allocateText(DATABASE_NAME).pointer;
    const rc = x.sqlite3_open_v2(name, instance.scratch, flags, 0);
    x.free(name);
    const db = instance.i32[instance.scratch >> 2]!;
    assert(rc === SQLITE.OK, () => `opening the database gave ${rc}`);
    x.sqlite3_extended_result_codes(db, 1);
    for (const [option, value] of SWITCHES) x.sqlite3__wasm_db_config_ip(db, option, value, 0);
    this.#keepModules(db);
    instance.setWord(WORD.authMask, AUTHORIZER_MASK[0]);
    instance.setWord(WORD.authMask + 1, AUTHORIZER_MASK[1]);
    x.sqlite3_progress_handler(db, STEP_UNIT, instance.callback('progress'), 0);
    x.sqlite3_set_authorizer(db, instance.callback('authorizer'), this.#id);
    if (this.linked.functions.length === 0) {
      this.linked.functions.push(...createFunctions(this.linked, () => this.changedInCommand()));
    }
    registerFunctions(instance, db);
    return db;
  }

  #keepModules(db: Pointer): void {
    const { instance } = this;
    const names = MODULES.map((name) => instance.allocateText(name).pointer);
    const list = instance.allocate(4 * (names.length + 1));
    [...names, 0].forEach((pointer, i) => {
      instance.i32[(list >> 2) + i] = pointer;
    });
    instance.x.sqlite3_drop_modules(db, list);
    for (const pointer of [...names, list]) instance.x.free(pointer);
  }

  /** What `total_changes()` answers in SQL. */
  protected changedInCommand(): number {
    return 0;
  }

  /** Sets what `EngineLimits` says about values and texts. */
  protected applyTextLimits(limits: EngineLimits): void {
    applyLimits(this.instance, this.db, limits);
  }

  prepare(sql: string): Statement | null {
    this.instance.alive();
    const cached = this.#cache.take(sql);
    // What the schema's change would refuse must be refused here, not when SQLite compiles it again in a step.
    if (cached !== undefined && cached.generation === this.schemaGeneration) return cached;
    const script = new Script(this.instance, sql);
    let compiled: { statement: CompiledStatement | null; next: number };
    try {
      compiled = this.#compile(script, 0, false, true);
    } finally {
      script.free();
    }
    const { statement, next } = compiled;
    if (statement === null) return null;
    if (!isBlank(sql, next)) {
      statement.finalize();
      throw plainError(
        SQLITE.ERROR,
        'more than one statement: send a batch or a transaction',
        next,
      );
    }
    (statement.rights.unchecked ? this.#privileged : this.#cache).put(statement);
    return statement;
  }

  prepareNext(sql: string, from: number): { statement: Statement | null; next: number } {
    if (this.#script === null || !this.#script.continues(sql, from)) {
      this.#dropScript();
      this.#script = new Script(this.instance, sql);
    }
    const script = this.#script;
    try {
      const compiled = this.#compile(script, from, false, false);
      if (script.done) this.#dropScript();
      return compiled;
    } catch (error) {
      this.#dropScript();
      throw error;
    }
  }

  #dropScript(): void {
    this.#script?.free();
    this.#script = null;
  }

  exec(sql: string): void {
    const own = this.#own.take(sql);
    if (own !== undefined) {
      this.#runOwn(own, true);
      return;
    }
    const script = new Script(this.instance, sql);
    try {
      for (let from = 0; ; ) {
        const { statement, next } = this.#compile(script, from, true, false);
        if (statement === null) return;
        this.#runOwn(statement, from === 0 && isBlank(sql, next));
        from = next;
      }
    } finally {
      script.free();
    }
  }

  /** Runs a statement of ours to its end, with progress handler and memory limit off, and keeps it or not. */
  #runOwn(statement: CompiledStatement, keep: boolean): void {
    const { instance } = this;
    const armed = instance.word(WORD.armed);
    const limit = instance.word(WORD.heapLimit);
    this.unlimited = true;
    instance.setWord(WORD.armed, 0);
    instance.setWord(WORD.heapLimit, NO_HEAP_LIMIT);
    try {
      while (statement.step());
    } finally {
      this.unlimited = false;
      instance.setWord(WORD.armed, armed);
      instance.setWord(WORD.heapLimit, limit);
      if (keep) this.#own.put(statement);
      else statement.finalize();
    }
  }

  clearStatements(): void {
    this.#cache.clear();
    this.#own.clear();
    this.#privileged.clear();
    this.#dropScript();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.instance.dead) return;
    this.clearStatements();
    this.instance.x.sqlite3_close_v2(this.db);
    this.linked.unregister(this.#id);
  }

  /**
   * Compiles a statement twice more and listens the second time to what the authorizer is asked: the first time connects
   * virtual tables, which compile statements of their own, so that what is heard does not depend on what this connection
   * has run. Without a memory limit, for the same reason.
   */
  collectTables(sql: string, from: number, rights: StatementRights): StatementTables {
    const { instance } = this;
    const script = new Script(instance, sql);
    const collector = new TableCollector();
    const limit = instance.word(WORD.heapLimit);
    instance.setWord(WORD.heapLimit, NO_HEAP_LIMIT);
    this.rights = rights;
    try {
      this.#compileOnly(script.seek(from));
      instance.setWord(WORD.authMask, -1);
      instance.setWord(WORD.authMask + 1, -1);
      this.collector = collector;
      this.#compileOnly(script.seek(from));
    } finally {
      this.collector = null;
      instance.setWord(WORD.authMask, AUTHORIZER_MASK[0]);
      instance.setWord(WORD.authMask + 1, AUTHORIZER_MASK[1]);
      instance.setWord(WORD.heapLimit, limit);
      script.free();
    }
    return collector.result(this.schemaGeneration);
  }

  #compileOnly(sql: Pointer): void {
    this.#prepare(sql, false, true);
    this.instance.x.sqlite3_finalize(this.instance.i32[this.instance.scratch >> 2]!);
  }

  /** The first column of the first row of a statement of ours, as a number. */
  protected ownInteger(sql: string): number {
    const script = new Script(this.instance, sql);
    try {
      const { statement } = this.#compile(script, 0, true, false);
      const value = statement?.step() ? Number(statement.column(0)) : 0;
      statement?.finalize();
      return value;
    } finally {
      script.free();
    }
  }

  /** Lets go of statements whose memory would tell a warm connection from a fresh one. */
  protected dropLargeStatements(): void {
    this.#cache.dropLarge(LARGE_STATEMENT_BYTES);
    this.#privileged.clear();
  }

  /** Whether maintenance statements pass. */
  protected get isPrivileged(): boolean {
    return false;
  }

  /** Called before the first step of a run. */
  beforeRun(statement: CompiledStatement): void {
    this.rights = statement.rights;
    this.refusal = null;
  }

  /** Called after a statement failed and was reset. */
  afterError(): void {}

  /** `sqlite3_step` under this connection's limits. */
  abstract step(statement: Pointer, first: boolean): number;

  /** Compiles the first statement of `script` from UTF-16 offset `from`. */
  #compile(
    script: Script,
    from: number,
    trusted: boolean,
    persistent: boolean,
  ): { statement: CompiledStatement | null; next: number } {
    const { instance } = this;
    const { sql } = script;
    const rights = trusted
      ? trustedRights(sql, from)
      : statementRights(sql, from, this.isPrivileged);
    if ('refused' in rights) throw refusedError(rights.refused);
    this.rights = rights;
    this.refusal = null;
    const generated = !trusted && rights.schema ? generatedColumns(sql, from) : 0;
    if (generated > GENERATED_COLUMNS_MAX) throw refusedError(GENERATED_REFUSAL);
    const restoreLimits = lowerLimits(instance, this.db, sql, generated);
    try {
      const compiled = this.#compileAny(script, from, rights, trusted, persistent);
      if (generated > 0) this.#checkAltered(compiled.statement);
      return compiled;
    } finally {
      restoreLimits?.();
    }
  }

  /** Refuses an ALTER TABLE that adds one generated column too many. */
  #checkAltered(statement: CompiledStatement | null): void {
    if (this.altered === null || statement === null) return;
    const table = this.altered.replaceAll("'", "''");
    const { rights, refusal } = this;
    const generated = this.ownInteger(
      `SELECT count(*) FROM pragma_table_xinfo('${table}') WHERE hidden IN (2, 3)`,
    );
    this.rights = rights;
    this.refusal = refusal;
    if (generated < GENERATED_COLUMNS_MAX) return;
    statement.finalize();
    throw refusedError(GENERATED_REFUSAL);
  }

  /** Compiles the first statement that is more than a comment. */
  #compileAny(
    script: Script,
    from: number,
    rights: StatementRights,
    trusted: boolean,
    persistent: boolean,
  ): { statement: CompiledStatement | null; next: number } {
    const { instance } = this;
    const { sql } = script;
    this.altered = null;
    let at = from;
    let rc: number = SQLITE.OK;
    for (;;) {
      const start = script.seek(at);
      const compileBytes = instance.peakOf(() => {
        rc = this.#prepare(start, persistent || trusted, trusted);
      });
      const pointer = instance.i32[instance.scratch >> 2]!;
      const next = script.unitsAt(instance.i32[(instance.scratch >> 2) + 1]!);
      if (rc !== SQLITE.OK) {
        const error = readError(instance, this.db, rc, {
          refusal: this.refusal,
          interrupt: this.interruptKind,
          sql,
          from: at,
          compiling: true,
        });
        if (!instance.dead) instance.setWord(WORD.interrupted, 0);
        throw error;
      }
      if (pointer !== 0) {
        return {
          statement: new CompiledStatement(this, pointer, sql, at, rights, compileBytes),
          next,
        };
      }
      at = next;
      if (script.done) return { statement: null, next: sql.length };
    }
  }

  /**
   * `sqlite3_prepare_v3`; statement and tail are left in the scratch space. For statements from outside the progress
   * handler counts the planner's work, and memory has a bound; our own are not limited.
   */
  #prepare(sql: Pointer, persistent: boolean, unlimited: boolean): number {
    const { instance, db } = this;
    const { scratch, i32: words } = instance;
    const at = instance.control >> 2;
    const armed = words[at + WORD.armed]!;
    const remaining = words[at + WORD.remaining]!;
    const ask = words[at + WORD.ask]!;
    const heapLimit = words[at + WORD.heapLimit]!;
    words[scratch >> 2] = 0;
    words[at + WORD.armed] = unlimited ? 0 : TICKS_ONLY;
    words[at + WORD.tooDeep] = 0;
    if (!unlimited) {
      words[at + WORD.remaining] = PLANNER_STEPS_MAX;
      words[at + WORD.ask] = 0;
      words[at + WORD.interrupted] = 0;
      words[at + WORD.heapLimit] = this.compileLimit(words[at + WORD.heapUsed]! >>> 0, heapLimit);
      this.#programs.clear();
      this.programs = this.#programs;
    }
    const flags = persistent ? PREPARE_PERSISTENT : 0;
    try {
      return instance.x.sqlite3_prepare_v3(db, sql, -1, flags, scratch, scratch + 4);
    } catch (error) {
      throw instance.crash(error);
    } finally {
      this.programs = null;
      if (!instance.dead) {
        instance.setWord(WORD.armed, armed);
        instance.setWord(WORD.remaining, remaining);
        instance.setWord(WORD.ask, ask);
        instance.setWord(WORD.heapLimit, heapLimit);
      }
    }
  }

  /** The heap limit (a word) while a statement is compiled, when `used` bytes are in use and `limit` is in force. */
  protected abstract compileLimit(used: number, limit: number): number;
}
