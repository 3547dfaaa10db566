/** The default engine: SQLite's own WebAssembly build under our host. */
import type {
  Engine,
  EngineCapabilities,
  EngineHost,
  EngineId,
  EngineLimits,
  ReaderHost,
  Writer,
} from '../engine.ts';
import type { PageHasher, PageStore } from '../page-store.ts';
import { installWrapped } from './charged.ts';
import type { EngineModules } from './instance.ts';
import { LinkedInstance } from './linked.ts';
import { createPageHasher } from './page-hash.ts';
import { type Probed, probeModules } from './probe.ts';
import { Readers } from './readers.ts';
import { WriterConnection } from './writer.ts';

/** What the default engine is made of. The modules are compiled by whoever knows the runtime. */
export interface SqliteEngineOptions extends EngineModules {
  /** SHA-256 of `sqlite3.wasm`, lower-case hex. */
  readonly hash: string;
}

/** What this engine can do. */
export const SQLITE_CAPABILITIES: EngineCapabilities = {
  stepLimit: true,
  memoryLimit: true,
  deadline: true,
  authorizer: true,
  errorOffset: true,
  fts5: true,
  rtree: true,
  isolatedReaders: true,
  pageStore: true,
};

/**
 * Makes the default engine from compiled modules.
 *
 * @example
 * const engine = createSqliteEngine({ sqlite, trampolines, hash });
 * const writer = engine.openWriter(createMemoryPageStore({ maxBytes: 2 ** 30 }), host, DEFAULT_ENGINE_LIMITS);
 */
export function createSqliteEngine(options: SqliteEngineOptions): Engine {
  const { sqlite, trampolines, hash } = options;
  return new HostedEngine('sqlite', hash, { sqlite, trampolines }, SQLITE_CAPABILITIES);
}

/** A build of SQLite under our host. */
export class HostedEngine implements Engine {
  readonly id: EngineId;
  readonly capabilities: EngineCapabilities;
  readonly #modules: EngineModules;
  readonly #probed: Probed;
  readonly #writers = new WeakMap<PageStore, WriterConnection>();
  #hasher: PageHasher | null = null;

  constructor(
    name: string,
    hash: string,
    modules: EngineModules,
    capabilities: EngineCapabilities,
  ) {
    this.capabilities = capabilities;
    this.#modules = modules;
    this.#probed = probeModules(modules);
    const { version, options } = this.#probed;
    this.id = { name, version, hash, options };
  }

  /** Made when first asked for: it has memory of its own. */
  get pageHash(): PageHasher {
    return (this.#hasher ??= createPageHasher(this.#modules.trampolines));
  }

  openWriter(store: PageStore, host: EngineHost, limits: EngineLimits): Writer {
    this.#writers.get(store)?.supersede();
    store.abort();
    const linked = this.#link(store, host, true);
    const { counters } = this.#probed;
    const writer = new WriterConnection(linked, store, limits, counters, () => {
      if (this.#writers.get(store) === writer) this.#writers.delete(store);
    });
    this.#writers.set(store, writer);
    return writer;
  }

  openReaders(store: PageStore, host: EngineHost, limits: EngineLimits): ReaderHost {
    return new Readers(this.#link(store, host, false), limits);
  }

  #link(store: PageStore, host: EngineHost, writable: boolean): LinkedInstance {
    const linked = new LinkedInstance(this.#modules, store, host, writable);
    installWrapped(linked.instance, this.#probed.wrapped);
    return linked;
  }
}
