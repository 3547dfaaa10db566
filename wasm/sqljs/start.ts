/**
 * Starts sql.js's module and makes it look like SQLite's own build: what it exports gets its name back, what it does not
 * export comes from the bridge, which works on SQLite's structures in memory (bridge.wat), or from here.
 */
import { must } from '../../src/wire/assert.ts';
import type { EngineHost } from '../engine.ts';
import type { Pointer } from '../sqlite/exports.ts';
import { hostAnswer, hostAnswers, type StartModule } from '../sqlite/host.ts';
import { decodeCString, encodeText } from '../sqlite/text.ts';
import {
  ADDRESS,
  CONFIG,
  CONNECTION,
  CONTEXT_ERROR,
  ELEMENT,
  FLAG_OF_OPTION,
  REALLOC_INDEX,
  REMOVED_FUNCTIONS,
  VFS,
} from './layout.ts';
import { SQLJS_EXPORTS, SQLJS_IMPORTS } from './names.ts';

/** What sql.js exports, as far as the calls below use it. */
interface OwnExports {
  readonly memory: WebAssembly.Memory;
  readonly __indirect_function_table: WebAssembly.Table;
  malloc(bytes: number): Pointer;
  free(pointer: Pointer): void;
  sqlite3_open(name: Pointer, out: Pointer): number;
  sqlite3_close_v2(db: Pointer): number;
  sqlite3_prepare_v2(db: Pointer, sql: Pointer, bytes: number, out: Pointer, tail: Pointer): number;
  sqlite3_step(statement: Pointer): number;
  sqlite3_finalize(statement: Pointer): number;
  sqlite3_column_text(statement: Pointer, column: number): Pointer;
  sqlite3_result_error(context: Pointer, text: Pointer, bytes: number): void;
  sqlite3_result_null(context: Pointer): void;
  sqlite3_create_function_v2(
    db: Pointer,
    name: Pointer,
    args: number,
    ...rest: readonly number[]
  ): number;
}

/** What the bridge exports for the calls below; the rest goes through under SQLite's names. */
interface BridgeExports {
  readonly openFlags: WebAssembly.Global;
  readonly openIndex: WebAssembly.Global;
  readonly xOpen: () => number;
  limit(db: Pointer, id: number): number;
  setLimit(db: Pointer, id: number, value: number): void;
  setFlag(db: Pointer, bit: number, on: number): void;
}

const CONFIG_MALLOC = 4;
const CONFIG_MEMSTATUS = 9;
const MEMORY_METHOD_WORDS = 8;
const UTF8 = 1;
const ROW = 100;
const NOMEM = 7;
const INTERRUPT = 9;
const TOOBIG = 18;
const LIMITS = 13;
const TEMPORARY_IN_MEMORY = 2;
const MEMORY_DATABASE = ':memory:';

/** A way to start sql.js's module together with `bridge`. */
export function sqljsStarter(bridge: WebAssembly.Module): StartModule {
  return (module, host, maxPages) => {
    let memory: WebAssembly.Memory | null = null;
    const imports = importsOf(module, host, () => must(memory), maxPages);
    const raw = new WebAssembly.Instance(module, imports).exports;
    const named: Record<string, WebAssembly.ExportValue> = {};
    for (const [short, name] of Object.entries(SQLJS_EXPORTS)) named[name] = must(raw[short]);
    const own = named as unknown as OwnExports;
    memory = own.memory;
    const global = (value: number): WebAssembly.Global =>
      new WebAssembly.Global({ value: 'i32' }, value);
    const bridged = new WebAssembly.Instance(bridge, {
      sqljs: {
        ...named,
        reallocIndex: global(REALLOC_INDEX),
        generator: global(ADDRESS.generator),
      },
    }).exports;
    const calls = new Calls(own, bridged as unknown as BridgeExports).all();
    const exported = { ...named, ...bridged, ...calls } as WebAssembly.Exports;
    return { memory, exported, staticBytes: ADDRESS.staticEnd };
  };
}

