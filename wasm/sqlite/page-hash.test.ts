import { expect, test } from 'vitest';
import { CommandHost, limits } from '../../test/conformance/engine-support.ts';
import { playOne, workload } from '../../test/conformance/engine-workload.ts';
import { loadSqliteEngine, readSqliteModules } from '../load/node.ts';
import { createMemoryPageStore } from '../page-store/memory.ts';
import { PAGE_SIZE } from '../page-store.ts';
import { createPageHasher } from './page-hash.ts';

const hash = createPageHasher(readSqliteModules().trampolines);

test('hashes pages as the engine recorded them', () => {
  const store = createMemoryPageStore({ maxBytes: 64 * 1024 * 1024 });
  const writer = loadSqliteEngine().openWriter(store, new CommandHost(), limits());
  for (const sql of workload(100, 3, true)) playOne(writer, sql);
  const pin = store.pin();
  const zero = new Uint8Array(PAGE_SIZE);
  for (let page = 1; page <= pin.pageCount; page++) {
    expect(hash(page, pin.page(page) ?? zero)).toEqual(pin.pageHash(page));
  }
  pin.release();
});

test('a zero page hashes to 0, equal pages at different places differently, one bit changes it', () => {
  const bytes = new Uint8Array(PAGE_SIZE);
  expect(hash(9, bytes)).toEqual({ lo: 0, hi: 0 });
  bytes[4095] = 1;
  const first = hash(1, bytes);
  expect(hash(2, bytes)).not.toEqual(first);
  bytes[0] = 128;
  expect(hash(1, bytes)).not.toEqual(first);
});
