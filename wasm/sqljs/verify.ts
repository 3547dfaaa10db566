/**
 * Tries what the bridge and the host do behind SQLite's back (addresses of its data, offsets in its structures) on a
 * scratch instance and compares it with what SQL says, before an engine is made of a module. A build that differs
 * anywhere is refused here, with the reason, and never sees a database.
 */
import { assert } from '../../src/wire/assert.ts';
import type { EngineHost } from '../engine.ts';
import { WORD } from '../sqlite/control.ts';
import type { Pointer } from '../sqlite/exports.ts';
import { type EngineModules, Instance } from '../sqlite/instance.ts';
import { IDLE_CALLBACKS } from '../sqlite/probe.ts';
import { ADDRESS, CONFIG_WORDS } from './layout.ts';
import { SQLJS_EXPORTS } from './names.ts';

const HOST: EngineHost = {
  wallMs: () => 0,
  random: (out) => void out.fill(0),
  monotonicMs: () => 0,
};
const ROW = 100;
const DONE = 101;
const DENY = 1;
const INTERRUPT = 9;
const AUTH = 23;
const FOREIGN_KEY = 787;
const PRIMARY_KEY = 1555;
const BIG = 9_007_199_254_740_993n;
const SQL_LENGTH = 1;
const VM_STEP = 4;
const DEFERRED_FKS = 10;
const ENABLE_FKEY = 1002;

/** Throws when `modules` is not the build that the layout describes. */
export function verifySqljs(modules: EngineModules): void {
  const names = new Set(WebAssembly.Module.exports(modules.sqlite).map(({ name }) => name));
  for (const [short, name] of Object.entries(SQLJS_EXPORTS)) {
    assert(names.has(short), () => `this is not the sql.js of this release: no ${name}`);
  }
  const started = (modules.start as NonNullable<EngineModules['start']>)(
    modules.sqlite,
    HOST,
    1024,
  );
  const words = new Int32Array(started.memory.buffer, ADDRESS.config, CONFIG_WORDS.length);
  check(
    'configuration',
    CONFIG_WORDS.every((word, i) => words[i] === word),
  );
  const verifier = new Verifier(
    new Instance(modules, HOST, { ...IDLE_CALLBACKS, authorize: () => DENY }),
  );
  verifier.memory();
  verifier.connection();
  verifier.statements();
  verifier.errors();
  verifier.callbacks();
}

function check(what: string, holds: boolean): void {
  assert(holds, () => `this is not the sql.js of this release: ${what} differs`);
}

class Verifier {
  readonly #instance: Instance;
  readonly #db: Pointer;

