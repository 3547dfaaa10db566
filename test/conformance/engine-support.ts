/** What the engine suites share: a host that is a function of the command, short ways to run SQL, images of stores. */
import type {
  Budget,
  Connection,
  Engine,
  EngineHost,
  EngineLimits,
  SqlValue,
  Writer,
} from '../../wasm/engine.ts';
import { SqlError } from '../../wasm/engine.ts';
import { DEFAULT_ENGINE_LIMITS } from '../../wasm/limits.ts';
import { PAGE_SIZE, type PageSource, type PageStore } from '../../wasm/page-store.ts';

/** How the suites get an engine and its stores. */
export interface EngineFactory {
  readonly engine: Engine;
  createStore(): PageStore;
  restoreStore(source: PageSource): PageStore;
}

/** A clock and an entropy source that depend on `command` alone. */
export class CommandHost implements EngineHost {
  command = 0;
  monotonic = 0;
  /** How far each look at the monotonic clock moves it. */
  tickMs = 0;

  wallMs(): number {
    return 1_700_000_000_000 + this.command * 1000;
  }

  random(out: Uint8Array): void {
    const seed = Math.imul(this.command + 1, 2_654_435_761) >>> 0;
    for (let i = 0; i < out.length; i++) out[i] = (seed >>> (8 * (i & 3))) + i;
  }

  monotonicMs(): number {
    this.monotonic += this.tickMs;
    return this.monotonic;
  }
}

/** Room for anything that a test does. */
export const AMPLE: Budget = { steps: 1_000_000, memoryBytes: 1024 * 1024 * 1024 };

/** Runs one statement with positional parameters and returns its rows. */
export function all(
  connection: Pick<Connection, 'prepare'>,
  sql: string,
  params: readonly SqlValue[] = [],
): SqlValue[][] {
  const statement = connection.prepare(sql);
  if (statement === null) return [];
  statement.clearBindings();
  params.forEach((value, i) => {
    statement.bind(i + 1, value);
  });
  const rows: SqlValue[][] = [];
  try {
    while (statement.step()) rows.push(statement.row());
  } finally {
    statement.reset();
  }
  return rows;
}

/** Runs one command: begins it with a budget, runs, ends it. */
export function command<T>(writer: Writer, run: () => T, budget: Budget = AMPLE): T {
  writer.beginCommand(budget);
  try {
    return run();
  } finally {
    writer.endCommand();
  }
}

/** The `SqlError` that `run` throws. */
export function failure(run: () => unknown): SqlError {
  try {
    run();
  } catch (error) {
    if (error instanceof SqlError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** All pages of the newest commit as one array. */
export function imageOf(store: PageStore): Uint8Array {
  const pin = store.pin();
  const image = new Uint8Array(pin.pageCount * PAGE_SIZE);
  for (let page = 1; page <= pin.pageCount; page++) {
    const bytes = pin.page(page);
    if (bytes !== null) image.set(bytes, (page - 1) * PAGE_SIZE);
  }
  pin.release();
  return image;
}

/** A copy of the newest commit, as a restart would make it. */
export function copyOf(factory: EngineFactory, store: PageStore): PageStore {
  const pin = store.pin();
  const copy = factory.restoreStore({
    pageCount: pin.pageCount,
    hash: pin.hash,
    readPage: (page, out) => {
      const bytes = pin.page(page);
      if (bytes !== null) out.set(bytes);
      return bytes !== null;
    },
    pageHash: (page) => pin.pageHash(page),
  });
  pin.release();
  return copy;
}

/** Default limits with some replaced. */
export function limits(changed: Partial<EngineLimits> = {}): EngineLimits {
  return { ...DEFAULT_ENGINE_LIMITS, ...changed };
}

/** A pseudo-random generator: the same numbers below `n` for the same seed. */
export function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}
