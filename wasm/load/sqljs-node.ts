/** Loads the sql.js engine from files, on runtimes that read files with Node's interface. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { assert } from '../../src/wire/assert.ts';
import type { Engine } from '../engine.ts';
import { createSqljsEngine } from '../sqljs/engine.ts';
import { SQLJS_HASH } from '../sqljs/names.ts';

let cached: Engine | undefined;

/**
 * The sql.js engine, read and compiled at the first call and shared afterwards. sql.js's file lies beside the engine's
 * code in the build, while the sources take it from its package.
 */
export function loadSqljsEngine(): Engine {
  cached ??= readSqljsEngine();
  return cached;
}

function readSqljsEngine(): Engine {
  const sqljs = readFileSync(sqljsPath());
  const hash = createHash('sha256').update(sqljs).digest('hex');
  assert(hash === SQLJS_HASH, () => `this is not the sql.js of this release: its hash is ${hash}`);
  const compile = (path: string): WebAssembly.Module =>
    new WebAssembly.Module(readFileSync(new URL(path, import.meta.url)));
  return createSqljsEngine({
    sqljs: new WebAssembly.Module(sqljs),
    bridge: compile('../sqljs/bridge.wasm'),
    trampolines: compile('../sqlite/trampolines.wasm'),
  });
}

function sqljsPath(): URL | string {
  const built = new URL('../sqljs/sql-wasm.wasm', import.meta.url);
  if (existsSync(built)) return built;
  return createRequire(import.meta.url).resolve('sql.js/dist/sql-wasm.wasm');
}
