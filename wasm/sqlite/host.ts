/**
 * What SQLite's module imports: a clock, local time that is UTC, and memory that grows up to a bound. There are no
 * files, no environment and no entropy here (`xRandomness` of our VFS is the only source); all other imports answer
 * "not implemented".
 */
import type { EngineHost } from '../engine.ts';

const WASM_PAGE = 65_536;
/** Pages by which memory grows at least (4 MiB): growing detaches every view. */
const GROWTH_PAGES = 64;
const ENOSYS = -52;
const ENOENT = -44;

/** A started module: its memory, and what it exports under the names of `SqliteExports`. */
export interface Started {
  readonly memory: WebAssembly.Memory;
  readonly exported: WebAssembly.Exports;
  /** Bytes from address 0 that hold SQLite's static data; without it all below the stack's beginning may. */
  readonly staticBytes?: number | undefined;
}

/** Instantiates SQLite's module under `host`. `maxPages` counts WebAssembly pages of 64 KiB. */
export type StartModule = (
  module: WebAssembly.Module,
  host: EngineHost,
  maxPages: number,
) => Started;

/** Starts SQLite's own build, whose memory is imported. */
export function startSqlite(
  module: WebAssembly.Module,
  host: EngineHost,
  maxPages: number,
): Started {
  const memory = new WebAssembly.Memory({ initial: 128, maximum: maxPages });
  const answers = hostAnswers(host, () => memory, maxPages);
  const imports: WebAssembly.Imports = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    const group = (imports[from] ??= {}) as Record<string, WebAssembly.ImportValue>;
    group[name] = kind === 'memory' ? memory : hostAnswer(answers, name);
  }
  return { memory, exported: new WebAssembly.Instance(module, imports).exports };
}

/** The answers to imports that have one, by name. `memory` is asked late: some modules bring their own. */
export type HostAnswers = Readonly<Record<string, (...args: never[]) => number>>;

/**
 * What answers the import `name`. A system call without an answer here fails as on a system that lacks it (`ENOSYS`): of files,
 * sockets and processes SQLite is to find none.
 */
export function hostAnswer(answers: HostAnswers, name: string): (...args: never[]) => number {
  return answers[name] ?? (() => ENOSYS);
}

/** See the file's comment. */
export function hostAnswers(
  host: EngineHost,
  memory: () => WebAssembly.Memory,
  maxPages: number,
): HostAnswers {
  return {
    emscripten_date_now: () => host.wallMs(),
    emscripten_get_now: () => host.wallMs(),
    clock_time_get: (_clock: number, _precision: bigint, out: number) => {
      const nanoseconds = BigInt(Math.floor(host.wallMs())) * 1_000_000n;
      new DataView(memory().buffer).setBigInt64(out, nanoseconds, true);
      return 0;
    },
    emscripten_get_heap_max: () => maxPages * WASM_PAGE,
    emscripten_resize_heap: (bytes: number) => growTo(memory(), bytes >>> 0, maxPages),
    __syscall_openat: () => ENOENT,
    fd_close: () => 0,
    _tzset_js: (zone: number, daylight: number) => {
      const view = new DataView(memory().buffer);
      view.setInt32(zone, 0, true);
      view.setInt32(daylight, 0, true);
      return 0;
    },
    _localtime_js: (seconds: bigint, out: number) => {
      writeUtc(new DataView(memory().buffer), out, Number(seconds));
      return 0;
    },
  };
}

/** Grows `memory` to at least `bytes`; 1 when done, 0 when it is beyond the bound (malloc then returns null). */
function growTo(memory: WebAssembly.Memory, bytes: number, maxPages: number): number {
  const have = memory.buffer.byteLength / WASM_PAGE;
  const need = Math.ceil(bytes / WASM_PAGE) - have;
  if (need <= 0) return 1;
  if (have + need > maxPages) return 0;
  try {
    memory.grow(Math.min(maxPages - have, Math.max(need, GROWTH_PAGES)));
    return 1;
  } catch {
    return 0;
  }
}

/** Fills a C `struct tm` with the UTC fields of a time in seconds. */
function writeUtc(view: DataView, out: number, seconds: number): void {
  const date = new Date(seconds * 1000);
  const fields = [
    date.getUTCSeconds(),
    date.getUTCMinutes(),
    date.getUTCHours(),
    date.getUTCDate(),
    date.getUTCMonth(),
    date.getUTCFullYear() - 1900,
    date.getUTCDay(),
  ];
  for (const [index, field] of fields.entries()) view.setInt32(out + 4 * index, field, true);
}
