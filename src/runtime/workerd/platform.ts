/**
 * What a Durable Object gives a node: time, timers, entropy. Its clocks stand still while code runs and move with I/O, so
 * nothing here measures the work of one turn; `countingEngine` bounds that instead.
 */
import type { Engine, EngineHost } from '../../../wasm/engine.ts';
import type { Platform } from '../../platform/contract.ts';
import { createSystemEntropy } from '../entropy.ts';

/** The platform of this object. */
export function createWorkerdPlatform(): Platform {
  let latest = 0;
  return {
    runtime: 'workerd',
    clock: {
      // The one clock here follows the date, which may be set back.
      monotonicMs: () => (latest = Math.max(latest, Date.now())),
      wallMs: () => Date.now(),
    },
    timers: {
      after: (ms, callback) => setTimeout(callback, ms) as unknown as number,
      cancel: (timer) => clearTimeout(timer as unknown as number),
      soon: (callback) => {
        setTimeout(callback, 0);
      },
    },
    entropy: createSystemEntropy(),
    // The storage is never relaxed: the platform syncs before anything leaves.
    osBootId: '',
  };
}

/** What 1,000 instructions of SQLite's machine count for on a clock that stands still, milliseconds. */
const QUESTION_MS = 0.02;

/**
 * The engine with deadlines that end on a clock that stands still: while it does, each time that a running statement asks
 * for the time (every 1,000 instructions) counts for a little. Deadlines bound reads of this node and decide no result.
 */
export function countingEngine(engine: Engine): Engine {
  return {
    id: engine.id,
    capabilities: engine.capabilities,
    ...(engine.pageHash && { pageHash: engine.pageHash }),
    openWriter: (store, host, limits) => engine.openWriter(store, host, limits),
    openReaders: (store, host, limits) => engine.openReaders(store, countingHost(host), limits),
  };
}

function countingHost(host: EngineHost): EngineHost {
  let seen = 0;
  let counted = 0;
  return {
    wallMs: () => host.wallMs(),
    random: (out) => host.random(out),
    monotonicMs() {
      const now = host.monotonicMs();
      if (now > seen + counted) {
        seen = now;
        counted = 0;
      } else {
        counted += QUESTION_MS;
      }
      return seen + counted;
    },
  };
}
