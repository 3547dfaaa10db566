import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { QuorliteError } from '../wire/error.ts';
import { DEFAULT_LISTEN } from './address.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import type { NodeConfig } from './node-config.ts';
import { resolveConfig } from './resolve.ts';

const THREE = {
  1: 'http://127.0.0.1:4001',
  2: 'http://127.0.0.1:4002',
  3: 'http://127.0.0.1:4003',
};
const SECRETS = { secretRaft: 'r'.repeat(16), secretApi: 'a'.repeat(16) };

function refusal(config: NodeConfig, context = {}): QuorliteError {
  try {
    resolveConfig(config, context);
  } catch (error) {
    expect(error).toBeInstanceOf(QuorliteError);
    expect((error as QuorliteError).code).toBe('CONFIG_INVALID');
    return error as QuorliteError;
  }
  throw new Error(`accepted: ${JSON.stringify(config)}`);
}

describe('defaults', () => {
  test('code without anything: node 1, no socket', () => {
    const config = resolveConfig({});
    expect(config).toMatchObject({
      id: 1,
      listen: null,
      listenRaft: null,
      advertise: '',
      nodes: [{ id: 1, url: '' }],
      dataDir: './data/node-1',
      sync: { mode: 'durable' },
      engine: 'sqlite',
      role: 'voter',
      heartbeatMs: 150,
      electionMs: 1000,
      checkpoint: { bytes: 8 * 1024 * 1024, ms: 60_000 },
      foundWith: null,
      warnings: [],
    });
    expect(config.limits).toEqual(DEFAULT_LIMITS);
  });

  test('a server without nodes listens on loopback and is reached there', () => {
    const config = resolveConfig({}, { defaultListen: DEFAULT_LISTEN });
    expect(config.listen).toEqual({ host: '127.0.0.1', port: 4001 });
    expect(config.nodes).toEqual([{ id: 1, url: 'http://127.0.0.1:4001' }]);
  });

  test('with nodes it listens at its own URL when that is loopback', () => {
    const config = resolveConfig({ id: 2, nodes: THREE });
    expect(config.listen).toEqual({ host: '127.0.0.1', port: 4002 });
    expect(config.advertise).toBe('http://127.0.0.1:4002');
    expect(config.nodes.map((node) => node.id)).toEqual([1, 2, 3]);
  });

  test('with another URL it listens on 127.0.0.1:4001 and says so', () => {
    const config = resolveConfig({ nodes: { 1: 'http://10.0.0.1:4009/' } });
    expect(config.listen).toEqual(DEFAULT_LISTEN);
    expect(config.advertise).toBe('http://10.0.0.1:4009');
    expect(config.warnings.join()).toMatch(/set listen/);
  });

  test('listen: false is no socket, also with nodes', () => {
    expect(resolveConfig({ id: 1, nodes: THREE, listen: false }).listen).toBeNull();
  });
});

describe('identity', () => {
  test('several nodes need an id', () => {
    const error = refusal({ nodes: THREE });
    expect(error.message).toMatch(/id is missing: which of the nodes 1, 2, 3/);
    expect(error.hint).toMatch(/QUORLITE_NODE_ID/);
  });

  test('an id outside nodes needs a URL of its own', () => {
    expect(refusal({ id: 4, nodes: THREE }).hint).toMatch(/advertise/);
    const joining = { id: 4, nodes: THREE, advertise: 'http://127.0.0.1:4004' };
    expect(resolveConfig(joining)).toMatchObject({ id: 4, advertise: 'http://127.0.0.1:4004' });
  });

  test('hostname: the ordinal plus 1', () => {
    const config: NodeConfig = { id: 'hostname', nodes: THREE };
    expect(resolveConfig(config, { hostname: () => 'db-2.db.default.svc' }).id).toBe(3);
    expect(refusal(config, { hostname: () => 'laptop' }).message).toMatch(/"laptop" ends in no/);
  });
});

