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
import { deleteIdb, openIdb } from './idb-database.ts';
import { openIdbIdentity } from './idb-identity.ts';
import { openIdbLog } from './idb-log.ts';
import { openIdbSnapshots } from './idb-snapshots.ts';
import { openOpfsFolder } from './opfs-files.ts';

/** A place for a node's data, as plain data: it may be sent to a worker. */
export interface BrowserStorage {
  readonly kind: 'opfs' | 'indexeddb' | 'memory';
  /** Names the place within its origin. */
  readonly name: string;
}

/** Files of the origin's own, with a database larger than memory. Only in workers; `startNode` makes one. */
export function opfs(name: string = 'node-1'): BrowserStorage {
  return { kind: 'opfs', name };
}

/** IndexedDB, for pages and for browsers without such files. All pages of the database are in memory. */
export function indexedDb(name: string = 'node-1'): BrowserStorage {
  return { kind: 'indexeddb', name };
}

/** Nothing outlives the page. */
export function memory(name: string = 'node-1'): BrowserStorage {
  return { kind: 'memory', name };
}

/** What a node keeps; `settled` holds back what others must not hear before it is durable. */
export interface OpenedStorage extends NodeStorage {
  /** Whether something that was saved is not durable yet. */
  readonly isDirty: () => boolean;
  readonly whenClean: (run: () => void) => void;
  close(): Promise<void>;
}

const FOLDER = 'quorlite';

/** Whether this browser has files with synchronous access, which only workers may use. */
export function hasOpfs(): boolean {
  return (
    typeof globalThis.navigator?.storage?.getDirectory === 'function' &&
    typeof FileSystemFileHandle === 'function'
  );
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

/** Removes a storage with all its data. The node must be shut down in all tabs. */
export async function removeBrowserStorage({ kind, name }: BrowserStorage): Promise<void> {
  if (kind === 'indexeddb') await deleteIdb(databaseName(name));
  if (kind !== 'opfs') return;
  const root = await navigator.storage.getDirectory();
  const folder = await root.getDirectoryHandle(FOLDER, { create: true });
  for await (const key of folder.keys()) {
    if (key === name) await folder.removeEntry(name, { recursive: true });
  }
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

function databaseName(name: string): string {
  return `${FOLDER}:${name}`;
}
