import { describe, expect, test } from 'vitest';
import { environmentLayer, flagLayer, mergeLayers, tomlLayer } from './layers.ts';

describe('TOML', () => {
  test('tables, amounts with units, a line for every key', () => {
    const text = [
      '# a node',
      'id = 2',
      'listen = false',
      'heartbeatMs = "0.2s"',
      '',
      '[nodes]',
      '1 = "http://127.0.0.1:4001"',
      '2 = "http://127.0.0.1:4002"',
      '[limits]',
      'maxBodyBytes = "8MiB"',
      '[checkpoint]',
      'bytes = "64 MiB"',
    ].join('\n');
    const layer = tomlLayer(text, 'q.toml');
    expect(layer.values).toEqual({
      id: 2,
      listen: false,
      heartbeatMs: 200,
      nodes: { 1: 'http://127.0.0.1:4001', 2: 'http://127.0.0.1:4002' },
      limits: { maxBodyBytes: 8 * 1024 * 1024 },
      checkpoint: { bytes: 64 * 1024 * 1024 },
    });
    expect(layer.origins).toMatchObject({ id: 'q.toml:2', nodes: 'q.toml:6', limits: 'q.toml:9' });
  });

  test('an unknown key names line and nearest', () => {
    expect(() => tomlLayer('id = 1\ndata-dir = "x"', 'q.toml')).toThrow(
      'unknown key "data-dir" in q.toml:2; did you mean dataDir?',
    );
  });

  test('bad syntax names the line', () => {
    expect(() => tomlLayer('id = 1\nsync =', 'q.toml')).toThrow(/^q\.toml:2: /);
  });
});

describe('environment', () => {
  test('reads every key by its name, id by QUORLITE_NODE_ID', () => {
    const layer = environmentLayer({
      QUORLITE_NODE_ID: '3',
      QUORLITE_NODES: '1=http://a:1,3=http://b:1',
      QUORLITE_EXPECT_EXISTING: 'yes',
      QUORLITE_FOUND_WITH: '1, 3',
      QUORLITE_LIMITS: 'maxBodyBytes=1MiB,readDeadlineMs=2s',
      QUORLITE_DATA_DIR: '',
      HOME: '/root',
    });
    expect(layer.values).toEqual({
      id: 3,
      nodes: { 1: 'http://a:1', 3: 'http://b:1' },
      expectExisting: true,
      foundWith: [1, 3],
      limits: { maxBodyBytes: 1024 * 1024, readDeadlineMs: 2000 },
    });
    expect(layer.origins['id']).toBe('environment QUORLITE_NODE_ID');
  });

  test('an unknown variable is an error, what Kubernetes adds is not', () => {
    expect(() => environmentLayer({ QUORLITE_DATADIR: 'x' })).toThrow(
      /unknown environment variable QUORLITE_DATADIR; did you mean QUORLITE_DATA_DIR/,
    );
    const links = {
      QUORLITE_SERVICE_HOST: '10.0.0.1',
      QUORLITE_SERVICE_PORT_HTTP: '4001',
      QUORLITE_PORT: 'tcp://10.0.0.1:4001',
      QUORLITE_PORT_4001_TCP_ADDR: '10.0.0.1',
    };
    expect(environmentLayer(links).values).toEqual({});
  });

  test('a bad value names its variable', () => {
    expect(() => environmentLayer({ QUORLITE_SYNC: 'never' })).toThrow(
      /sync must be .*\(from environment QUORLITE_SYNC\)$/,
    );
    expect(() => environmentLayer({ QUORLITE_NODES: '1=http://a,1=http://b' })).toThrow(
      /each number once/,
    );
  });
});

test('one log flag says level and format', () => {
  expect(flagLayer({ log: 'json,debug' }).values).toEqual({ logFormat: 'json', log: 'debug' });
  expect(flagLayer({ log: 'pretty' }).values).toEqual({ logFormat: 'pretty' });
  expect(() => flagLayer({ log: 'loud' })).toThrow(/log must be one of debug.*flag --log/);
});

test('flags go over environment over TOML; named numbers merge one by one', () => {
  const { config, origins } = mergeLayers([
    flagLayer({ id: '1', limits: 'maxNesting=9' }),
    environmentLayer({ QUORLITE_NODE_ID: '2', QUORLITE_SYNC: 'os' }),
    tomlLayer(
      'id = 3\nsync = "durable"\nrole = "learner"\n[limits]\nmaxNesting = 8\nmaxPendingReads = 7',
      't',
    ),
  ]);
  expect(config).toEqual({
    id: 1,
    sync: 'os',
    role: 'learner',
    limits: { maxNesting: 9, maxPendingReads: 7 },
  });
  expect(origins).toEqual({
    id: 'flag --id',
    sync: 'environment QUORLITE_SYNC',
    role: 't:3',
    limits: 'flag --limits, t:4',
  });
});
