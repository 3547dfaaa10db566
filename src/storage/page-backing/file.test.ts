import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { testEngineCommands } from '../../../test/conformance/engine-commands.ts';
import { testEngineFaults } from '../../../test/conformance/engine-faults.ts';
import { testEngineReaders } from '../../../test/conformance/engine-readers.ts';
import type { EngineFactory } from '../../../test/conformance/engine-support.ts';
import { suitePageHash, testPageStore } from '../../../test/conformance/page-store.ts';
import { loadSqliteEngine } from '../../../wasm/load/node.ts';
import {
  type CachedPageStoreOptions,
  copyIntoCachedPageStore,
  createCachedPageStore,
} from '../../../wasm/page-store/cached/store.ts';
import { PAGE_SIZE } from '../../../wasm/page-store.ts';
import { openNodeFolder } from '../../runtime/node/files.ts';
import { createFaultyFolder, type Fault, type FileOperation } from '../faulty-folder.ts';
import { createMemoryFolder } from '../memory-folder.ts';
import { openFileBacking, removeFileBacking } from './file.ts';

const CACHE = 6 * PAGE_SIZE;
const path = mkdtempSync(join(tmpdir(), 'quorlite-pages-'));
const folder = openNodeFolder(path);
let files = 0;
afterAll(() => rmSync(path, { recursive: true }));

function options(maxBytes: number): CachedPageStoreOptions {
  const backing = openFileBacking(folder, `scratch-${++files}`);
  return { maxBytes, cacheBytes: CACHE, backing, hash: suitePageHash };
}

testPageStore('cached, over a file on disk', {
  cacheBytes: CACHE,
  effort: 0.5,
  create: ({ maxBytes }) => createCachedPageStore(options(maxBytes)),
  restore: (source, { maxBytes }) => copyIntoCachedPageStore(source, options(maxBytes)),
});

const engine = loadSqliteEngine();
function engineOptions(): CachedPageStoreOptions {
  const backing = openFileBacking(createMemoryFolder({ crashable: false }));
  return { cacheBytes: 8 * PAGE_SIZE, backing, hash: engine.pageHash };
}

describe('the engine over a cached page store', () => {
  const factory: EngineFactory = {
    engine,
    createStore: () => createCachedPageStore(engineOptions()),
    restoreStore: (source) => copyIntoCachedPageStore(source, engineOptions()),
  };
  testEngineCommands(factory);
  testEngineReaders(factory);
  testEngineFaults(factory);
});

describe('pages in a file', () => {
  const pages = Array.from({ length: 100 }, (_, i) => new Uint8Array(PAGE_SIZE).fill(i));

  test('neighbours go in one write', () => {
    const writes: FileOperation[] = [];
    const faulty = createFaultyFolder(createMemoryFolder(), (operation) => {
      if (operation.kind === 'write') writes.push(operation);
      return null;
    });
    const backing = openFileBacking(faulty);
    backing.write(Int32Array.of(0, 1, 2, 7, 9, 10), pages, 6);
    expect(
      writes.map(({ position, length }) => [position / PAGE_SIZE, length / PAGE_SIZE]),
    ).toEqual([
      [0, 3],
      [7, 1],
      [9, 2],
    ]);
    const out = new Uint8Array(PAGE_SIZE);
    const first = [0, 1, 2, 7, 9, 10].map((place) => {
      backing.read(place, out);
      return out[17];
    });
    expect(first).toEqual([0, 1, 2, 3, 4, 5]);
    writes.length = 0;
    backing.write(Int32Array.from(pages.keys()), pages, 100);
    expect(writes.map(({ length }) => length / PAGE_SIZE)).toEqual([64, 36]);
  });

  test('that a process left are gone when it is opened, and the file when it is closed', () => {
    const memory = createMemoryFolder();
    openFileBacking(memory).write(Int32Array.of(0), pages, 1);
    memory.kill();
    const backing = openFileBacking(memory);
    expect(() => backing.read(0, new Uint8Array(PAGE_SIZE))).toThrow(/no page at place 0/);
    backing.close();
    expect(memory.list()).toEqual([]);
    openFileBacking(memory).write(Int32Array.of(0), pages, 1);
    removeFileBacking(memory);
    expect(memory.list()).toEqual([]);
  });

  const faults: readonly Fault[] = [
    { type: 'error', kind: 'io' },
    { type: 'error', kind: 'no-space' },
    { type: 'short', bytes: 0 },
    { type: 'flip', bit: 9000 },
  ];
  test.each(faults)(
    'fault %j at any operation: the right page, or STORAGE_FAILED for good',
    (fault) => {
      for (let at = 0; at < 60; at++) {
        let operations = 0;
        const faulty = createFaultyFolder(createMemoryFolder({ crashable: false }), ({ kind }) => {
          if (kind !== 'read' && kind !== 'write') return null;
          return operations++ === at ? fault : null;
        });
        expectNothingWrong(openFileBacking(faulty));
      }
    },
  );

  test('a write that stops half way is gone on with', () => {
    const faulty = createFaultyFolder(
      createMemoryFolder({ crashable: false }),
      ({ kind, number }) =>
        kind === 'write' && number % 2 === 0 ? { type: 'short', bytes: 1000 } : null,
    );
    const backing = openFileBacking(faulty);
    expect(expectNothingWrong(backing)).toBe(true);
  });
});

/** Writes and reads ten times the cache. Returns whether all went well. */
function expectNothingWrong(backing: ReturnType<typeof openFileBacking>): boolean {
  const store = createCachedPageStore({ cacheBytes: CACHE, backing, hash: suitePageHash });
  const bytes = new Uint8Array(PAGE_SIZE);
  const view = new DataView(bytes.buffer);
  const put = (page: number, value: number): void => {
    bytes.fill(value);
    view.setUint32(8, value);
    const { lo, hi } = suitePageHash(page, bytes);
    store.write(page, bytes, lo, hi);
  };
  const expected = new Map<number, number>();
  const out = new Uint8Array(PAGE_SIZE);
  try {
    for (let round = 0; round < 3; round++) {
      const written = new Map<number, number>();
      for (let page = 1 + round; page <= 60; page += 1 + round) {
        put(page, 1 + page * 3 + round);
        written.set(page, 1 + page * 3 + round);
      }
      store.commit();
      for (const [page, value] of written) expected.set(page, value);
      for (let page = 1; page <= 60; page++) {
        store.read(store.epoch, (page - 1) * PAGE_SIZE, out);
        expect(new DataView(out.buffer).getUint32(8)).toBe(expected.get(page));
      }
    }
    store.close();
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 'STORAGE_FAILED' });
    expect(store.failure).toBe(error);
    store.abort();
    for (const [page, value] of expected) {
      try {
        store.read(store.epoch, (page - 1) * PAGE_SIZE, out);
        expect(new DataView(out.buffer).getUint32(8)).toBe(value);
      } catch (again) {
        expect(again).toBe(error);
      }
    }
    store.close();
    return false;
  }
}
