import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type SnapshotStoreHome,
  testSnapshotStore,
} from '../../test/conformance/snapshot-store.ts';
import { openNodeFolder } from '../runtime/node/files.ts';
import { createSnapshotStore } from './checkpoint/snapshot-store.ts';
import { createMemoryFolder } from './memory-folder.ts';

function memoryHome(): SnapshotStoreHome {
  const folder = createMemoryFolder();
  return { store: () => createSnapshotStore({ folder }), destroy: () => {} };
}

function nodeHome(): SnapshotStoreHome {
  const path = mkdtempSync(join(tmpdir(), 'quorlite-snapshots-'));
  const folder = openNodeFolder(path);
  return {
    store: () => createSnapshotStore({ folder }),
    destroy: () => rmSync(path, { recursive: true }),
  };
}

testSnapshotStore('in a memory folder', memoryHome);
// Each run syncs some dozens of times.
testSnapshotStore('on disk', nodeHome, 8);
