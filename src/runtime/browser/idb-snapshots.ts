/** Checkpoints in IndexedDB: those of files, in a folder that is durable when the database says so. */
import { createSnapshotStore } from '../../storage/checkpoint/snapshot-store.ts';
import type { SnapshotReceiver, SnapshotStore } from '../../storage/contract.ts';
import type { IdbDatabase } from './idb-database.ts';
import { openIdbFolder } from './idb-folder.ts';

type Done = (error: Error | null) => void;

/** The checkpoints in `database`. A checkpoint is done when it is durable (rules S1, S4). */
export async function openIdbSnapshots(database: IdbDatabase): Promise<SnapshotStore> {
  const store = createSnapshotStore({ folder: await openIdbFolder(database) });

  function durably(done: Done): Done {
    return (error) => {
      if (error !== null) done(error);
      else database.flush(done);
    };
  }

  function durableReceiver(receiver: SnapshotReceiver): SnapshotReceiver {
    return {
      meta: receiver.meta,
      next: () => receiver.next(),
      write: (file, offset, bytes) => receiver.write(file, offset, bytes),
      finish: (done) => receiver.finish(durably(done)),
      abort: () => receiver.abort(),
    };
  }

  return {
    get previousIndex() {
      return store.previousIndex;
    },
    get newest() {
      return store.newest;
    },
    get bytes() {
      return store.bytes;
    },
    open: () => store.open(),
    write: (cut, slice, done) => store.write(cut, slice, durably(done)),
    read: () => store.read(),
    receive: (manifest) => durableReceiver(store.receive(manifest)),
  };
}
