/** What an engine has to find out about its compiled modules once: version, options, one place in memory. */
import { assert } from '../../src/wire/assert.ts';
import type { EngineHost } from '../engine.ts';
import { findWrapped, type WrappedFunction } from './charged.ts';
import type { Pointer } from './exports.ts';
import { type Callbacks, type EngineModules, Instance } from './instance.ts';

/** What `probeModules` found. */
export interface Probed {
  readonly version: string;
  /** Compile options, sorted, joined by a space. */
  readonly options: string;
  /**
   * Byte offset in SQLite's connection object of the 64-bit counter that `changes()` answers. There is no call that
   * resets it, and an old value would make a command depend on what its connection did before (C6).
   */
  readonly changesOffset: number;
  /** SQLite's functions that are charged to the budget. */
  readonly wrapped: readonly WrappedFunction[];
}

const OPEN_MEMORY = 6 | 0x80;
const SEARCHED_BYTES = 1024;
const CANTOPEN = 14;

const IDLE_HOST: EngineHost = {
  wallMs: () => 0,
  random: (out) => void out.fill(0),
  monotonicMs: () => 0,
};

/** Callbacks for an instance without files: databases in memory only. */
export const IDLE_CALLBACKS: Callbacks = {
  read: () => CANTOPEN,
  write: () => CANTOPEN,
  truncate: () => CANTOPEN,
  size: () => 0,
  commit: () => 0,
  open: () => CANTOPEN,
  close: () => {},
  expired: () => 0,
  authorize: () => 0,
  call: () => {},
};

/** Opens a scratch instance and looks. */
export function probeModules(modules: EngineModules): Probed {
  const instance = new Instance(modules, IDLE_HOST, IDLE_CALLBACKS);
  const options: string[] = [];
  for (let i = 0; ; i++) {
    const option = instance.text(instance.x.sqlite3_compileoption_get(i));
    if (option === null) break;
    options.push(option);
  }
  return {
    version: instance.text(instance.x.sqlite3_libversion()) ?? '',
    options: options.sort().join(' '),
    changesOffset: findChanges(instance),
    wrapped: findWrapped(instance),
  };
}

/** Changes 7, 5 and 3 rows and looks for the 64-bit word that follows; writing to it must show in `sqlite3_changes`. */
function findChanges(instance: Instance): number {
  const { x } = instance;
  const name = instance.allocateText(':memory:').pointer;
  assert(x.sqlite3_open_v2(name, instance.scratch, OPEN_MEMORY, 0) === 0, 'no scratch database');
  const db = instance.i32[instance.scratch >> 2]!;
  run(instance, db, 'CREATE TABLE t(a)');
  let candidates = Array.from({ length: SEARCHED_BYTES / 8 }, (_, i) => 8 * i);
  for (const rows of [7, 5, 3]) {
    const values = Array.from({ length: rows }, () => '(1)').join(',');
    run(instance, db, `INSERT INTO t VALUES ${values}`);
    candidates = candidates.filter((offset) => instance.int64(db + offset) === BigInt(rows));
  }
  const found = candidates.filter((offset) => isChanges(instance, db, offset));
  assert(found.length === 1, () => `the counter of changes() is at ${found.length} places`);
  x.sqlite3_close_v2(db);
  x.free(name);
  return found[0]!;
}

function isChanges(instance: Instance, db: Pointer, offset: number): boolean {
  const word = (db + offset) >> 2;
  const before = instance.i32[word]!;
  instance.i32[word] = 12_345;
  const shown = instance.x.sqlite3_changes(db) === 12_345;
  instance.i32[word] = before;
  return shown;
}

function run(instance: Instance, db: Pointer, sql: string): void {
  const { pointer } = instance.allocateText(sql);
  const rc = instance.x.sqlite3_exec(db, pointer, 0, 0, 0);
  instance.x.free(pointer);
  assert(rc === 0, () => `${sql} gave ${rc}`);
}
