/**
 * One WebAssembly instance of SQLite with its trampolines: memory, views, scratch space, and what happens when it
 * dies. It knows nothing of SQL.
 *
 * When a call into the instance traps, or a callback of ours throws through SQLite's frames, its memory can no longer
 * be trusted: `crash` replaces the exports by ones that throw, so that every later use ends the same way.
 */
import { assert } from '../../src/wire/assert.ts';
import { type EngineHost, SqlError } from '../engine.ts';
import { INSTANCE_PAGES_MAX, STACK_BYTES_MAX, STACK_FLOOR_BYTES } from '../limits.ts';
import { CONTROL_BYTES, NO_HEAP_LIMIT, WORD } from './control.ts';
import {
  MEMORY_METHODS,
  type Pointer,
  type SqliteExports,
  type TrampolineExports,
} from './exports.ts';
import { type StartModule, startSqlite } from './host.ts';
import { decodeCString, encodeText } from './text.ts';

/** The compiled modules that an engine is made of. */
export interface EngineModules {
  /** SQLite itself: `sqlite3.wasm` of `@sqlite.org/sqlite-wasm`. */
  readonly sqlite: WebAssembly.Module;
  /** `trampolines.wasm` beside this file. */
  readonly trampolines: WebAssembly.Module;
  /** How `sqlite` is started; `startSqlite` unless it is another build. */
  readonly start?: StartModule | undefined;
}

/** The JavaScript side of the trampolines; pointers are addresses in the instance. */
export interface Callbacks {
  read(to: Pointer, bytes: number, offset: number, epoch: number): number;
  write(from: Pointer, bytes: number, offset: number, hashLo: number, hashHi: number): number;
  truncate(bytes: number): number;
  size(): number;
  commit(): number;
  open(name: Pointer, file: Pointer, flags: number, out: Pointer): number;
  close(id: number): void;
  expired(): number;
  authorize(
    connection: number,
    action: number,
    first: Pointer,
    second: Pointer,
    database: Pointer,
    trigger: Pointer,
  ): number;
  call(fn: number, context: Pointer, argc: number, argv: Pointer): void;
}

const CONFIG_MALLOC = 4;
const CONFIG_MEMSTATUS = 9;
const SCRATCH_BYTES = 65_536;

/** See the file's comment. */
export class Instance {
  /** SQLite's exports; after a crash each of them throws. */
  x: SqliteExports;
  /** The trampolines' exports; after a crash each of them throws. */
  t: TrampolineExports;
  /** Address of the control block. */
  readonly control: Pointer;
  /** 64 KiB for short-lived texts, cells and out-pointers; nothing survives a call in it. */
  readonly scratch: Pointer;
  readonly scratchBytes: number = SCRATCH_BYTES;
  /** Bytes from address 0 that hold SQLite's static data, and perhaps its stack. */
  readonly staticBytes: number;
  /** Called once when the instance ends by a crash. */
  onDeath: () => void = () => {};
  readonly #memory: WebAssembly.Memory;
  readonly #table: WebAssembly.Table;
  readonly #exported: WebAssembly.Exports;
  readonly #tableIndex = new Map<string, number>();
  #u8: Uint8Array<ArrayBuffer>;
  #i32: Int32Array<ArrayBuffer>;
  #f64: Float64Array<ArrayBuffer>;
  #death: SqlError | null = null;
  /** SQLite took a seed from its host since `forgetRandomness`. */
  #seeded = false;

