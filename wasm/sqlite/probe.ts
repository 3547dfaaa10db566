/** What an engine has to find out about its compiled modules once: version, options, places in memory. */
import type { EngineHost } from '../engine.ts';
import { findWrapped, type WrappedFunction } from './charged.ts';
import { type CounterOffsets, findCounters } from './counters.ts';
import { type Callbacks, type EngineModules, Instance } from './instance.ts';

/** What `probeModules` found. */
export interface Probed {
  readonly version: string;
  /** Compile options, sorted, joined by a space. */
  readonly options: string;
  readonly counters: CounterOffsets;
  /** SQLite's functions that are charged to the budget. */
  readonly wrapped: readonly WrappedFunction[];
}

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
    counters: findCounters(instance),
    wrapped: findWrapped(instance),
  };
}
