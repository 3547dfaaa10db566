/** An instance joined to a page store, with the connections and functions that its callbacks lead to. */
import { must } from '../../src/wire/assert.ts';
import type { EngineHost } from '../engine.ts';
import { CHARGE_BYTES, TRIGGERS_MAX } from '../limits.ts';
import type { PageStore } from '../page-store.ts';
import { ACTION, refuse, type StatementRights } from './authorizer.ts';
import { SQLITE } from './codes.ts';
import { WORD } from './control.ts';
import type { Pointer } from './exports.ts';
import type { SqlFunction } from './functions.ts';
import { type EngineModules, Instance } from './instance.ts';
import type { TableCollector } from './tables.ts';
import { PageFiles } from './vfs.ts';

/** What the authorizer needs to know of a connection, and what it tells it. */
export interface Authorized {
  /** Rights of the statement that is being compiled or run. */
  rights: StatementRights;
  /** Set when something was refused. */
  refusal: string | null;
  /** Hears of all actions while it is set. */
  collector: TableCollector | null;
  /** While a statement from outside is compiled: the triggers and cascading deletes it has set off so far. */
  programs: Set<number> | null;
  /** The table of the ALTER TABLE that is being compiled. */
  altered: string | null;
}

/** Statements that R-Tree and FTS5 compile for themselves write to tables with these endings. */
const SHADOW_TABLE = /_(node|rowid|parent|data|idx|content|docsize|config)$/i;

/** See the file's comment. */
export class LinkedInstance {
  readonly instance: Instance;
  readonly files: PageFiles;
  readonly host: EngineHost;
  /** Monotonic time at which the running read is interrupted. */
  deadlineAt: number = Infinity;
  /** SQL functions of ours; their position is their number. */
  readonly functions: SqlFunction[] = [];
  readonly #connections = new Map<number, Authorized>();
  #nextConnection = 1;
  /** Bytes charged by functions that do not make a whole step yet. */
  #chargedBytes = 0;

  constructor(modules: EngineModules, store: PageStore, host: EngineHost, writable: boolean) {
    this.host = host;
    let files: PageFiles | null = null;
    this.instance = new Instance(modules, host, {
      ...PageFiles.callbacks(() => must(files)),
      expired: () => (host.monotonicMs() >= this.deadlineAt ? 1 : 0),
      authorize: (id, action, first, second, database, trigger) =>
        this.#authorize(id, action, first, second, database, trigger),
      call: (fn, context, argc, argv) => must(this.functions[fn])(context, argc, argv),
    });
    this.files = new PageFiles(this.instance, store, writable);
    files = this.files;
    this.instance.onDeath = () => this.files.detach();
  }

  /** Makes `connection` the one that the authorizer asks by the returned number. */
  register(connection: Authorized): number {
    const id = this.#nextConnection++;
    this.#connections.set(id, connection);
    return id;
  }

  unregister(id: number): void {
    this.#connections.delete(id);
  }

  #authorize(
    id: number,
    action: number,
    first: Pointer,
    second: Pointer,
    database: Pointer,
    trigger: Pointer,
  ): number {
    const connection = must(this.#connections.get(id));
    const { instance } = this;
    connection.collector?.note(action, instance.text(first) ?? '');
    if (connection.rights.unchecked) return SQLITE.OK;
    const name = instance.text(first) ?? '';
    const other = instance.text(second) ?? '';
    if (action === ACTION.ALTER_TABLE) connection.altered = other;
    const refusal =
      refuse(connection.rights, action, name, other, instance.text(database) ?? '') ??
      refusePrograms(connection.programs, action, name, trigger);
    if (refusal === null) return SQLITE.OK;
    connection.refusal ??= refusal;
    return 1; // SQLITE_DENY
  }

  /** Forgets what was charged, at the start of a command. */
  resetCharge(): void {
    this.#chargedBytes = 0;
  }

  /**
   * Charges `bytes` that a function of ours looks at to the running statement. False when its budget or its deadline
   * is used up: the function must then give up.
   */
  charge(bytes: number): boolean {
    const { instance } = this;
    if (instance.word(WORD.armed) === 0) return true;
    this.#chargedBytes += bytes;
    const steps = Math.floor(this.#chargedBytes / CHARGE_BYTES);
    if (steps === 0) return true;
    this.#chargedBytes -= steps * CHARGE_BYTES;
    if (instance.word(WORD.ask) === 1) {
      if (this.host.monotonicMs() < this.deadlineAt) return true;
    } else {
      const left = instance.word(WORD.remaining) - steps;
      instance.setWord(WORD.remaining, left);
      if (left >= 0) return true;
    }
    instance.setWord(WORD.interrupted, 1);
    return false;
  }
}

/**
 * Counts what makes SQLite compile programs inside programs: triggers, known by the address of their name, and
 * cascading deletes, which have none. How deep they nest is bounded by SQLite's stack; this bounds how many they are.
 */
function refusePrograms(
  programs: Set<number> | null,
  action: number,
  table: string,
  trigger: Pointer,
): string | null {
  if (programs === null) return null;
  if (trigger !== 0) {
    if (action === ACTION.INSERT || action === ACTION.UPDATE || action === ACTION.DELETE) {
      programs.add(trigger);
    }
  } else if (action === ACTION.DELETE && !SHADOW_TABLE.test(table)) {
    programs.add(-1 - programs.size);
  }
  if (programs.size <= TRIGGERS_MAX) return null;
  return `more than ${TRIGGERS_MAX} triggers and cascading deletes in one statement are not allowed: use fewer triggers, or delete in several statements`;
}
