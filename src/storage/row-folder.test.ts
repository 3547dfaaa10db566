import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { testIdentityStore } from '../../test/conformance/identity-store.ts';
import { testSnapshotStore } from '../../test/conformance/snapshot-store.ts';
import { RowDatabase } from '../../test/kit/row-storage.ts';
import type { FileFolder } from '../platform/files.ts';
import { createSnapshotStore } from './checkpoint/snapshot-store.ts';
import { createIdentityStore } from './identity.ts';
import { ROW_CHUNK_BYTES } from './limits.ts';
import { createMemoryFolder } from './memory-folder.ts';
import { openRowFolder } from './row-folder.ts';

testIdentityStore('in rows', () => {
  const rows = new RowDatabase();
  return { store: () => createIdentityStore(openRowFolder(rows)) };
});

testSnapshotStore(
  'in rows',
  () => {
    const rows = new RowDatabase();
    return {
      store: () => createSnapshotStore({ folder: openRowFolder(rows) }),
      destroy: () => {},
    };
  },
  3,
);

function contentOf(folder: FileFolder, name: string): Uint8Array {
  const handle = folder.open(name, { create: false });
  const bytes = new Uint8Array(handle.size());
  expect(handle.read(bytes, 0)).toBe(bytes.length);
  handle.close();
  return bytes;
}

const position = fc.integer({ min: 0, max: 3 * ROW_CHUNK_BYTES });
const step = fc.oneof(
  fc.record({ type: fc.constant('write' as const), at: position, bytes: position }),
  fc.record({ type: fc.constant('truncate' as const), at: position }),
  fc.record({ type: fc.constant('reopen' as const) }),
);

describe('folder in rows', () => {
  test('a file is what a file in memory is, over any writes, cuts and restarts', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const rows = new RowDatabase();
        let folder = openRowFolder(rows);
        const model = createMemoryFolder();
        for (const [i, it] of steps.entries()) {
          if (it.type === 'reopen') folder = openRowFolder(rows);
          for (const place of [folder, model]) {
            const handle = place.open('f', { create: true });
            if (it.type === 'write') handle.write(new Uint8Array(it.bytes).fill(i + 1), it.at);
            if (it.type === 'truncate') handle.truncate(it.at);
            handle.close();
          }
          const same = Buffer.compare(contentOf(folder, 'f'), contentOf(model, 'f'));
          expect(same).toBe(0);
        }
      }),
      { numRuns: 25 },
    );
  });

  test('renaming replaces, removing keeps what is open, and nothing is left behind', () => {
    const rows = new RowDatabase();
    const folder = openRowFolder(rows);
    folder.open('a', { create: true }).write(Uint8Array.of(1), 0);
    const b = folder.open('b', { create: true });
    b.write(Uint8Array.of(2), 0);
    folder.rename('a', 'b');
    expect(folder.list()).toEqual(['b']);
    expect(contentOf(folder, 'b')).toEqual(Uint8Array.of(1));
    const old = new Uint8Array(1);
    b.read(old, 0);
    expect(old[0]).toBe(2);
    b.close();
    const chunks = (): number => [...rows.exec('SELECT id FROM file_chunks')].length;
    expect(chunks()).toBe(1);
    const doomed = folder.open('c', { create: true });
    doomed.write(new Uint8Array(3 * ROW_CHUNK_BYTES), 0);
    folder.remove('c');
    expect(chunks()).toBe(4);
    // The object dies with the file open.
    expect(openRowFolder(rows).list()).toEqual(['b']);
    expect(chunks()).toBe(1);
  });

  test('says what kind of failure it was', () => {
    const rows = new RowDatabase();
    const folder = openRowFolder(rows);
    const handle = folder.open('f', { create: true });
    rows.before = () => {
      throw new Error('database or disk is full: SQLITE_FULL');
    };
    expect(() => handle.write(Uint8Array.of(1), 0)).toThrow(
      expect.objectContaining({ kind: 'no-space' }),
    );
    rows.before = () => {};
    folder.lock();
    expect(() => folder.lock()).toThrow(expect.objectContaining({ kind: 'locked' }));
    expect(() => folder.open('g', { create: false })).toThrow(
      expect.objectContaining({ kind: 'not-found' }),
    );
  });
});
