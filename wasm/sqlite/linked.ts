/** An instance joined to a page store, with the connections and functions that its callbacks lead to. */
import { must } from '../../src/wire/assert.ts';
import type { EngineHost } from '../engine.ts';
import { CHARGE_BYTES } from '../limits.ts';
import type { PageStore } from '../page-store.ts';
import { refuse, type StatementRights } from './authorizer.ts';
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
}

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
      authorize: (id, action, first, second, database) =>
        this.#authorize(id, action, first, second, database),
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
  ): number {
    const connection = must(this.#connections.get(id));
    const { instance } = this;
    connection.collector?.note(action, instance.text(first) ?? '');
    if (connection.rights.unchecked) return SQLITE.OK;
    const refusal = refuse(
      connection.rights,
      action,
      instance.text(first) ?? '',
      instance.text(second) ?? '',
      instance.text(database) ?? '',
    );
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
