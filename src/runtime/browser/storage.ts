/** Where a node in a browser keeps its data. */

import type { NodeStorage } from '../../node/recover.ts';
import type { Platform } from '../../platform/contract.ts';
import { FileError } from '../../platform/files.ts';
import { createSnapshotStore } from '../../storage/checkpoint/snapshot-store.ts';
import type { SyncMode } from '../../storage/contract.ts';
import { createFileLogStore } from '../../storage/file-log/file-log.ts';
import { createIdentityStore, createMemoryIdentityStore } from '../../storage/identity.ts';
import { createMemoryFolder } from '../../storage/memory-folder.ts';
import { createMemoryLogStore } from '../../storage/memory-log.ts';
import { openFileBacking, removeFileBacking } from '../../storage/page-backing/file.ts';
import { QuorliteError } from '../../wire/error.ts';
import { openIdb } from './idb-database.ts';
import { openIdbIdentity } from './idb-identity.ts';
import { openIdbLog } from './idb-log.ts';
import { openIdbSnapshots } from './idb-snapshots.ts';
import { openOpfsFolder } from './opfs-files.ts';
import { type BrowserStorage, databaseName, FOLDER, hasOpfs } from './places.ts';

/** What a node keeps, and when that which others must not hear earlier is durable. */
export interface OpenedStorage extends NodeStorage {
  /** Whether something that was saved is not durable yet. */
  readonly isDirty: () => boolean;
  readonly whenClean: (run: () => void) => void;
  close(): Promise<void>;
}

/** Whether this is a dedicated worker whose files have synchronous access. */
export function canUseOpfs(): boolean {
  return hasOpfs() && 'createSyncAccessHandle' in FileSystemFileHandle.prototype;
}

/** Opens a storage, which the caller holds the lock of. Rejects with `STORAGE_FAILED` or `NOT_SUPPORTED`. */
export async function openBrowserStorage(
  { kind, name }: BrowserStorage,
  sync: SyncMode,
  platform: Platform,
): Promise<OpenedStorage> {
  if (kind === 'memory') return openMemory(sync);
  return kind === 'opfs' ? openOpfs(name, sync, platform) : openIndexedDb(name, sync, platform);
}

function openMemory(sync: SyncMode): OpenedStorage {
  return {
    identity: createMemoryIdentityStore(),
    log: createMemoryLogStore(),
    snapshots: createSnapshotStore({ folder: createMemoryFolder({ crashable: false }) }),
    sync,
    isDirty: () => false,
    whenClean: (run) => run(),
    close: async () => {},
  };
}

async function openOpfs(name: string, sync: SyncMode, platform: Platform): Promise<OpenedStorage> {
  if (!canUseOpfs()) {
    throw new QuorliteError('NOT_SUPPORTED', 'files with synchronous access are for workers only', {
      hint: 'use startNode in the page, which starts a worker, or indexedDb()',
    });
  }
  const { clock, timers, entropy } = platform;
  try {
    const root = await navigator.storage.getDirectory();
    const parent = await root.getDirectoryHandle(FOLDER, { create: true });
    const folder = await openOpfsFolder(await parent.getDirectoryHandle(name, { create: true }));
    folder.lock();
    // A tab that was closed leaves its scratch.
    removeFileBacking(folder);
    return {
      identity: createIdentityStore(folder),
      log: createFileLogStore({ folder, sync, clock, timers, entropy }),
      snapshots: createSnapshotStore({ folder }),
      sync,
      openPages: () => openFileBacking(folder),
      isDirty: () => false,
      whenClean: (run) => run(),
      close: async () => folder.unlock(),
    };
  } catch (error) {
    if (error instanceof QuorliteError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    const locked = error instanceof FileError && error.kind === 'locked';
    throw new QuorliteError(locked ? 'CONFIG_INVALID' : 'STORAGE_FAILED', message, {
      cause: error,
    });
  }
}

async function openIndexedDb(
  name: string,
  sync: SyncMode,
  platform: Platform,
): Promise<OpenedStorage> {
  const database = await openIdb(databaseName(name));
  const identity = await openIdbIdentity(database);
  return {
    identity,
    log: await openIdbLog(database, platform.clock),
    snapshots: await openIdbSnapshots(database),
    // Every transaction is strict.
    sync: sync.mode === 'durable' ? sync : { mode: 'durable' },
    isDirty: () => identity.isDirty,
    whenClean: (run) => identity.whenClean(run),
    close: () => new Promise((resolve) => database.close(() => resolve())),
  };
}
