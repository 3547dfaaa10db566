/** The configuration of a node in a browser: that of every node, less sockets and folders. */

import type { SqliteUrls } from '../../../wasm/load/browser.ts';
import type { NodeConfig } from '../../config/node-config.ts';
import { configError } from '../../config/problem.ts';
import { type ResolvedConfig, resolveConfig } from '../../config/resolve.ts';
import { type BrowserStorage, hasOpfs } from './places.ts';

/** What a user writes; everything is optional. */
export interface BrowserNodeConfig
  extends Omit<
    NodeConfig,
    'id' | 'storage' | 'listen' | 'listenRaft' | 'dataDir' | 'origins' | 'logFormat'
  > {
  /** This node's number in `nodes`. */
  readonly id?: number | undefined;
  /** Default: `opfs()` where there is one, else `indexedDb()`, named `node-<id>`. */
  readonly storage?: BrowserStorage | undefined;
  /**
   * Where the engine's two files are; default: beside this code. A text is a folder's URL, to which their names are
   * added.
   */
  readonly wasm?: string | SqliteUrls | undefined;
  /** Where the script of the worker is; default: beside this code. */
  readonly worker?: string | URL | undefined;
  /** False runs the node in this very page or worker. Default: a worker of its own, where the storage needs one. */
  readonly inWorker?: boolean | undefined;
}

/** Everything decided. */
export interface ResolvedBrowserConfig {
  readonly node: ResolvedConfig;
  readonly storage: BrowserStorage;
  readonly wasm: SqliteUrls | undefined;
}

/** Keys that only browsers have. */
const OWN = new Set(['storage', 'wasm', 'worker', 'inWorker']);
const KINDS = ['opfs', 'indexeddb', 'memory'];

/** Checks `config` and fills in defaults. Throws `CONFIG_INVALID`. */
export function resolveBrowserConfig(config: BrowserNodeConfig): ResolvedBrowserConfig {
  const shared = Object.fromEntries(Object.entries(config).filter(([key]) => !OWN.has(key)));
  const given = config.storage;
  const inMemory = given?.kind === 'memory';
  const node = resolveConfig({
    ...shared,
    listen: false,
    ...(inMemory ? { storage: 'memory' as const } : {}),
  });
  const name = `node-${node.id}`;
  const storage = given ?? { kind: hasOpfs() ? ('opfs' as const) : ('indexeddb' as const), name };
  if (!KINDS.includes(storage.kind) || !/^[\w.-]{1,64}$/.test(storage.name)) {
    throw configError('storage', 'must be opfs(name), indexedDb(name) or memory(name)', {
      hint: 'a name has letters, digits, dots, dashes and underscores, at most 64',
    });
  }
  return { node, storage, wasm: engineUrls(config.wasm) };
}

function engineUrls(wasm: BrowserNodeConfig['wasm']): SqliteUrls | undefined {
  if (typeof wasm !== 'string') return wasm;
  const folder = new URL(wasm.endsWith('/') ? wasm : `${wasm}/`, globalThis.location?.href);
  return {
    sqlite: new URL('sqlite3.wasm', folder).href,
    trampolines: new URL('trampolines.wasm', folder).href,
  };
}
