/**
 * Counters in SQLite's connection object, read where they stand. Two of them have no call that resets them, and an old
 * value would make a command depend on what its connection did before (C6); the others have calls, which cost more than
 * the insert of a row does when each command makes a dozen. Where they stand is found once, by watching them move.
 */
import { assert } from '../../src/wire/assert.ts';
import type { Pointer } from './exports.ts';
import type { Instance } from './instance.ts';

/** Byte offsets in the connection object; each is a 64-bit integer. */
export interface CounterOffsets {
  readonly lastInsertRowid: number;
  readonly changes: number;
  readonly totalChanges: number;
  /** Broken deferred foreign keys. */
  readonly deferred: number;
  /** Broken immediate ones that `PRAGMA defer_foreign_keys` defers. */
  readonly deferredImmediate: number;
}

const OPEN_MEMORY = 6 | 0x80;
const SEARCHED_BYTES = 1024;
const DBSTATUS_DEFERRED_FKS = 10;
const TWO_32 = 4294967296;
/** Rows that are written one after the other, all different so that each counter has a trace of its own. */
const STEPS = [7, 5, 3];

/** The counters of one open connection. */
export class Counters {
  readonly #instance: Instance;
  readonly #rowid: number;
  readonly #changes: number;
  readonly #total: number;
  readonly #deferred: number;
  readonly #deferredImmediate: number;

  constructor(instance: Instance, db: Pointer, offsets: CounterOffsets) {
    this.#instance = instance;
    this.#rowid = (db + offsets.lastInsertRowid) >> 2;
    this.#changes = (db + offsets.changes) >> 2;
    this.#total = (db + offsets.totalChanges) >> 2;
    this.#deferred = (db + offsets.deferred) >> 2;
    this.#deferredImmediate = (db + offsets.deferredImmediate) >> 2;
  }

  /** Makes `changes` and `lastInsertRowid` what a fresh connection has. */
  reset(): void {
    const words = this.#instance.i32;
    words[this.#rowid] = 0;
    words[this.#rowid + 1] = 0;
    words[this.#changes] = 0;
    words[this.#changes + 1] = 0;
  }

  /** Rows of the last statement, modulo 2^32. */
  get changes(): number {
    return this.#instance.i32[this.#changes]! >>> 0;
  }

  /** Rows since the connection was opened, modulo 2^32. */
  get totalChanges(): number {
    return this.#instance.i32[this.#total]! >>> 0;
  }

  /** A bigint when it is no safe integer. */
  get lastInsertRowid(): number | bigint {
    const words = this.#instance.i32;
    const number = words[this.#rowid + 1]! * TWO_32 + (words[this.#rowid]! >>> 0);
    return Number.isSafeInteger(number) ? number : this.#instance.int64(this.#rowid << 2);
  }

  /** Whether a deferred foreign key is broken now, as `sqlite3_db_status` tells. */
  get deferredPending(): boolean {
    const words = this.#instance.i32;
    return isPositive(words, this.#deferred) || isPositive(words, this.#deferredImmediate);
  }
}

function isPositive(words: Int32Array, at: number): boolean {
  const high = words[at + 1]!;
  return high > 0 || (high === 0 && words[at] !== 0);
}

/** Opens a scratch database and finds the counters: words that move as they should, and that SQLite itself answers. */
export function findCounters(instance: Instance): CounterOffsets {
  const { x, scratch } = instance;
  const name = instance.allocateText(':memory:').pointer;
  assert(x.sqlite3_open_v2(name, scratch, OPEN_MEMORY, 0) === 0, 'no scratch database');
  const db = instance.i32[scratch >> 2]!;
  const search = new Search(instance, db);
  search.run('CREATE TABLE t(a); CREATE TABLE p(a PRIMARY KEY); PRAGMA foreign_keys = ON');
  search.run('CREATE TABLE d(a REFERENCES p DEFERRABLE INITIALLY DEFERRED)');
  search.run('CREATE TABLE i(a REFERENCES p)');
  function deferredShown(): number {
    x.sqlite3_db_status(db, DBSTATUS_DEFERRED_FKS, scratch, scratch + 4, 0);
    return instance.i32[scratch >> 2]!;
  }
  const before = x.sqlite3_total_changes(db);
  const changes = search.find(
    'changes',
    insertInto('t'),
    (rows) => rows,
    12_345,
    () => x.sqlite3_changes(db),
  );
  let total = before + sum(STEPS);
  const totalChanges = search.find(
    'total_changes',
    insertInto('t'),
    (rows) => (total += rows),
    54_321,
    () => x.sqlite3_total_changes(db),
  );
  const lastInsertRowid = search.find(
    'last_insert_rowid',
    (rows) => `REPLACE INTO t(rowid, a) VALUES (${1000 * rows + 1}, 1)`,
    (rows) => 1000 * rows + 1,
    67_890,
    () => Number(x.sqlite3_last_insert_rowid(db)),
  );
  search.run('BEGIN');
  let broken = 0;
  const deferred = search.find(
    'deferred keys',
    insertInto('d'),
    (rows) => (broken += rows),
    0,
    deferredShown,
  );
  search.run('ROLLBACK; BEGIN; PRAGMA defer_foreign_keys = ON');
  broken = 0;
  const deferredImmediate = search.find(
    'immediate keys',
    insertInto('i'),
    (rows) => (broken += rows),
    0,
    deferredShown,
  );
  search.run('ROLLBACK');
  x.sqlite3_close_v2(db);
  x.free(name);
  return { changes, totalChanges, lastInsertRowid, deferred, deferredImmediate };
}

function insertInto(table: string): (rows: number) => string {
  return (rows) =>
    `INSERT INTO ${table} VALUES ${Array.from({ length: rows }, () => '(1)').join()}`;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Looks for one 64-bit word. */
class Search {
  readonly #instance: Instance;
  readonly #db: Pointer;

  constructor(instance: Instance, db: Pointer) {
    this.#instance = instance;
    this.#db = db;
  }

  run(sql: string): void {
    const instance = this.#instance;
    const { pointer } = instance.allocateText(sql);
    const rc = instance.x.sqlite3_exec(this.#db, pointer, 0, 0, 0);
    instance.x.free(pointer);
    assert(rc === 0, () => `${sql} gave ${rc}`);
  }

  /**
   * The offset of the word that is `expected` after each statement, and that makes SQLite answer `written` when that is
   * put there.
   */
  find(
    name: string,
    statement: (rows: number) => string,
    expected: (rows: number) => number,
    written: number,
    shown: () => number,
  ): number {
    let candidates = Array.from({ length: SEARCHED_BYTES / 8 }, (_, i) => 8 * i);
    for (const rows of STEPS) {
      this.run(statement(rows));
      const value = BigInt(expected(rows));
      candidates = candidates.filter((at) => this.#instance.int64(this.#db + at) === value);
    }
    const found = candidates.filter((at) => this.#shows(at, written, shown));
    assert(found.length === 1, () => `the counter ${name} is at ${found.length} places`);
    return found[0]!;
  }

  /** Whether SQLite answers `value` once it stands at `offset`. */
  #shows(offset: number, value: number, shown: () => number): boolean {
    const words = this.#instance.i32;
    const at = (this.#db + offset) >> 2;
    const before = words[at]!;
    words[at] = value;
    const same = shown() === value;
    words[at] = before;
    return same;
  }
}
