/** Loads the default engine from files, on runtimes that read files with Node's interface. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Engine } from '../engine.ts';
import { createSqliteEngine } from '../sqlite/engine.ts';

let cached: Engine | undefined;

/**
 * The default engine, read and compiled at the first call and shared afterwards. The trampolines lie beside the
 * engine's code, in the sources as in the build; so does SQLite in the build, while the sources take it from its package.
 */
export function loadSqliteEngine(): Engine {
  cached ??= createSqliteEngine(readSqliteModules());
  return cached;
}

/** Reads and compiles the modules of the default engine; the hash is that of `sqlite3.wasm`. */
export function readSqliteModules(): {
  sqlite: WebAssembly.Module;
  trampolines: WebAssembly.Module;
  hash: string;
} {
  const sqlite = readFileSync(sqlitePath());
  const trampolines = readFileSync(new URL('../sqlite/trampolines.wasm', import.meta.url));
  return {
    sqlite: new WebAssembly.Module(sqlite),
    trampolines: new WebAssembly.Module(trampolines),
    hash: createHash('sha256').update(sqlite).digest('hex'),
  };
}

function sqlitePath(): URL | string {
  const built = new URL('../sqlite/sqlite3.wasm', import.meta.url);
  if (existsSync(built)) return built;
  return createRequire(import.meta.url).resolve('@sqlite.org/sqlite-wasm/sqlite3.wasm');
}
