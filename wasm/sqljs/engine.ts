/**
 * The second engine: sql.js's build of SQLite under the host of the default engine, with the same page store, limits and
 * determinism. What differs is what was compiled in: no FTS5, no R-Tree (docs/decisions/0015-the-sqljs-engine.md).
 */
import type { Engine, EngineCapabilities } from '../engine.ts';
import { HostedEngine, SQLITE_CAPABILITIES } from '../sqlite/engine.ts';
import { SQLJS_HASH } from './names.ts';
import { sqljsStarter } from './start.ts';
import { verifySqljs } from './verify.ts';

/** What the engine is made of. The modules are compiled by whoever knows the runtime. */
export interface SqljsEngineOptions {
  /** `sql-wasm.wasm` of sql.js, the file that `SQLJS_HASH` names. */
  readonly sqljs: WebAssembly.Module;
  /** `bridge.wasm` beside this file. */
  readonly bridge: WebAssembly.Module;
  /** `trampolines.wasm` of the default engine. */
  readonly trampolines: WebAssembly.Module;
}

const CAPABILITIES: EngineCapabilities = {
  ...SQLITE_CAPABILITIES,
  fts5: false,
  rtree: false,
};

/**
 * Makes the engine from compiled modules. Throws when `sqljs` is another build than the one that this release knows.
 *
 * @example
 * const engine = createSqljsEngine({ sqljs, bridge, trampolines });
 * const writer = engine.openWriter(createMemoryPageStore({ maxBytes: 2 ** 30 }), host, DEFAULT_ENGINE_LIMITS);
 */
export function createSqljsEngine(options: SqljsEngineOptions): Engine {
  const { sqljs, bridge, trampolines } = options;
  const modules = { sqlite: sqljs, trampolines, start: sqljsStarter(bridge) };
  verifySqljs(modules);
  return new HostedEngine('sqljs', SQLJS_HASH, modules, CAPABILITIES);
}
