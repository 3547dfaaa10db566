/** Loads the default engine by URL, on runtimes that fetch. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { Engine } from '../engine.ts';
import { createSqliteEngine } from '../sqlite/engine.ts';

/** Where the engine's files are. */
export interface SqliteUrls {
  readonly sqlite: string | URL;
  readonly trampolines: string | URL;
}

/** Beside the engine's code, as the build puts them. */
export const SQLITE_URLS: SqliteUrls = {
  sqlite: new URL('../sqlite/sqlite3.wasm', import.meta.url),
  trampolines: new URL('../sqlite/trampolines.wasm', import.meta.url),
};

/**
 * Fetches and compiles the default engine. Rejects with what `fetch` or `WebAssembly.compile` say, or when a URL does
 * not answer with a file.
 *
 * @example
 * const engine = await fetchSqliteEngine();
 */
export async function fetchSqliteEngine(urls: SqliteUrls = SQLITE_URLS): Promise<Engine> {
  const [sqlite, trampolines] = await Promise.all([
    fetchBytes(urls.sqlite),
    fetchBytes(urls.trampolines),
  ]);
  const modules = await Promise.all([
    WebAssembly.compile(sqlite),
    WebAssembly.compile(trampolines),
  ]);
  return createSqliteEngine({
    sqlite: modules[0],
    trampolines: modules[1],
    hash: bytesToHex(sha256(sqlite)),
  });
}

async function fetchBytes(url: string | URL): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
