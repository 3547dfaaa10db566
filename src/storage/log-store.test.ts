import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LogStoreHome, testLogStore } from '../../test/conformance/log-store.ts';
import { openNodeFolder } from '../runtime/node/files.ts';
import { createNodePlatform } from '../runtime/node/platform.ts';
import type { LogStore, SyncMode } from './contract.ts';
import { createFileLogStore } from './file-log/file-log.ts';
import { createMemoryFolder } from './memory-folder.ts';
import { createMemoryLogStore } from './memory-log.ts';

const SEGMENT_BYTES = 16 * 1024;
const { clock, timers, entropy } = createNodePlatform({ keepAlive: false });

function memoryHome(): LogStoreHome {
  const store = createMemoryLogStore();
  return { store: () => store, slackBytes: 0, destroy: () => {} };
}

function memoryFolderHome(sync: SyncMode): LogStoreHome {
  const folder = createMemoryFolder();
  // The timer of a store whose process died would go on here.
  const dies = sync.mode !== 'interval';
  return {
    store: (): LogStore =>
      createFileLogStore({ folder, sync, clock, timers, entropy, segmentBytes: SEGMENT_BYTES }),
    slackBytes: 2 * SEGMENT_BYTES,
    ...(dies && { kill: () => folder.kill(), crash: () => folder.crash(() => false) }),
    destroy: () => {},
  };
}

function nodeHome(sync: SyncMode): LogStoreHome {
  const path = mkdtempSync(join(tmpdir(), 'quorlite-log-'));
  const folder = openNodeFolder(path);
  folder.lock();
  return {
    store: () =>
      createFileLogStore({ folder, sync, clock, timers, entropy, segmentBytes: SEGMENT_BYTES }),
    slackBytes: 2 * SEGMENT_BYTES,
    destroy() {
      folder.unlock();
      rmSync(path, { recursive: true });
    },
  };
}

testLogStore('memory', memoryHome);
testLogStore('file log in a memory folder, durable', () => memoryFolderHome({ mode: 'durable' }));
testLogStore('file log in a memory folder, os', () => memoryFolderHome({ mode: 'os' }));
testLogStore('file log in a memory folder, interval', () => {
  return memoryFolderHome({ mode: 'interval', ms: 1 });
});
testLogStore('file log on disk, durable', () => nodeHome({ mode: 'durable' }));
testLogStore('file log on disk, interval', () => {
  return nodeHome({ mode: 'interval', ms: 5 });
});
