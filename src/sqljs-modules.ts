/**
 * `quorlite/sqljs` where WebAssembly comes as modules of the bundle (`workerd`): nothing is compiled at run time. The
 * .wasm files are those that the build puts beside the engine's code.
 */
import type { Engine } from '../wasm/engine.ts';
import trampolines from '../wasm/sqlite/trampolines.wasm';
import bridge from '../wasm/sqljs/bridge.wasm';
import { createSqljsEngine } from '../wasm/sqljs/engine.ts';
import wasm from '../wasm/sqljs/sql-wasm.wasm';

/** sql.js's build of SQLite, under Quorlite's host. */
export const sqljs: Engine = createSqljsEngine({ sqljs: wasm, bridge, trampolines });
