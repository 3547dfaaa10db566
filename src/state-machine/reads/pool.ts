/**
 * Reader connections: one for reads that finish at once, one for each open cursor. They share an instance, apart from
 * the writer's; when it dies, or its limits are out of date, the next read gets a new one.
 */
import type { Engine, EngineHost, EngineLimits, Reader, ReaderHost } from '../../../wasm/engine.ts';
import type { PageStore } from '../../../wasm/page-store.ts';

/** Connections kept for the next cursor. */
const IDLE_READERS = 8;
/** Engine heap that the reads of this node may take together. */
const READ_MEMORY_BYTES = 256 * 1024 * 1024;

/** An instance and how many cursors use it. */
interface Lease {
  readonly host: ReaderHost;
  readonly idle: Reader[];
  instant: Reader | null;
  cursors: number;
  retired: boolean;
}

/** A connection that a cursor holds. */
export interface TakenReader {
  readonly reader: Reader;
  /** Gives it back; `broken` when its instance died. */
  give(broken: boolean): void;
}

/** See the file's comment. */
export class ReaderPool {
  readonly #engine: Engine;
  readonly #store: PageStore;
  readonly #host: EngineHost;
  readonly #limits: () => EngineLimits;
  #lease: Lease | null = null;
  /** Instances that died. */
  crashes = 0;

  constructor(engine: Engine, store: PageStore, host: EngineHost, limits: () => EngineLimits) {
    this.#engine = engine;
    this.#store = store;
    this.#host = host;
    this.#limits = limits;
  }

  /** The connection for reads that end before anything else happens. */
  instant(): Reader {
    const lease = this.#current();
    return (lease.instant ??= openReader(lease.host));
  }

  /** A connection of its own for a cursor. */
  take(): TakenReader {
    const lease = this.#current();
    const reader = lease.idle.pop() ?? openReader(lease.host);
    lease.cursors++;
    return {
      reader,
      give: (broken) => {
        lease.cursors--;
        if (broken) this.retire(lease);
        else if (lease.retired || lease.idle.length >= IDLE_READERS) reader.close();
        else lease.idle.push(reader);
        if (lease.retired) closeUnused(lease);
      },
    };
  }

  /** The instance died: the next read gets another. */
  crashed(): void {
    this.crashes++;
    this.retire();
  }

  /** Lets the next read start on a new instance; cursors keep theirs until they are closed. */
  retire(lease: Lease | null = this.#lease): void {
    if (lease === null || lease.retired) return;
    lease.retired = true;
    if (lease === this.#lease) this.#lease = null;
    closeUnused(lease);
  }

  memoryBytes(): number {
    return this.#lease?.host.memoryBytes() ?? 0;
  }

  #current(): Lease {
    if (this.#lease === null) {
      const host = this.#engine.openReaders(this.#store, this.#host, this.#limits());
      this.#lease = { host, idle: [], instant: null, cursors: 0, retired: false };
    }
    return this.#lease;
  }
}

function openReader(host: ReaderHost): Reader {
  const reader = host.openReader();
  reader.setMemoryLimit(READ_MEMORY_BYTES);
  return reader;
}

function closeUnused(lease: Lease): void {
  if (lease.cursors === 0) lease.host.close();
}