function importsOf(
  module: WebAssembly.Module,
  host: EngineHost,
  memory: () => WebAssembly.Memory,
  maxPages: number,
): WebAssembly.Imports {
  const answers = {
    ...hostAnswers(host, memory, maxPages),
    __assert_fail: ended,
    _abort_js: ended,
    proc_exit: ended,
  };
  const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    (imports[from] ??= {})[name] = hostAnswer(answers, SQLJS_IMPORTS[name] ?? '');
  }
  return imports;
}

function ended(): never {
  throw new Error('SQLite ended itself');
}

/** The calls that are rare enough for JavaScript. */
class Calls {
  readonly #own: OwnExports;
  readonly #bridge: BridgeExports;
  /** Limits as SQLite was compiled with, from the first connection. */
  #limits: readonly number[] | null = null;

  constructor(own: OwnExports, bridge: BridgeExports) {
    this.#own = own;
    this.#bridge = bridge;
  }

  /** By the names that the host knows. */
  all(): Record<string, (...args: never[]) => number | undefined> {
    return {
      sqlite3__wasm_config_i: (option: number, value: number) => this.#configure(option, value),
      sqlite3__wasm_db_config_ip: (db: Pointer, option: number, on: number) =>
        this.#switch(db, option, on),
      sqlite3_initialize: () => this.#initialize(),
      sqlite3_libversion: () => this.#answer('SELECT sqlite_version()'),
      sqlite3_compileoption_get: (index: number) =>
        this.#answer(`SELECT sqlite_compileoption_get(${index})`),
      sqlite3_vfs_find: () => this.#word(ADDRESS.vfsList),
      sqlite3_vfs_register: (vfs: Pointer) => this.#registerVfs(vfs),
      sqlite3_vfs_unregister: (vfs: Pointer) => this.#unregisterVfs(vfs),
      sqlite3_drop_modules: (db: Pointer, keep: Pointer) => this.#dropModules(db, keep),
      sqlite3_open_v2: (name: Pointer, out: Pointer, flags: number) => this.#open(name, out, flags),
      sqlite3_limit: (db: Pointer, id: number, value: number) => this.#limit(db, id, value),
      sqlite3_result_error_toobig: (context: Pointer) =>
        this.#resultError(context, TOOBIG, 'string or blob too big'),
      sqlite3_result_error_nomem: (context: Pointer) => this.#resultError(context, NOMEM, ''),
      sqlite3_result_error_code: (context: Pointer, code: number) =>
        this.#resultError(context, code, code === INTERRUPT ? 'interrupted' : 'error'),
    };
  }

