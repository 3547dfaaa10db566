/** What runs in a worker of a browser: the storage suites over its real files and its real IndexedDB. */

import type { FileFolder } from '../../src/platform/files.ts';
import { deleteIdb, type IdbDatabase, openIdb } from '../../src/runtime/browser/idb-database.ts';
import { openIdbFolder } from '../../src/runtime/browser/idb-folder.ts';
import { openIdbLog } from '../../src/runtime/browser/idb-log.ts';
import { openOpfsFolder } from '../../src/runtime/browser/opfs-files.ts';
import { createBrowserPlatform } from '../../src/runtime/browser/platform.ts';
import { createSnapshotStore } from '../../src/storage/checkpoint/snapshot-store.ts';
import { createFileLogStore } from '../../src/storage/file-log/file-log.ts';
import { createIdentityStore } from '../../src/storage/identity.ts';
import { openFileBacking } from '../../src/storage/page-backing/file.ts';
import {
  copyIntoCachedPageStore,
  createCachedPageStore,
} from '../../wasm/page-store/cached/store.ts';
import { PAGE_SIZE } from '../../wasm/page-store.ts';
import { testIdentityStore } from '../conformance/identity-store.ts';
import { testLogStore } from '../conformance/log-store.ts';
import { suitePageHash, testPageStore } from '../conformance/page-store.ts';
import { testSnapshotStore } from '../conformance/snapshot-store.ts';
import { runAll } from './vitest-in-browser.ts';

const FOLDERS = 90;
const CACHE = 6 * PAGE_SIZE;
const SEGMENT_BYTES = 64 * 1024;
const platform = createBrowserPlatform();
const folders: FileFolder[] = [];
const inDatabases: FileFolder[] = [];
let databases = 0;

function folder(): FileFolder {
  return folders.pop()!;
}

testLogStore('IndexedDB', () => {
  const name = `suite-${++databases}`;
  let open: IdbDatabase | null = null;
  return {
    slackBytes: 0,
    async store() {
      await new Promise<void>((resolve) => (open ? open.close(() => resolve()) : resolve()));
      open = await openIdb(name);
      return openIdbLog(open, platform.clock);
    },
    async destroy() {
      await new Promise<void>((resolve) => (open ? open.close(() => resolve()) : resolve()));
      await deleteIdb(name);
    },
  };
});

testLogStore('file log in private files', () => {
  const home = folder();
  const { clock, timers, entropy } = platform;
  const sync = { mode: 'durable' } as const;
  return {
    slackBytes: 4 * SEGMENT_BYTES,
    store: () =>
      createFileLogStore({
        folder: home,
        sync,
        clock,
        timers,
        entropy,
        segmentBytes: SEGMENT_BYTES,
      }),
    destroy: () => home.unlock(),
  };
});

testSnapshotStore(
  'in private files',
  () => {
    const home = folder();
    return { store: () => createSnapshotStore({ folder: home }), destroy: () => home.unlock() };
  },
  2,
);

testSnapshotStore(
  'in IndexedDB',
  () => {
    const home = inDatabases.pop()!;
    return { store: () => createSnapshotStore({ folder: home }), destroy: () => {} };
  },
  2,
);

testIdentityStore('in private files', () => {
  const home = folder();
  return { store: () => createIdentityStore(home) };
});

testPageStore('cached, over private files', {
  cacheBytes: CACHE,
  effort: 0.2,
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

async function run(): Promise<unknown> {
  const root = await navigator.storage.getDirectory();
  for (let i = 0; i < FOLDERS; i++) {
    const directory = await root.getDirectoryHandle(`suite-${i}`, { create: true });
    folders.push(await openOpfsFolder(directory, { spares: 32 }));
  }
  for (let i = 0; i < FOLDERS / 2; i++) {
    inDatabases.push(await openIdbFolder(await openIdb(`folder-${i}`)));
  }
  return runAll();
}

run().then(
  (results) => globalThis.postMessage({ results }),
  (error) => globalThis.postMessage({ error: String(error?.stack ?? error) }),
);
