import { expect, test } from 'vitest';
import { loadSqliteEngine } from '../../../wasm/load/node.ts';
import { SQLITE_HASH } from '../../../wasm/load/sqlite-hash.ts';
import { configOfEnvironment, resolveObjectConfig } from './config.ts';

const SECRETS = { secretRaft: 'x'.repeat(16), secretApi: 'y'.repeat(16) };

test('variables are configuration, bindings are not', () => {
  const env = { QUORLITE: { get: () => {} }, QUORLITE_LOG: 'warn', OTHER: 'x' };
  expect(configOfEnvironment(env)).toEqual({ log: 'warn' });
  expect(() => configOfEnvironment({ QUORLITE_LOGG: 'warn' })).toThrow(/QUORLITE_LOGG/);
});

test('a database on its own needs no configuration', () => {
  const { id, limits, nodes, listen } = resolveObjectConfig({}, 1);
  expect({ id, listen, nodes }).toEqual({ id: 1, listen: null, nodes: [{ id: 1, url: '' }] });
  expect(limits.pageCacheBytes).toBeGreaterThan(0);
  expect(resolveObjectConfig({ limits: { pageCacheBytes: 2 ** 20 } }, 1).limits).toMatchObject({
    pageCacheBytes: 2 ** 20,
    maxBodyBytes: limits.maxBodyBytes,
  });
});

test("a node's URL has the path that leads to its object", () => {
  const nodes = { 1: 'https://db.example.com', 2: 'https://other.example.com' };
  expect(() => resolveObjectConfig({ ...SECRETS, nodes }, 1)).toThrow(
    /must be https:\/\/db.example.com\/nodes\/1,/,
  );
  const right = { ...nodes, 1: 'https://db.example.com/nodes/1' };
  expect(resolveObjectConfig({ ...SECRETS, nodes: right }, 1).advertise).toBe(right[1]);
});

test('who can be reached needs secrets', () => {
  const here = { 1: 'http://127.0.0.1:8787/nodes/1' };
  expect(resolveObjectConfig({ nodes: here }, 1).secretApi).toBe(null);
  const there = { 1: 'https://db.example.com/nodes/1' };
  expect(() => resolveObjectConfig({ nodes: there }, 1)).toThrow(
    /QUORLITE_SECRET_API and QUORLITE_SECRET_RAFT/,
  );
  const mixed = { ...here, 2: 'https://other.example.com' };
  expect(() => resolveObjectConfig({ nodes: mixed }, 1)).toThrow(/QUORLITE_SECRET_RAFT/);
});

test('the hash of the engine is that of the file', () => {
  expect(SQLITE_HASH).toBe(loadSqliteEngine().id.hash);
});
