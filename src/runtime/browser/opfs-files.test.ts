import { describe, expect, test } from 'vitest';
import { suitePageHash, testPageStore } from '../../../test/conformance/page-store.ts';
import { testSnapshotStore } from '../../../test/conformance/snapshot-store.ts';
import { PrivateFiles } from '../../../test/kit/private-files.ts';
import {
  copyIntoCachedPageStore,
  createCachedPageStore,
} from '../../../wasm/page-store/cached/store.ts';
import { PAGE_SIZE } from '../../../wasm/page-store.ts';
import { FileError, type FileFolder } from '../../platform/files.ts';
import { createSnapshotStore } from '../../storage/checkpoint/snapshot-store.ts';
import { openFileBacking } from '../../storage/page-backing/file.ts';
import { openOpfsFolder } from './opfs-files.ts';

const CACHE = 6 * PAGE_SIZE;
const folders = await Promise.all(
  Array.from({ length: 80 }, () => openOpfsFolder(new PrivateFiles().handle, { spares: 12 })),
);

function folder(): FileFolder {
  return folders.pop()!;
}

testPageStore('cached, over private files', {
  cacheBytes: CACHE,
  effort: 0.3,
  create: ({ maxBytes }) =>
    createCachedPageStore({
      maxBytes,
      cacheBytes: CACHE,
      backing: openFileBacking(folder()),
      hash: suitePageHash,
    }),
  restore: (source, { maxBytes }) =>
    copyIntoCachedPageStore(source, {
      maxBytes,
      cacheBytes: CACHE,
      backing: openFileBacking(folder()),
      hash: suitePageHash,
    }),
});

testSnapshotStore(
  'in private files',
  () => {
    const home = folder();
    return { store: () => createSnapshotStore({ folder: home }), destroy: () => home.unlock() };
  },
  4,
);

function write(place: FileFolder, name: string, text: string): void {
  const file = place.open(name, { create: true });
  file.write(new TextEncoder().encode(text), 0);
  file.sync();
  file.close();
}

function read(place: FileFolder, name: string): string {
  const file = place.open(name, { create: false });
  const bytes = new Uint8Array(file.size());
  file.read(bytes, 0);
  file.close();
  return new TextDecoder().decode(bytes);
}

describe('a folder of private files', () => {
  test('keeps names and bytes, and is for one at a time', async () => {
    const disk = new PrivateFiles();
    const first = await openOpfsFolder(disk.handle);
    write(first, 'a', 'one');
    write(first, 'b', 'two');
    first.rename('a', 'c');
    first.remove('b');
    first.syncFolder();
    await expect(openOpfsFolder(disk.handle)).rejects.toMatchObject({ kind: 'locked' });
    first.unlock();
    expect(() => first.open('c', { create: false })).toThrow(FileError);
    const second = await openOpfsFolder(disk.handle);
    expect(second.list()).toEqual(['c']);
    expect(read(second, 'c')).toBe('one');
  });

  test('names that were not synced are as before; bytes that lost their name too', async () => {
    const disk = new PrivateFiles();
    const first = await openOpfsFolder(disk.handle, { spares: 3 });
    write(first, 'old', 'kept');
    first.syncFolder();
    write(first, 'temp', 'new');
    first.rename('temp', 'old');
    write(first, 'more', 'x');
    disk.kill(true);
    const second = await openOpfsFolder(disk.handle);
    expect(second.list()).toEqual(['old']);
    expect(read(second, 'old')).toBe('kept');
    write(second, 'temp', 'new');
    second.rename('temp', 'old');
    second.syncFolder();
    disk.kill(true);
    const third = await openOpfsFolder(disk.handle);
    expect(read(third, 'old')).toBe('new');
  });

  test('a file that somebody has open keeps its bytes after its name is gone', async () => {
    const place = await openOpfsFolder(new PrivateFiles().handle, { spares: 1 });
    write(place, 'a', 'bytes');
    const open = place.open('a', { create: false });
    place.remove('a');
    place.syncFolder();
    await new Promise((resolve) => setImmediate(resolve));
    write(place, 'b', 'other');
    const out = new Uint8Array(5);
    expect(open.read(out, 0)).toBe(5);
    expect(new TextDecoder().decode(out)).toBe('bytes');
  });

  test('a full quota is no space', async () => {
    const disk = new PrivateFiles();
    const place = await openOpfsFolder(disk.handle);
    disk.full = true;
    const file = place.open('a', { create: true });
    expect(() => file.write(new Uint8Array(1), 0)).toThrow(
      expect.objectContaining({ kind: 'no-space' }),
    );
    expect(() => place.syncFolder()).toThrow(expect.objectContaining({ kind: 'no-space' }));
  });
});
