/** Every configuration key of a node: one table for TOML, environment, flags, help and `config init`. */
import { NODE_LIMITS } from './limits.ts';
import type { NodeConfig } from './node-config.ts';
import {
  addressValue,
  booleanValue,
  integerValue,
  listValue,
  nodesValue,
  recordValue,
  show,
  textValue,
  type ValueKind,
  wordValue,
} from './values.ts';

/** One key. */
export interface KeySpec extends ValueKind {
  readonly help: string;
  /** Never shown. */
  readonly secret?: boolean;
}

/** Fewest characters of a secret. */
export const MIN_SECRET_LENGTH = 16;

/** Largest number of a node. */
export const MAX_NODE_ID = 999_999_999;

const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'];

/** All keys, in the order in which they are documented. */
export const CONFIG_KEYS: { readonly [K in keyof NodeConfig]-?: KeySpec } = {
  id: { ...idKind(), help: "number of this node in nodes, or 'hostname' for its ordinal plus 1" },
  nodes: { ...nodesValue, help: 'every configured member: number and URL of its single port' },
  listen: { ...addressValue(true), help: 'where to bind (false: no socket)' },
  listenRaft: { ...addressValue(false), help: 'a port of its own for the other nodes' },
  advertise: { ...urlKind(), help: 'URL that others use to reach this node' },
  dataDir: { ...textValue('DIR'), help: 'folder of the log and the checkpoints' },
  storage: { ...wordValue(['file', 'memory']), help: 'memory keeps nothing: for tests and demos' },
  sync: { ...syncKind(), help: 'when a write counts as stored' },
  engine: { ...engineKind(), help: 'SQL engine, equal on all nodes' },
  secretRaft: { ...secretKind(), secret: true, help: 'authenticates nodes to each other' },
  secretApi: { ...secretKind(), secret: true, help: 'the all-powerful API token' },
  role: { ...wordValue(['voter', 'learner']), help: 'learners follow without voting' },
  origins: { ...listValue('URL,…', originKind()), help: 'origins that may call from a browser' },
  expectExisting: { ...booleanValue, help: 'never found a new cluster' },
  foundWith: {
    ...listValue('1,2', integerValue(1, MAX_NODE_ID)),
    help: 'found with fewer than all nodes: two clusters become possible',
  },
  heartbeatMs: { ...integerValue(5, 60_000, 'ms'), help: 'pause between heartbeats of the leader' },
  electionMs: {
    ...integerValue(15, 600_000, 'ms'),
    help: 'silence after which a follower stands for election (to twice this)',
  },
  checkpoint: { ...checkpointKind(), help: 'how much log, and time, between checkpoints' },
  limits: { ...limitsKind(), help: "this node's queues, bodies, sockets and deadlines" },
  log: { ...logKind(), help: 'level (debug, info, warn, error, silent) and format (json, pretty)' },
  logFormat: { ...wordValue(['json', 'pretty']), help: 'how log lines are written' },
  logStatements: { ...booleanValue, help: 'log every statement' },
  slowQueryMs: { ...integerValue(0, 86_400_000, 'ms'), help: 'log statements slower than this' },
};

/** Name of a key. */
export type ConfigKey = keyof NodeConfig;

/** All names, in documented order. */
export const CONFIG_KEY_NAMES: readonly ConfigKey[] = Object.keys(CONFIG_KEYS) as ConfigKey[];

/** Whether `name` is a key. */
export function isConfigKey(name: string): name is ConfigKey {
  return Object.hasOwn(CONFIG_KEYS, name);
}

/** `dataDir` → `data-dir`. */
export function flagName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `dataDir` → `QUORLITE_DATA_DIR`; `id` is `QUORLITE_NODE_ID`. */
export function environmentName(key: ConfigKey): string {
  if (key === 'id') return 'QUORLITE_NODE_ID';
  return `QUORLITE_${flagName(key).toUpperCase().replaceAll('-', '_')}`;
}

function idKind(): ValueKind {
  const number = integerValue(1, MAX_NODE_ID);
  return {
    shape: 'N|hostname',
    read: (text) => (text === 'hostname' ? text : number.read(text)),
    check: (value) =>
      value === 'hostname' || number.check(value) === null
        ? null
        : `must be a number from 1 or 'hostname', not ${show(value)}`,
  };
}

function urlKind(): ValueKind {
  return {
    shape: 'URL',
    read: (text) => text,
    check: (value) => {
      const problem = nodesValue.check({ 1: value });
      return problem === null ? null : problem.replace(/^\.1:? /, 'is wrong: ');
    },
  };
}

function originKind(): ValueKind {
  return {
    shape: 'URL',
    read: (text) => text,
    check: (value) =>
      value === '*' || (typeof value === 'string' && /^https?:\/\/[^/?#\s]+$/.test(value))
        ? null
        : `must be origins such as https://app.example.com (no path), not ${show(value)}`,
  };
}

function syncKind(): ValueKind {
  return {
    shape: 'durable|interval:200ms|os',
    read: (text) => text,
    check: (value) =>
      typeof value === 'string' && /^(durable|os|interval:[1-9]\d{0,5}ms)$/.test(value)
        ? null
        : `must be durable, interval:200ms (any number of ms) or os, not ${show(value)}`,
  };
}

function engineKind(): ValueKind {
  const names = wordValue(['sqlite', 'sqljs']);
  return {
    ...names,
    check: (value) => (typeof value === 'object' && value !== null ? null : names.check(value)),
  };
}

function secretKind(): ValueKind {
  return {
    shape: `TEXT|file:PATH|env:NAME`,
    read: (text) => text,
    // The value itself must never appear in a message.
    check: (value) =>
      typeof value !== 'string'
        ? 'must be a text'
        : /^(file|env):./.test(value) || value.length >= MIN_SECRET_LENGTH
          ? null
          : `must have at least ${MIN_SECRET_LENGTH} characters, or be file:PATH or env:NAME`,
  };
}

function checkpointKind(): ValueKind {
  return recordValue('bytes=8MiB,ms=60000', {
    bytes: integerValue(65_536, 1024 ** 4, 'bytes'),
    ms: integerValue(100, 86_400_000, 'ms'),
  });
}

function limitsKind(): ValueKind {
  const kinds = Object.entries(NODE_LIMITS).map(([name, { min, max, unit }]) => {
    const kind = unit === 'bytes' || unit === 'ms' ? unit : 'plain';
    return [name, integerValue(min, max, kind)] as const;
  });
  return recordValue('NAME=N,…', Object.fromEntries(kinds));
}

function logKind(): ValueKind {
  const levels = wordValue(LEVELS);
  return {
    shape: 'LEVEL,FORMAT',
    read: (text) => text,
    check: (value) => (typeof value === 'object' && value !== null ? null : levels.check(value)),
  };
}