  constructor(modules: EngineModules, host: EngineHost, callbacks: Callbacks) {
    const start = modules.start ?? startSqlite;
    const started = start(modules.sqlite, host, INSTANCE_PAGES_MAX);
    const { memory, exported } = started;
    this.#memory = memory;
    const buffer = memory.buffer as ArrayBuffer;
    this.#u8 = new Uint8Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#f64 = new Float64Array(buffer);
    this.x = exported as unknown as SqliteExports;
    this.#table = this.x.__indirect_function_table;
    this.x.__wasm_call_ctors();
    this.control = this.x.malloc(CONTROL_BYTES);
    this.scratch = this.x.malloc(SCRATCH_BYTES);
    this.u8.fill(0, this.control, this.control + CONTROL_BYTES);
    this.setWord(WORD.heapLimit, NO_HEAP_LIMIT);
    const stack = this.x.emscripten_stack_get_current();
    this.staticBytes = started.staticBytes ?? stack;
    this.setWord(WORD.stackLimit, stack - STACK_BYTES_MAX);
    this.setWord(WORD.stackFloor, stack - STACK_FLOOR_BYTES);
    this.#exported = new WebAssembly.Instance(modules.trampolines, {
      sqlite: { ...exported, memory },
      host: {
        ...callbacks,
        control: new WebAssembly.Global({ value: 'i32' }, this.control),
        random: (bytes: number, out: Pointer) => {
          this.#seeded = true;
          host.random(this.u8.subarray(out, out + bytes));
          return bytes;
        },
        now: () => host.wallMs(),
      } as unknown as WebAssembly.ModuleImports,
    }).exports;
    this.t = this.#exported as unknown as TrampolineExports;
    this.#configureMemory();
    assert(this.x.sqlite3_initialize() === 0, 'SQLite did not initialize');
  }

  /** Our allocator takes SQLite's place: an exact count, a limit, and no statistics of SQLite's own. */
  #configureMemory(): void {
    const methods = this.x.malloc(32);
    this.u8.fill(0, methods, methods + 32);
    MEMORY_METHODS.forEach((name, i) => {
      this.i32[(methods >> 2) + i] = this.callback(name);
    });
    assert(this.x.sqlite3__wasm_config_i(CONFIG_MALLOC, methods) === 0, 'no allocator');
    assert(this.x.sqlite3__wasm_config_i(CONFIG_MEMSTATUS, 0) === 0, 'memory statistics stay on');
    this.x.free(methods);
  }

  /** Bytes of memory. Views are renewed when growth has detached them. */
  get u8(): Uint8Array<ArrayBuffer> {
    if (this.#u8.length === 0) this.#renewViews();
    return this.#u8;
  }

  /** Memory as signed 32-bit words. */
  get i32(): Int32Array<ArrayBuffer> {
    if (this.#i32.length === 0) this.#renewViews();
    return this.#i32;
  }

  /** Memory as doubles. */
  get f64(): Float64Array<ArrayBuffer> {
    if (this.#f64.length === 0) this.#renewViews();
    return this.#f64;
  }

  #renewViews(): void {
    const buffer = this.#memory.buffer as ArrayBuffer;
    this.#u8 = new Uint8Array(buffer);
    this.#i32 = new Int32Array(buffer);
    this.#f64 = new Float64Array(buffer);
  }

  /** Bytes of memory that the instance holds. */
  get memoryBytes(): number {
    return this.u8.length;
  }

  /** What SQLite makes random numbers of is forgotten: it takes a new seed when it needs the next one. */
  forgetRandomness(): void {
    if (!this.#seeded) return;
    this.#seeded = false;
    this.x.sqlite3_randomness(0, 0);
  }

  /** A signed 64-bit integer in memory. */
  int64(at: Pointer): bigint {
    return new DataView(this.#memory.buffer).getBigInt64(at, true);
  }

  /** Reads a word of the control block. */
  word(index: number): number {
    return this.i32[(this.control >> 2) + index]!;
  }

  /** Sets a word of the control block. */
  setWord(index: number, value: number): void {
    this.i32[(this.control >> 2) + index] = value;
  }

  /** Entries of SQLite's function table. */
  get tableLength(): number {
    return this.#table.length;
  }

  /** Index in SQLite's function table of the trampoline `name`; 0, a null pointer, for ''. */
  callback(name: string): number {
    if (name === '') return 0;
    let index = this.#tableIndex.get(name);
    if (index === undefined) {
      const trampoline = this.#exported[name];
      assert(typeof trampoline === 'function', () => `there is no trampoline ${name}`);
      index = this.#table.grow(1);
      this.#table.set(index, trampoline);
      this.#tableIndex.set(name, index);
    }
    return index;
  }

  /** Copies `text` as a NUL-terminated string into fresh memory; the caller frees it. */
  allocateText(text: string): { pointer: Pointer; bytes: number } {
    const pointer = this.allocate(3 * text.length + 1);
    const bytes = encodeText(this.u8, pointer, text);
    this.u8[pointer + bytes] = 0;
    return { pointer, bytes };
  }

  /** Memory outside SQLite's own count; the caller frees it with `x.free`. */
  allocate(bytes: number): Pointer {
    const pointer = this.x.malloc(bytes);
    if (pointer === 0) throw this.crash(new Error(`no memory for ${bytes} bytes`));
    return pointer;
  }

  /** The NUL-terminated text at `at`, or null for a null pointer. */
  text(at: Pointer): string | null {
    return at === 0 ? null : decodeCString(this.u8, at);
  }

  /** Bytes of SQLite's heap that `run` takes at its peak; the running peak goes on as if it had not been watched. */
  peakOf(run: () => void): number {
    const used = this.word(WORD.heapUsed) >>> 0;
    const peak = this.word(WORD.heapPeak) >>> 0;
    this.setWord(WORD.heapPeak, used);
    run();
    const reached = this.word(WORD.heapPeak) >>> 0;
    this.setWord(WORD.heapPeak, Math.max(peak, reached));
    return reached - used;
  }

  /** Whether the instance is gone. */
  get dead(): boolean {
    return this.#death !== null;
  }

  /** Throws when the instance is gone. */
  alive(): void {
    if (this.#death !== null) throw this.#death;
  }

  /**
   * Ends the instance after something was thrown through it, and returns what to throw. An `SqlError` that a dead
   * instance throws passes through unchanged.
   */
  crash(cause: unknown): SqlError {
    if (this.#death !== null) return this.#death;
    const reason = cause instanceof Error ? cause.message : String(cause);
    this.#death = new SqlError('crash', -1, 'CRASH', `the SQL engine's instance ended: ${reason}`, {
      cause,
    });
    const death = this.#death;
    const gone = new Proxy(
      {},
      {
        get() {
          return () => {
            throw death;
          };
        },
      },
    );
    this.x = gone as SqliteExports;
    this.t = gone as TrampolineExports;
    this.onDeath();
    return death;
  }
}
