/** Edge runtimes refuse to compile anything at run time: what the engine needs must come as modules. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterEach, expect, test, vi } from 'vitest';
import { all, CommandHost, command, limits } from '../../test/conformance/engine-support.ts';
import { createMemoryPageStore } from '../page-store/memory.ts';
import { createSqljsEngine } from './engine.ts';

function compile(path: string | URL): WebAssembly.Module {
  return new WebAssembly.Module(readFileSync(path));
}

afterEach(() => {
  vi.unstubAllGlobals();
});

test('engine, writer, functions, hooks and readers work where WebAssembly and functions cannot be compiled', () => {
  const require = createRequire(import.meta.url);
  const modules = {
    sqljs: compile(require.resolve('sql.js/dist/sql-wasm.wasm')),
    bridge: compile(new URL('./bridge.wasm', import.meta.url)),
    trampolines: compile(new URL('../sqlite/trampolines.wasm', import.meta.url)),
  };
  const refuse = (): never => {
    throw new Error('code generation is not allowed');
  };
  const Module = Object.assign(refuse, {
    imports: WebAssembly.Module.imports,
    exports: WebAssembly.Module.exports,
  });
  const compilers = { Module, compile: refuse, compileStreaming: refuse, instantiate: refuse };
  const { Memory, Table, Global, Instance } = WebAssembly;
  vi.stubGlobal('WebAssembly', { Memory, Table, Global, Instance, ...compilers });
  vi.stubGlobal('Function', refuse);
  vi.stubGlobal('eval', refuse);
  const engine = createSqljsEngine(modules);
  const store = createMemoryPageStore({ maxBytes: 64 * 1024 * 1024 });
  const writer = engine.openWriter(store, new CommandHost(), limits());
  const rows = command(writer, () => {
    all(writer, "CREATE TABLE t(a DEFAULT (replace('x', 'x', 'y')), b DEFAULT (total_changes()))");
    return all(writer, 'INSERT INTO t DEFAULT VALUES RETURNING a, b, length(randomblob(3))');
  });
  expect(rows).toEqual([['y', 0, 3]]);
  const reader = engine.openReaders(store, new CommandHost(), limits()).openReader();
  expect(all(reader, 'SELECT a FROM t')).toEqual([['y']]);
});
