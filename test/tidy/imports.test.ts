/** Imports point one way: who may see whom. */
import { posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import { importsOf, listFiles, readSource } from './source.ts';

/** Rooms by the beginning of their paths; the longest beginning decides. */
const ROOMS: { readonly [beginning: string]: string } = {
  'src/wire/': 'wire',
  'src/raft/': 'raft',
  'src/platform/': 'platform',
  'src/storage/': 'storage',
  'src/transport/': 'transport',
  'src/state-machine/': 'state-machine',
  'src/node/': 'node',
  'src/client/': 'client',
  'src/client/embedded': 'embedded',
  'src/client/remote/': 'remote',
  'src/api/': 'api',
  'src/cli/': 'cli',
  'src/config/': 'config',
  'src/telemetry/': 'telemetry',
  'src/runtime/': 'runtime',
  'src/runtime/virtual/': 'virtual',
  'src/exports/client.ts': 'client-entry',
  'src/exports/node.ts': 'entry',
  'src/index.ts': 'entry',
  'src/deno.ts': 'entry',
  'src/bun.ts': 'entry',
  'src/browser.ts': 'entry',
  'src/client.ts': 'client-entry',
  'src/worker.ts': 'entry',
  'src/sqljs': 'entry',
  'wasm/': 'engines',
  'wasm/engine.ts': 'engine',
  'wasm/limits.ts': 'engine',
  'wasm/page-store.ts': 'engine',
  'wasm/page-store/': 'page-stores',
  'worker/': 'worker',
};

const BASE = ['wire', 'raft', 'platform', 'storage', 'transport', 'engine', 'state-machine'];
const SHARED = [
  ...BASE,
  'page-stores',
  'config',
  'telemetry',
  'node',
  'client',
  'embedded',
  'remote',
  'api',
];

/** Rooms whose code a room may use. */
const USES: { readonly [room: string]: readonly string[] } = {
  wire: [],
  raft: ['wire'],
  platform: ['wire', 'raft'],
  engine: [],
  'page-stores': ['engine', 'wire'],
  engines: ['engine', 'page-stores', 'wire'],
  config: ['wire'],
  telemetry: ['wire'],
  storage: ['wire', 'raft', 'platform', 'engine', 'config'],
  transport: ['wire', 'raft', 'platform', 'config', 'telemetry'],
  'state-machine': ['wire', 'engine', 'page-stores', 'storage', 'config'],
  node: [...BASE, 'config', 'telemetry'],
  client: ['wire'],
  // The parts of the client's room see `wire` alone too.
  remote: ['wire', 'client'],
  embedded: [...BASE, 'config', 'telemetry', 'node', 'client'],
  api: [...BASE, 'config', 'telemetry', 'node', 'client', 'embedded'],
  virtual: [...SHARED, 'engines'],
  runtime: [...SHARED, 'engines'],
  'client-entry': ['wire', 'client', 'remote'],
  worker: [...SHARED, 'engines', 'runtime', 'entry'],
  cli: [...SHARED, 'engines', 'runtime'],
  entry: [...SHARED, 'engines', 'runtime', 'client-entry'],
};

/** Rooms of which a room may know the types, besides those that it uses. */
const SEES: { readonly [room: string]: readonly string[] } = {
  config: ['engine', 'storage', 'telemetry'],
  telemetry: ['node', 'config'],
  storage: ['telemetry'],
  'state-machine': ['telemetry', 'platform'],
  client: ['node'],
  remote: ['node', 'platform', 'telemetry'],
  'client-entry': ['node'],
};

function roomOf(path: string): string {
  const beginnings = Object.keys(ROOMS).filter((beginning) => path.startsWith(beginning));
  const longest = beginnings.sort((a, b) => b.length - a.length)[0];
  return longest === undefined ? path : ROOMS[longest]!;
}

describe('imports point one way', () => {
  const files = listFiles(['src', 'wasm', 'worker']).filter((path) => !path.endsWith('.test.ts'));

  test('every file belongs to a room', () => {
    expect(files.filter((path) => USES[roomOf(path)] === undefined)).toEqual([]);
  });

  test('no file sees a room that it must not', () => {
    const wrong: string[] = [];
    for (const path of files) {
      const room = roomOf(path);
      for (const { specifier, typeOnly, line } of importsOf(readSource(path))) {
        if (!specifier.startsWith('.')) continue;
        const target = roomOf(posix.normalize(posix.join(posix.dirname(path), specifier)));
        const used = target === room || USES[room]?.includes(target);
        const seen = typeOnly && SEES[room]?.includes(target);
        if (!used && !seen) wrong.push(`${path}:${line} imports ${specifier}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('paths are explicit: relative imports end in .ts or name an asset', () => {
    const wrong: string[] = [];
    for (const path of listFiles(['src', 'wasm', 'worker', 'test', 'bench', 'examples'])) {
      for (const { specifier, line } of importsOf(readSource(path))) {
        if (specifier.startsWith('.') && !/\.(ts|tsx|wasm|json|mjs|js)$/.test(specifier)) {
          wrong.push(`${path}:${line} imports ${specifier}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  test('the remote client reaches nothing but wire and the shared parts of the client', () => {
    const seen = new Set<string>();
    const queue = files.filter((path) => roomOf(path) === 'remote');
    for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
      if (seen.has(path)) continue;
      seen.add(path);
      for (const { specifier, typeOnly } of importsOf(readSource(path))) {
        if (typeOnly || !specifier.startsWith('.')) continue;
        queue.push(posix.normalize(posix.join(posix.dirname(path), specifier)));
      }
    }
    const rooms = new Set([...seen].map(roomOf));
    expect([...rooms].filter((room) => !['remote', 'wire', 'client'].includes(room))).toEqual([]);
  });
});
