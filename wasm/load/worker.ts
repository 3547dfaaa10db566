/**
 * Loads the default engine where WebAssembly comes as modules of the bundle (`workerd`): nothing is compiled at run
 * time. The .wasm files are those that the build puts beside the engine's code.
 */
import type { Engine } from '../engine.ts';
import { createSqliteEngine } from '../sqlite/engine.ts';
import sqlite from '../sqlite/sqlite3.wasm';
import trampolines from '../sqlite/trampolines.wasm';
import { SQLITE_HASH } from './sqlite-hash.ts';

let cached: Engine | undefined;

/** The default engine, made at the first call and shared by all objects of the isolate afterwards. */
export function loadModuleEngine(): Engine {
  cached ??= createSqliteEngine({ sqlite, trampolines, hash: SQLITE_HASH });
  return cached;
}
