import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
// @ts-expect-error a plain script without types
import { assembleTrampolines } from '../../scripts/build-trampolines.mjs';
import { IO_METHODS, MEMORY_METHODS, VFS_METHODS } from './exports.ts';

const committed = readFileSync(new URL('./trampolines.wasm', import.meta.url));

test('trampolines.wasm is what trampolines.wat assembles to', async () => {
  const assembled: Uint8Array = await assembleTrampolines();
  expect(Buffer.from(assembled).equals(committed)).toBe(true);
});

test('every callback that is put into the function table has its trampoline', () => {
  const names = WebAssembly.Module.exports(new WebAssembly.Module(committed)).map((e) => e.name);
  const wanted = [...IO_METHODS, ...VFS_METHODS, ...MEMORY_METHODS].filter((name) => name !== '');
  for (const name of [...wanted, 'progress', 'authorizer', 'function']) {
    expect(names).toContain(name);
  }
});
