import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
// @ts-expect-error a plain script without types
import { assemble } from '../../scripts/build-trampolines.mjs';
import { createSqljsEngine } from './engine.ts';
import { SQLJS_EXPORTS, SQLJS_HASH, SQLJS_IMPORTS } from './names.ts';

const require = createRequire(import.meta.url);
const wasm = readFileSync(require.resolve('sql.js/dist/sql-wasm.wasm'));
const glue = readFileSync(require.resolve('sql.js/dist/sql-wasm.js'), 'utf8');

/** What sql.js's JavaScript says of what it keeps in variables instead of under a name, or does not use. */
const IN_GLUE: Readonly<Record<string, RegExp>> = {
  memory: /=c\.O;/,
  __indirect_function_table: /Z=c\.Q;/,
  __wasm_call_ctors: /gd\.P\(\)/,
  malloc: /k\._malloc=c\.Ia;/,
  free: /k\._free=c\.Ja;/,
  emscripten_stack_get_current: /oa=c\.Pa;.*/s,
};

const ANSWERS: Readonly<Record<string, RegExp>> = {
  __assert_fail: /\ba:\(a,b,d,c\)=>\w+\(`Assertion failed/,
  _abort_js: /\bw:\(\)=>\w+\(""\)/,
  proc_exit: /\bu:Sc,/,
  emscripten_date_now: /\bd:\(\)=>Date\.now\(\)/,
  emscripten_get_now: /\bc:\(\)=>performance\.now\(\)/,
  emscripten_get_heap_max: /\bp:\(\)=>2147483648/,
  emscripten_resize_heap: /\bl:a=>\{var b=E\.length;/,
  _localtime_js: /\bA:function\(a,b\)\{[^{}]*new Date\(a\*1E3\);.*getSeconds\(\)/s,
  _tzset_js: /\bB:\(a,b,d,c\)=>\{[^{}]*getTimezoneOffset\(\)/,
  __syscall_openat: /\bx:function\(a,b,d,c\)\{[^}]*fc\(b,d,e\)\.fd/s,
  fd_close: /\be:function\(a\)\{try\{var b=R\(a\);hc\(b\);return 0\}/,
};

test('the hash is that of the installed sql.js, which is pinned', () => {
  expect(createHash('sha256').update(wasm).digest('hex')).toBe(SQLJS_HASH);
});

test.each(Object.entries(SQLJS_EXPORTS))('the export %s is %s', (short, name) => {
  const escaped = short.replace('$', '\\$');
  const pattern = IN_GLUE[name] ?? new RegExp(`k\\._${name}=\\s*c\\.\\s*${escaped};`);
  expect(glue).toMatch(pattern);
});

test.each(Object.entries(SQLJS_IMPORTS))('the import %s is %s', (short, name) => {
  expect(glue).toMatch(ANSWERS[name]!);
  expect(ANSWERS[name]!.source).toContain(`\\b${short}:`);
});

test('bridge.wasm is what bridge.wat assembles to', async () => {
  const committed = readFileSync(new URL('./bridge.wasm', import.meta.url));
  const assembled: Uint8Array = await assemble('sqljs/bridge.wat');
  expect(Buffer.from(assembled).equals(committed)).toBe(true);
});

test.each(['sql.js/dist/sql-wasm-debug.wasm', '@sqlite.org/sqlite-wasm/sqlite3.wasm'])(
  '%s is refused: another build',
  (path) => {
    const compile = (file: string | URL): WebAssembly.Module =>
      new WebAssembly.Module(readFileSync(file));
    const modules = {
      sqljs: compile(require.resolve(path)),
      bridge: compile(new URL('./bridge.wasm', import.meta.url)),
      trampolines: compile(new URL('../sqlite/trampolines.wasm', import.meta.url)),
    };
    expect(() => createSqljsEngine(modules)).toThrow(/not the sql\.js of this release/);
  },
);
