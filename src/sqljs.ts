/**
 * `quorlite/sqljs`: the second SQL engine, as an object for `engine` in a node's configuration. All nodes of a cluster
 * run the same engine. This is the entry for runtimes that read files: Node.js, Deno, Bun.
 */
import type { Engine } from '../wasm/engine.ts';
import { loadSqljsEngine } from '../wasm/load/sqljs-node.ts';

export type { Engine } from '../wasm/engine.ts';

/**
 * sql.js's build of SQLite, under Quorlite's host.
 *
 * @example
 * import { startNode } from 'quorlite';
 * import { sqljs } from 'quorlite/sqljs';
 *
 * const node = await startNode({ engine: sqljs, dataDir: './data' });
 */
export const sqljs: Engine = loadSqljsEngine();
