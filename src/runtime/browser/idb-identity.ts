/** The identity of a storage in IndexedDB, through `idb-keyval` with strict transactions. */
import { get, set, type UseStore } from 'idb-keyval';
import type { Identity, IdentityStore } from '../../storage/contract.ts';
import type { QuorliteError } from '../../wire/error.ts';
import type { IdbDatabase } from './idb-database.ts';
import { idbFailed } from './idb-errors.ts';

const IDENTITY = 'identity';

/** An identity store that cannot wait: what it saved is durable once it is no longer dirty. */
export interface IdbIdentityStore extends IdentityStore {
  readonly isDirty: boolean;
  /** Why nothing is saved any more. */
  readonly failure: QuorliteError | null;
  /** Calls back as soon as what was saved is durable, at once when it is. Not called after a failure. */
  whenClean(run: () => void): void;
}

/**
 * Reads the identity. A node must not be heard of before what it saved is durable (rules D1, M6): `save` returns before,
 * so its owner holds back what the node sends until `whenClean`.
 */
export async function openIdbIdentity(database: IdbDatabase): Promise<IdbIdentityStore> {
  const useStore: UseStore = async (mode, callback) =>
    callback(database.transaction('state', mode));
  let current = ((await get(IDENTITY, useStore)) as Identity | undefined) ?? null;
  let unsaved = 0;
  let failure: QuorliteError | null = null;
  let last: Promise<void> = Promise.resolve();
  let waiting: (() => void)[] = [];

  async function save(identity: Identity): Promise<void> {
    try {
      await set(IDENTITY, identity, useStore);
      unsaved--;
    } catch (error) {
      failure ??= idbFailed(database.label, error);
      // The node hears of it with its next write.
      database.fail(failure);
    }
    if (unsaved > 0) return;
    const ready = waiting;
    waiting = [];
    for (const run of ready) run();
  }

  return {
    get isDirty() {
      return unsaved > 0;
    },
    get failure() {
      return failure;
    },
    load: () => current,
    save(identity) {
      if (failure !== null) throw failure;
      current = identity;
      unsaved++;
      // One after the other: the newest one is the last.
      last = last.then(() => save(identity));
    },
    whenClean(run) {
      if (unsaved === 0) run();
      else if (failure === null) waiting.push(run);
    },
  };
}
