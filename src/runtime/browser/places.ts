/** Names of the places where a node in a browser keeps its data. */
import { deleteIdb } from './idb-database.ts';

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

/** Folder of all nodes of an origin, and the beginning of their databases' names. */
export const FOLDER: string = 'quorlite';

/** Whether this browser has files with synchronous access, which only workers may use. */
export function hasOpfs(): boolean {
  return (
    typeof globalThis.navigator?.storage?.getDirectory === 'function' &&
    typeof FileSystemFileHandle === 'function'
  );
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

/** The IndexedDB database of a storage. */
export function databaseName(name: string): string {
  return `${FOLDER}:${name}`;
}

/** Where clients in other tabs reach the node over a storage. */
export function seatAddress({ kind, name }: BrowserStorage): string {
  return `node:${kind}:${name}`;
}
