/** The folder of a node and everything that it keeps there. */
import type { ResolvedConfig } from '../../config/resolve.ts';
import type { NodeStorage } from '../../node/recover.ts';
import type { Platform } from '../../platform/contract.ts';
import { FileError, type FileFolder } from '../../platform/files.ts';
import { createSnapshotStore } from '../../storage/checkpoint/snapshot-store.ts';
import { createFileLogStore } from '../../storage/file-log/file-log.ts';
import { createIdentityStore } from '../../storage/identity.ts';
import { createMemoryFolder } from '../../storage/memory-folder.ts';
import { openFileBacking, removeFileBacking } from '../../storage/page-backing/file.ts';
import { QuorliteError } from '../../wire/error.ts';
import { openNodeFolder } from './files.ts';

/** What a node keeps, and how to give the folder back. */
export interface OpenStorage extends NodeStorage {
  close(): void;
}

/** Locks the folder of a node. Throws `CONFIG_INVALID` when it is in use, `STORAGE_FAILED` when it cannot be. */
export function openStorage(resolved: ResolvedConfig, platform: Platform): OpenStorage {
  const folder = lockedFolder(resolved);
  const { clock, timers, entropy } = platform;
  // A process that was killed leaves its scratch.
  removeFileBacking(folder);
  return {
    identity: createIdentityStore(folder),
    log: createFileLogStore({ folder, sync: resolved.sync, clock, timers, entropy }),
    snapshots: createSnapshotStore({ folder }),
    sync: resolved.sync,
    // In a folder in memory scratch would be memory, too.
    openPages: resolved.storage === 'memory' ? undefined : () => openFileBacking(folder),
    close: () => folder.unlock(),
  };
}

/** The folder, which is this node's from now on. */
function lockedFolder(resolved: ResolvedConfig): FileFolder {
  try {
    const folder = openFolder(resolved);
    folder.lock();
    return folder;
  } catch (error) {
    // A folder that somebody else uses is a mistake of the configuration, not of the disk.
    if (error instanceof FileError && error.kind === 'locked') {
      throw new QuorliteError('CONFIG_INVALID', error.message, { cause: error });
    }
    const message = error instanceof Error ? error.message : String(error);
    throw new QuorliteError('STORAGE_FAILED', `the data folder cannot be used: ${message}`, {
      cause: error,
      hint: `correct dataDir (${resolved.dataDir}), or its disk and permissions; quorlite doctor checks them`,
    });
  }
}

function openFolder(resolved: ResolvedConfig): FileFolder {
  if (resolved.storage === 'memory') return createMemoryFolder({ crashable: false });
  return openNodeFolder(resolved.dataDir);
}