  #configure(option: number, value: number): number {
    const { config } = ADDRESS;
    if (option === CONFIG_MALLOC) {
      const words = this.#words();
      const at = (config + CONFIG.memoryMethods) >> 2;
      words.copyWithin(at, value >> 2, (value >> 2) + MEMORY_METHOD_WORDS);
    } else if (option === CONFIG_MEMSTATUS) {
      this.#setWord(config + CONFIG.memoryStatistics, value);
    }
    return 0;
  }

  /** SQLite initializes itself with its first connection. */
  #initialize(): number {
    return this.#withDatabase(() => 0);
  }

  /** Runs `use` with a database in memory. */
  #withDatabase(use: (db: Pointer, out: Pointer) => number): number {
    const own = this.#own;
    const name = this.#text(MEMORY_DATABASE);
    const out = own.malloc(8);
    const rc = own.sqlite3_open(name, out);
    const db = this.#word(out);
    const result = rc === 0 ? use(db, out) : rc;
    own.sqlite3_close_v2(db);
    own.free(out);
    own.free(name);
    return result;
  }

  /** A copy of the text that `sql` answers, 0 for NULL. Only for what is asked once: the copy stays. */
  #answer(sql: string): Pointer {
    const own = this.#own;
    return this.#withDatabase((db, out) => {
      const text = this.#text(sql);
      own.sqlite3_prepare_v2(db, text, -1, out, 0);
      own.free(text);
      const statement = this.#word(out);
      const at = own.sqlite3_step(statement) === ROW ? own.sqlite3_column_text(statement, 0) : 0;
      const copy = at === 0 ? 0 : this.#text(decodeCString(this.#bytes(), at));
      own.sqlite3_finalize(statement);
      return copy;
    });
  }

  #open(name: Pointer, out: Pointer, flags: number): number {
    this.#bridge.openFlags.value = flags & 7;
    const rc = this.#own.sqlite3_open(name, out);
    if (rc !== 0) return rc;
    const db = this.#word(out);
    this.#bytes()[db + CONNECTION.temporaryStore] = TEMPORARY_IN_MEMORY;
    this.#limits ??= Array.from({ length: LIMITS }, (_, id) => this.#bridge.limit(db, id));
    for (const [removed, args] of REMOVED_FUNCTIONS) {
      const text = this.#text(removed);
      this.#own.sqlite3_create_function_v2(db, text, args, UTF8, 0, 0, 0, 0, 0);
      this.#own.free(text);
    }
    return rc;
  }

  #switch(db: Pointer, option: number, on: number): number {
    this.#bridge.setFlag(db, must(FLAG_OF_OPTION[option]), on);
    return 0;
  }

  #limit(db: Pointer, id: number, value: number): number {
    const before = this.#bridge.limit(db, id);
    if (value >= 0) this.#bridge.setLimit(db, id, Math.min(value, must(must(this.#limits)[id])));
    return before;
  }

  /** Makes `vfs` the default one; its xOpen is told what the connection asked for. */
  #registerVfs(vfs: Pointer): number {
    const table = this.#own.__indirect_function_table;
    const index = table.grow(1);
    table.set(index, this.#bridge.xOpen);
    this.#bridge.openIndex.value = this.#word(vfs + VFS.open);
    this.#setWord(vfs + VFS.open, index);
    this.#setWord(vfs + VFS.next, this.#word(ADDRESS.vfsList));
    this.#setWord(ADDRESS.vfsList, vfs);
    return 0;
  }

  /** Takes the default VFS out of the list. */
  #unregisterVfs(vfs: Pointer): number {
    this.#setWord(ADDRESS.vfsList, this.#word(vfs + VFS.next));
    return 0;
  }

  /** Modules that are not in the list `keep` are found no more: nothing has the hash that they get. */
  #dropModules(db: Pointer, keep: Pointer): number {
    const kept = new Set<string>();
    for (let at = keep; this.#word(at) !== 0; at += 4) {
      kept.add(decodeCString(this.#bytes(), this.#word(at)));
    }
    let element = this.#word(db + CONNECTION.modules);
    for (; element !== 0; element = this.#word(element + ELEMENT.next)) {
      const name = decodeCString(this.#bytes(), this.#word(element + ELEMENT.key));
      const hash = element + ELEMENT.hash;
      if (!kept.has(name)) this.#setWord(hash, ~this.#word(hash));
    }
    return 0;
  }

  #resultError(context: Pointer, code: number, message: string): undefined {
    if (code === NOMEM) {
      this.#own.sqlite3_result_null(context);
    } else {
      const text = this.#text(message);
      this.#own.sqlite3_result_error(context, text, -1);
      this.#own.free(text);
    }
    this.#setWord(context + CONTEXT_ERROR, code);
  }

  /** `text` in memory, NUL-terminated; the caller frees it. */
  #text(text: string): Pointer {
    const pointer = this.#own.malloc(3 * text.length + 1);
    const bytes = this.#bytes();
    bytes[pointer + encodeText(bytes, pointer, text)] = 0;
    return pointer;
  }

  #bytes(): Uint8Array {
    return new Uint8Array(this.#own.memory.buffer);
  }

  #words(): Int32Array {
    return new Int32Array(this.#own.memory.buffer);
  }

  #word(at: Pointer): number {
    return this.#words()[at >> 2]!;
  }

  #setWord(at: Pointer, value: number): void {
    this.#words()[at >> 2] = value;
  }
}