  constructor(instance: Instance) {
    const { x, scratch } = instance;
    const name = instance.allocateText(':memory:').pointer;
    check('opening', x.sqlite3_open_v2(name, scratch, 6, 0) === 0);
    x.free(name);
    this.#instance = instance;
    this.#db = instance.i32[scratch >> 2]!;
    x.sqlite3_extended_result_codes(this.#db, 1);
  }

  /** The allocator is ours, and `realloc` keeps what a block holds. */
  memory(): void {
    const { x, i32 } = this.#instance;
    const realloc = (x as unknown as { realloc(p: Pointer, n: number): Pointer }).realloc;
    const block = x.malloc(16);
    i32[block >> 2] = 8;
    i32[(block >> 2) + 2] = 4711;
    const moved = realloc(block, 70_000);
    check('realloc', this.#instance.i32[(moved >> 2) + 2] === 4711);
    x.free(moved);
    check('the allocator', this.#instance.word(WORD.heapUsed) > 0);
  }

  connection(): void {
    const { x } = this.#instance;
    const db = this.#db;
    x.sqlite3_set_last_insert_rowid(db, BIG);
    check('the last rowid', this.#one('SELECT last_insert_rowid()') === BIG);
    check('autocommit', x.sqlite3_get_autocommit(db) === 1);
    this.#exec(
      'BEGIN; CREATE TABLE t(a INTEGER PRIMARY KEY, b VARCHAR(9)); CREATE TABLE k(t REFERENCES t(a))',
    );
    check('autocommit', x.sqlite3_get_autocommit(db) === 0);
    this.#exec("COMMIT; INSERT INTO t VALUES (1, 'x'), (2, 'y')");
    check('total changes', x.sqlite3_total_changes(db) === 2);
    check('the last rowid', x.sqlite3_last_insert_rowid(db) === 2n);
    const drawn = (): bigint => this.#one('SELECT random()');
    x.sqlite3_randomness(0, 0);
    const first = drawn();
    const second = drawn();
    x.sqlite3_randomness(0, 0);
    check('the random generator', drawn() === first && drawn() === second && first !== second);
    const before = x.sqlite3_limit(db, SQL_LENGTH, 30);
    check('limits', this.#prepareCode(`SELECT 1 -- ${'x'.repeat(30)}`) !== 0 && before === 1e9);
    check('limits', x.sqlite3_limit(db, SQL_LENGTH, 2e9) === 30);
    check('limits', x.sqlite3_limit(db, SQL_LENGTH, -1) === 1e9);
    this.#deferred();
  }

  #deferred(): void {
    const { x, scratch } = this.#instance;
    const pending = (): number => {
      x.sqlite3_db_status(this.#db, DEFERRED_FKS, scratch, scratch + 4, 0);
      return this.#instance.i32[scratch >> 2]!;
    };
    x.sqlite3__wasm_db_config_ip(this.#db, ENABLE_FKEY, 1, 0);
    this.#exec('BEGIN; PRAGMA defer_foreign_keys = ON');
    check('deferred foreign keys', pending() === 0);
    this.#exec('INSERT INTO k VALUES (99)');
    check('deferred foreign keys', pending() === 1);
    this.#exec('ROLLBACK');
    check('switches', this.#execCode('INSERT INTO k VALUES (99)') === FOREIGN_KEY);
    x.sqlite3__wasm_db_config_ip(this.#db, ENABLE_FKEY, 0, 0);
    check('switches', this.#execCode('INSERT INTO k VALUES (99)') === 0);
  }

  statements(): void {
    const { x } = this.#instance;
    this.#with('SELECT :a, ?3, b FROM t', (s) => {
      check('parameters', x.sqlite3_bind_parameter_count(s) === 3);
      check('parameters', this.#text(x.sqlite3_bind_parameter_name(s, 1)) === ':a');
      check('parameters', x.sqlite3_bind_parameter_name(s, 2) === 0);
      check('declared types', this.#text(x.sqlite3_column_decltype(s, 2)) === 'VARCHAR(9)');
      check('declared types', x.sqlite3_column_decltype(s, 0) === 0);
      check('read-only', x.sqlite3_stmt_readonly(s) === 1 && x.sqlite3_stmt_isexplain(s) === 0);
      check('binding', x.sqlite3_bind_int64(s, 1, -BIG) === 0);
      check('binding', x.sqlite3_bind_int64(s, 4, 1n) !== 0);
      check('steps', x.sqlite3_step(s) === ROW && this.#column(s) === -BIG);
      check('steps', x.sqlite3_stmt_status(s, VM_STEP, 1) > 0);
      check('steps', x.sqlite3_stmt_status(s, VM_STEP, 0) === 0);
    });
    this.#with('INSERT INTO t VALUES (3, 4)', (s) => {
      check('read-only', x.sqlite3_stmt_readonly(s) === 0);
    });
    this.#with('EXPLAIN QUERY PLAN SELECT 1', (s) => {
      check('EXPLAIN', x.sqlite3_stmt_isexplain(s) === 2);
    });
  }

  errors(): void {
    const { x } = this.#instance;
    check('error codes', this.#execCode('INSERT INTO t VALUES (1, 1)') === PRIMARY_KEY);
    check('error codes', x.sqlite3_extended_errcode(this.#db) === PRIMARY_KEY);
    check('error offsets', this.#prepareCode('SELECT 1 FRM t') === 1);
    check('error offsets', x.sqlite3_error_offset(this.#db) === 13);
  }

  /** Progress handler, authorizer and functions are called. The first two end the statement here. */
  callbacks(): void {
    const instance = this.#instance;
    const { x } = instance;
    const endless =
      'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n';
    instance.setWord(WORD.armed, 1);
    instance.setWord(WORD.remaining, 5);
    x.sqlite3_progress_handler(this.#db, 100, instance.callback('progress'), 0);
    check(
      'the progress handler',
      this.#execCode(endless) === INTERRUPT && instance.word(WORD.remaining) === -1,
    );
    x.sqlite3_progress_handler(this.#db, 0, 0, 0);
    instance.setWord(WORD.armed, 0);
    instance.setWord(WORD.interrupted, 0);
    instance.setWord(WORD.authMask, -1);
    x.sqlite3_set_authorizer(this.#db, instance.callback('authorizer'), 1);
    check('the authorizer', this.#prepareCode('SELECT a FROM t') === AUTH);
    x.sqlite3_set_authorizer(this.#db, 0, 0);
    check('the authorizer', this.#prepareCode('SELECT a FROM t') === 0);
    check('FTS3', this.#prepareCode("SELECT fts3_tokenizer('simple')") !== 0);
  }

  #prepareCode(sql: string): number {
    const { x, scratch } = this.#instance;
    const { pointer } = this.#instance.allocateText(sql);
    const rc = x.sqlite3_prepare_v3(this.#db, pointer, -1, 0, scratch, scratch + 4);
    x.sqlite3_finalize(this.#instance.i32[scratch >> 2]!);
    x.free(pointer);
    return rc;
  }

  #with(sql: string, use: (statement: Pointer) => void): void {
    const { x, scratch } = this.#instance;
    const { pointer } = this.#instance.allocateText(sql);
    const rc = x.sqlite3_prepare_v3(this.#db, pointer, -1, 0, scratch, scratch + 4);
    check(`preparing ${sql}`, rc === 0);
    const statement = this.#instance.i32[scratch >> 2]!;
    use(statement);
    x.sqlite3_finalize(statement);
    x.free(pointer);
  }

  #one(sql: string): bigint {
    let value = 0n;
    this.#with(sql, (statement) => {
      check('steps', this.#instance.x.sqlite3_step(statement) === ROW);
      value = this.#column(statement);
      check('steps', this.#instance.x.sqlite3_step(statement) === DONE);
    });
    return value;
  }

  /** The first column, an integer. */
  #column(statement: Pointer): bigint {
    const { x } = this.#instance;
    return (
      x as unknown as { sqlite3_column_int64(s: Pointer, i: number): bigint }
    ).sqlite3_column_int64(statement, 0);
  }

  #execCode(sql: string): number {
    const { pointer } = this.#instance.allocateText(sql);
    const rc = this.#instance.x.sqlite3_exec(this.#db, pointer, 0, 0, 0);
    this.#instance.x.free(pointer);
    return rc;
  }

  #exec(sql: string): void {
    check(sql, this.#execCode(sql) === 0);
  }

  #text(at: Pointer): string | null {
    return this.#instance.text(at);
  }
}
