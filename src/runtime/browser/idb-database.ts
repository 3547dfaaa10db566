/**
 * One IndexedDB database as an ordered stream of changes: what is put goes into strict transactions one after the other,
 * and what comes while one is under way is the next. A change is durable when all changes before it are.
 */
import type { QuorliteError } from '../../wire/error.ts';
import { idbFailed } from './idb-errors.ts';

/** Object stores of a node's database. */
export const IDB_STORES = ['log', 'state', 'files', 'blocks'] as const;
/** The name of one of them. */
export type IdbStoreName = (typeof IDB_STORES)[number];

type Change =
  | { readonly op: 'put'; readonly key: IDBValidKey; readonly value: () => unknown }
  | { readonly op: 'delete'; readonly key: IDBValidKey | IDBKeyRange };
type Done = (error: QuorliteError | null) => void;

interface Batch {
  readonly changes: { readonly store: IdbStoreName; readonly change: Change }[];
  readonly dones: Done[];
  bytes: number;
}

/** Bytes after which a transaction takes no more changes. */
const BATCH_BYTES = 4 * 1024 * 1024;
const VERSION = 1;

/** Opens the database, which is made when there is none. Rejects with `STORAGE_FAILED`. */
export async function openIdb(name: string): Promise<IdbDatabase> {
  try {
    const request = indexedDB.open(name, VERSION);
    request.onupgradeneeded = () => {
      for (const store of IDB_STORES) request.result.createObjectStore(store);
    };
    return new IdbDatabase(name, await result(request));
  } catch (error) {
    throw idbFailed(name, error);
  }
}

/** Removes a database and all that is in it; waits for those who have it open. Rejects with `STORAGE_FAILED`. */
export async function deleteIdb(name: string): Promise<void> {
  try {
    await result(indexedDB.deleteDatabase(name));
  } catch (error) {
    throw idbFailed(name, error);
  }
}

/** An open database with its queue of changes. */
export class IdbDatabase {
  readonly label: string;
  readonly #db: IDBDatabase;
  #batches: Batch[] = [];
  #running = false;
  #error: QuorliteError | null = null;
  #idle: (() => void)[] = [];

  constructor(name: string, db: IDBDatabase) {
    this.label = `indexeddb:${name}`;
    this.#db = db;
    // Somebody deletes the database under us: the next transaction says so.
    db.onversionchange = () => db.close();
  }

  /** Whether changes wait for their transaction. */
  get isDirty(): boolean {
    return this.#running || this.#batches.length > 0;
  }

  /** Why no change is taken any more. */
  get failure(): QuorliteError | null {
    return this.#error;
  }

  /** Takes no change any more: something that belongs to this database could not be saved (rule D3). */
  fail(error: QuorliteError): void {
    this.#error ??= error;
  }

  /** Puts a value; `value` is asked for when the transaction begins. `bytes` is its size, roughly. */
  put(store: IdbStoreName, key: IDBValidKey, bytes: number, value: () => unknown): void {
    this.#change(store, { op: 'put', key, value }, bytes);
  }

  delete(store: IdbStoreName, key: IDBValidKey | IDBKeyRange): void {
    this.#change(store, { op: 'delete', key }, 0);
  }

  /** Calls back when all changes so far are durable, never before this returns; in the order of the calls. */
  flush(done: Done): void {
    this.#open().dones.push(done);
    this.#schedule();
  }

  /** Calls back as soon as nothing waits, at once when nothing does. Not called after a failure. */
  whenClean(run: () => void): void {
    if (this.#error !== null) return;
    if (this.isDirty) this.#idle.push(run);
    else run();
  }

  /** Keys and values of a store, ascending. Rejects with `STORAGE_FAILED`. */
  async all(store: IdbStoreName): Promise<[IDBValidKey, unknown][]> {
    try {
      const objects = this.#db.transaction(store, 'readonly').objectStore(store);
      const [keys, values] = await Promise.all([
        result(objects.getAllKeys()),
        result(objects.getAll()),
      ]);
      return keys.map((key, i) => [key, values[i]]);
    } catch (error) {
      throw idbFailed(this.label, error);
    }
  }

  /** A transaction of its own, strict when it writes, in the order of all others. */
  transaction(store: IdbStoreName, mode: IDBTransactionMode): IDBObjectStore {
    return this.#db.transaction(store, mode, { durability: 'strict' }).objectStore(store);
  }

  /** Closes when everything is durable. */
  close(done: Done): void {
    this.flush((error) => {
      this.#db.close();
      done(error);
    });
  }

  #change(store: IdbStoreName, change: Change, bytes: number): void {
    const batch = this.#open();
    batch.changes.push({ store, change });
    batch.bytes += bytes;
    this.#schedule();
  }

  /** The batch that takes changes. */
  #open(): Batch {
    let last = this.#batches[this.#batches.length - 1];
    if (last === undefined || last.bytes >= BATCH_BYTES) {
      last = { changes: [], dones: [], bytes: 0 };
      this.#batches.push(last);
    }
    return last;
  }

  #schedule(): void {
    if (this.#running) return;
    this.#running = true;
    // What comes in this turn goes along.
    queueMicrotask(() => this.#next());
  }

  #next(): void {
    const batch = this.#batches.shift();
    if (batch === undefined) {
      this.#running = false;
      for (const run of this.#idle.splice(0)) this.whenClean(run);
      return;
    }
    if (this.#error !== null || batch.changes.length === 0) {
      this.#finish(batch);
      return;
    }
    try {
      const stores = [...new Set(batch.changes.map(({ store }) => store))];
      const transaction = this.#db.transaction(stores, 'readwrite', { durability: 'strict' });
      for (const { store, change } of batch.changes) {
        const objects = transaction.objectStore(store);
        if (change.op === 'put') objects.put(change.value(), change.key);
        else objects.delete(change.key);
      }
      transaction.oncomplete = () => this.#finish(batch);
      transaction.onabort = () => this.#failed(batch, transaction.error);
    } catch (error) {
      this.#failed(batch, error);
    }
  }

  /** After a failure it is unknown what was written: nothing is taken any more (rule D3). */
  #failed(batch: Batch, error: unknown): void {
    this.#error ??= idbFailed(this.label, error);
    this.#finish(batch);
  }

  #finish(batch: Batch): void {
    for (const done of batch.dones) done(this.#error);
    queueMicrotask(() => this.#next());
  }
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('the request failed'));
  });
}