describe('exposure', () => {
  test.each(['0.0.0.0:4001', '10.0.0.1:4001', '[::]:4001', 'db.example.com:4001'])(
    '%s needs both secrets',
    (listen) => {
      expect(refusal({ listen }).message).toMatch(/secretRaft and secretApi are not set/);
      expect(refusal({ listen, secretRaft: SECRETS.secretRaft }).message).toMatch(
        /secretApi is not set/,
      );
      expect(resolveConfig({ listen, ...SECRETS }).listen).not.toBeNull();
    },
  );

  test.each(['127.0.0.1:0', 'localhost:4001', '[::1]:4001', '4005'])('%s needs none', (listen) => {
    expect(resolveConfig({ listen }).listen).not.toBeNull();
  });

  test('a Raft listener is exposed too', () => {
    expect(refusal({ listenRaft: '0.0.0.0:5001' }).message).toMatch(/^listenRaft is 0\.0\.0\.0/);
  });
});

describe('secrets', () => {
  test('are long, and never shown', () => {
    const error = refusal({ secretApi: 'hunter2' });
    expect(error.message).toMatch(/at least 16 characters/);
    expect(error.message).not.toMatch(/hunter2/);
  });

  test('a reference is resolved by the runtime, and its secret is checked', () => {
    const read = (reference: string) => (reference === 'env:LONG' ? 'x'.repeat(20) : 'short');
    expect(resolveConfig({ secretApi: 'env:LONG' }, { readSecret: read }).secretApi).toHaveLength(
      20,
    );
    expect(refusal({ secretApi: 'file:/s' }, { readSecret: read }).message).toMatch(/file:\/s/);
    expect(refusal({ secretApi: 'file:/s' }).message).toMatch(/in this runtime/);
  });
});

describe('refusals name key, value and fix', () => {
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ dataDri: 'x' }, /unknown key "dataDri"; did you mean dataDir\?/],
    [{ sync: 'interval' }, /sync must be durable, interval:200ms/],
    [{ role: 'vote' }, /did you mean voter\?/],
    [{ nodes: {} }, /at least one node/],
    [{ nodes: { 0: 'http://a' } }, /numbered from 1, not "0"/],
    [{ nodes: { 1: 'ftp://a' } }, /must begin with http/],
    [{ nodes: { 1: 'http://a:1', 2: 'http://a:1/' } }, /1 and 2 the same URL/],
    [{ nodes: { 1: 'http://u:p@a' } }, /must not carry a user/],
    [{ listen: 'nowhere' }, /listen must be HOST:PORT/],
    [{ listen: '127.0.0.1:70000' }, /listen must be HOST:PORT/],
    [{ heartbeatMs: 500 }, /heartbeatMs leaves too little room/],
    [{ heartbeatMs: 1.5 }, /must be a whole number/],
    [{ limits: { maxBodyByte: 5000 } }, /limits has no "maxBodyByte"; did you mean maxBodyBytes\?/],
    [{ limits: { maxBodyBytes: -1 } }, /limits\.maxBodyBytes must be a whole number/],
    [{ foundWith: [7], nodes: THREE, id: 1 }, /names node 7/],
    [{ foundWith: [1], expectExisting: true }, /contradicts expectExisting/],
    [{ origins: ['https://a.example/path'] }, /no path/],
    [{ checkpoint: { bytes: 5 } }, /checkpoint\.bytes must be/],
  ];
  test.each(cases)('%j', (config, message) => {
    expect(refusal(config as NodeConfig).message).toMatch(message);
  });

  test('the origin is part of the message', () => {
    const origins = { sync: 'quorlite.toml:3' };
    expect(refusal({ sync: 'x' as 'os' }, { origins }).message).toMatch(
      /\(from quorlite.toml:3\)$/,
    );
  });
});

test('even clusters and tight timings are warned about', () => {
  const two = { 1: THREE[1], 2: THREE[2] };
  expect(resolveConfig({ id: 1, nodes: two }).warnings.join()).toMatch(/two nodes/);
  expect(resolveConfig({ electionMs: 600 }).warnings.join()).toMatch(/two lost heartbeats/);
});

test('every limit is read by somebody: one that is not would be a lie', () => {
  const folders = ['api', 'node', 'runtime', 'state-machine', 'transport', 'storage', 'cli'];
  const text = folders
    .map((folder) => join(import.meta.dirname, '..', folder))
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
        .map((name) => readFileSync(join(folder, name), 'utf8')),
    )
    .join('\n');
  const unread = Object.keys(DEFAULT_LIMITS).filter((name) => !text.includes(name));
  expect(unread).toEqual([]);
});
