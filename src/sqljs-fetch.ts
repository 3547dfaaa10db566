/**
 * `quorlite/sqljs` in browsers: the .wasm files are fetched from beside the engine's code while this module loads.
 */
import type { Engine } from '../wasm/engine.ts';
import { createSqljsEngine } from '../wasm/sqljs/engine.ts';

function compile(url: URL): Promise<WebAssembly.Module> {
  return WebAssembly.compileStreaming(fetch(url));
}

const [wasm, bridge, trampolines] = await Promise.all([
  compile(new URL('../wasm/sqljs/sql-wasm.wasm', import.meta.url)),
  compile(new URL('../wasm/sqljs/bridge.wasm', import.meta.url)),
  compile(new URL('../wasm/sqlite/trampolines.wasm', import.meta.url)),
]);

/** sql.js's build of SQLite, under Quorlite's host. */
export const sqljs: Engine = createSqljsEngine({ sqljs: wasm, bridge, trampolines });
