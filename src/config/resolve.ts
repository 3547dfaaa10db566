/** From what somebody wrote to a complete, checked configuration. */

import type { Engine } from '../../wasm/engine.ts';
import type { SyncMode } from '../storage/contract.ts';
import type { Logger, LogLevel } from '../telemetry/logger.ts';
import { QuorliteError } from '../wire/error.ts';
import { didYouMean } from '../wire/nearest.ts';
import {
  addressOfUrl,
  DEFAULT_LISTEN,
  formatHostPort,
  type HostPort,
  isLoopback,
  parseHostPort,
  parseNodeUrl,
} from './address.ts';
import { CONFIG_KEY_NAMES, CONFIG_KEYS, isConfigKey, MIN_SECRET_LENGTH } from './keys.ts';
import { type NodeLimits, resolveLimits } from './limits.ts';
import type { NodeConfig } from './node-config.ts';
import { configError, type Origins } from './problem.ts';

/** One member of `nodes`. */
export interface ConfiguredNode {
  readonly id: number;
  /** Without a trailing slash. */
  readonly url: string;
}

/** Everything decided. */
export interface ResolvedConfig {
  readonly id: number;
  /** Ascending by id; at least this node itself, unless it joins by `advertise`. */
  readonly nodes: readonly ConfiguredNode[];
  /** Null: no socket. */
  readonly listen: HostPort | null;
  /** Null: the same port as `listen`. */
  readonly listenRaft: HostPort | null;
  /** URL that others use, without a trailing slash; '' when nobody can dial this node. */
  readonly advertise: string;
  readonly dataDir: string;
  readonly storage: 'file' | 'memory';
  readonly sync: SyncMode;
  readonly engine: 'sqlite' | 'sqljs' | Engine;
  /** The secrets themselves, or null. */
  readonly secretRaft: string | null;
  readonly secretApi: string | null;
  readonly role: 'voter' | 'learner';
  readonly origins: readonly string[];
  readonly expectExisting: boolean;
  /** Numbers that suffice for founding; null: all. */
  readonly foundWith: readonly number[] | null;
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly checkpoint: { readonly bytes: number; readonly ms: number };
  readonly limits: NodeLimits;
  readonly log: LogLevel | Logger;
  /** Null: the runtime decides. */
  readonly logFormat: 'json' | 'pretty' | null;
  readonly logStatements: boolean;
  readonly slowQueryMs: number;
  /** Sentences about settings that work and are probably not meant. */
  readonly warnings: readonly string[];
}

/** What the runtime tells of its surroundings. */
export interface ResolveContext {
  /** Where each value came from, for messages. */
  readonly origins?: Origins | undefined;
  /** For `id: 'hostname'`. */
  hostname?(): string;
  /** Turns `file:PATH` and `env:NAME` into the secret; without it these two forms are refused. */
  readSecret?(reference: string, key: string): string;
  /** Where a node without `nodes` and `listen` listens; default: nowhere. */
  readonly defaultListen?: HostPort | undefined;
}

const DEFAULT_SLOW_QUERY_MS = 1000;

/**
 * Checks `config` and fills in defaults. Throws `CONFIG_INVALID`, its message naming key, problem, origin and fix.
 *
 * @example
 * const { id, listen } = resolveConfig({ id: 2, nodes: { 1: 'http://127.0.0.1:4001', 2: 'http://127.0.0.1:4002' } });
 */
export function resolveConfig(config: NodeConfig, context: ResolveContext = {}): ResolvedConfig {
  const { origins } = context;
  checkValues(config, origins);
  const nodes = sortedNodes(config);
  const id = resolveId(config, nodes, context);
  const own = nodes.find((node) => node.id === id)?.url;
  const listen = resolveListen(config, own, context);
  const listenRaft = config.listenRaft === undefined ? null : parseHostPort(config.listenRaft)!;
  const advertise = resolveAdvertise(config, own, listen);
  const secretRaft = resolveSecret('secretRaft', config.secretRaft, context);
  const secretApi = resolveSecret('secretApi', config.secretApi, context);
  checkExposure(listen, 'listen', secretRaft, secretApi, origins);
  checkExposure(listenRaft, 'listenRaft', secretRaft, secretApi, origins);
  checkFoundWith(config, nodes, origins);
  const { heartbeatMs, electionMs } = resolveTiming(config, origins);
  return {
    id,
    nodes: nodes.length > 0 ? nodes : [{ id, url: advertise }],
    listen,
    listenRaft,
    advertise,
    dataDir: config.dataDir ?? `./data/node-${id}`,
    storage: config.storage ?? 'file',
    sync: resolveSync(config.sync ?? 'durable'),
    engine: config.engine ?? 'sqlite',
    secretRaft,
    secretApi,
    role: config.role ?? 'voter',
    origins: config.origins ?? [],
    expectExisting: config.expectExisting ?? false,
    foundWith: config.foundWith ?? null,
    heartbeatMs,
    electionMs,
    checkpoint: {
      bytes: config.checkpoint?.bytes ?? 8 * 1024 * 1024,
      ms: config.checkpoint?.ms ?? 60_000,
    },
    limits: resolveLimits(config.limits),
    log: config.log ?? 'info',
    logFormat: config.logFormat ?? null,
    logStatements: config.logStatements ?? false,
    slowQueryMs: config.slowQueryMs ?? DEFAULT_SLOW_QUERY_MS,
    warnings: findWarnings(config, { own, listen, advertise, nodes, heartbeatMs, electionMs }),
  };
}

function checkValues(config: NodeConfig, origins: Origins | undefined): void {
  for (const [key, value] of Object.entries(config)) {
    if (!isConfigKey(key)) {
      const near = didYouMean(key, CONFIG_KEY_NAMES);
      throw new QuorliteError('CONFIG_INVALID', `unknown key "${key}"${near}`);
    }
    if (value === undefined) continue;
    const problem = CONFIG_KEYS[key].check(value);
    if (problem !== null) throw configError(key, problem, { origins });
  }
}

function sortedNodes(config: NodeConfig): readonly ConfiguredNode[] {
  return Object.entries(config.nodes ?? {})
    .map(([id, text]) => {
      const parsed = parseNodeUrl(text);
      return { id: Number(id), url: 'url' in parsed ? parsed.url : text };
    })
    .sort((a, b) => a.id - b.id);
}

function resolveId(
  config: NodeConfig,
  nodes: readonly ConfiguredNode[],
  context: ResolveContext,
): number {
  const { origins } = context;
  const numbers = nodes.map((node) => node.id).join(', ');
  if (config.id === undefined && nodes.length > 1) {
    throw configError('id', `is missing: which of the nodes ${numbers} is this one?`, {
      origins,
      hint: "set id (flag --id, environment QUORLITE_NODE_ID), or 'hostname' in a StatefulSet",
    });
  }
  const id = config.id === 'hostname' ? hostOrdinal(context) : (config.id ?? nodes[0]?.id ?? 1);
  const listed = nodes.length === 0 || nodes.some((node) => node.id === id);
  if (!listed && config.advertise === undefined) {
    throw configError('id', `is ${id}, but nodes names only ${numbers}`, {
      origins,
      hint: `add ${id}=URL to nodes, or set advertise to the URL at which others reach this node`,
    });
  }
  return id;
}

function hostOrdinal(context: ResolveContext): number {
  const name = context.hostname?.() ?? '';
  const match = /(\d{1,8})$/.exec(name.split('.')[0]!);
  if (match !== null) return Number(match[1]) + 1;
  throw configError('id', `is 'hostname', but the host name "${name}" ends in no number`, {
    origins: context.origins,
    hint: 'set id to the number of this node in nodes',
  });
}

function resolveListen(
  config: NodeConfig,
  own: string | undefined,
  context: ResolveContext,
): HostPort | null {
  if (config.listen === false) return null;
  if (config.listen !== undefined) return parseHostPort(config.listen)!;
  if (own !== undefined) {
    const address = addressOfUrl(own);
    return isLoopback(address.host) ? address : DEFAULT_LISTEN;
  }
  if (config.nodes !== undefined) return DEFAULT_LISTEN;
  return context.defaultListen ?? null;
}

function resolveAdvertise(
  config: NodeConfig,
  own: string | undefined,
  listen: HostPort | null,
): string {
  const text = config.advertise ?? own;
  if (text !== undefined) {
    const parsed = parseNodeUrl(text);
    return 'url' in parsed ? parsed.url : text;
  }
  return listen === null ? '' : `http://${formatHostPort(listen)}`;
}

function resolveSecret(
  key: 'secretRaft' | 'secretApi',
  given: string | undefined,
  context: ResolveContext,
): string | null {
  if (given === undefined) return null;
  if (!/^(file|env):/.test(given)) return given;
  if (context.readSecret === undefined) {
    throw configError(key, 'must be the secret itself in this runtime, not file: or env:', context);
  }
  const secret = context.readSecret(given, key);
  if (secret.length >= MIN_SECRET_LENGTH) return secret;
  throw configError(key, `(${given}) must have at least ${MIN_SECRET_LENGTH} characters`, {
    origins: context.origins,
    hint: 'quorlite config init makes random ones',
  });
}

/** Whoever can reach the port of a node without secrets owns its data. */
function checkExposure(
  address: HostPort | null,
  key: string,
  secretRaft: string | null,
  secretApi: string | null,
  origins: Origins | undefined,
): void {
  if (address === null || isLoopback(address.host)) return;
  if (secretRaft !== null && secretApi !== null) return;
  const missing = [
    secretRaft === null ? 'secretRaft' : '',
    secretApi === null ? 'secretApi' : '',
  ].filter((name) => name !== '');
  throw configError(
    key,
    `is ${formatHostPort(address)}, which other machines can reach, but ${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} not set`,
    {
      origins,
      hint: 'set both secrets (quorlite config init makes random ones), or listen on 127.0.0.1',
    },
  );
}

function checkFoundWith(
  config: NodeConfig,
  nodes: readonly ConfiguredNode[],
  origins: Origins | undefined,
): void {
  if (config.foundWith === undefined) return;
  if (config.expectExisting === true) {
    throw configError('foundWith', 'contradicts expectExisting: found a cluster or never', {
      origins,
    });
  }
  if (config.foundWith.length === 0) {
    throw configError('foundWith', 'must name at least one node', { origins });
  }
  for (const id of config.foundWith) {
    if (nodes.length > 0 && !nodes.some((node) => node.id === id)) {
      throw configError('foundWith', `names node ${id}, which is not in nodes`, { origins });
    }
  }
}

function resolveSync(text: string): SyncMode {
  if (text === 'durable' || text === 'os') return { mode: text };
  return { mode: 'interval', ms: Number(/\d+/.exec(text)![0]) };
}

function resolveTiming(
  config: NodeConfig,
  origins: Origins | undefined,
): { readonly heartbeatMs: number; readonly electionMs: number } {
  const heartbeatMs = config.heartbeatMs ?? 150;
  const electionMs = config.electionMs ?? 1000;
  if (electionMs >= 3 * heartbeatMs) return { heartbeatMs, electionMs };
  const key = config.electionMs === undefined ? 'heartbeatMs' : 'electionMs';
  const values = `electionMs ${electionMs}, heartbeatMs ${heartbeatMs}`;
  throw configError(key, `leaves too little room: ${values}`, {
    origins,
    hint: 'electionMs must be at least 3 times heartbeatMs, better 6 times',
  });
}

function findWarnings(
  config: NodeConfig,
  found: {
    readonly own: string | undefined;
    readonly listen: HostPort | null;
    readonly advertise: string;
    readonly nodes: readonly ConfiguredNode[];
    readonly heartbeatMs: number;
    readonly electionMs: number;
  },
): readonly string[] {
  const warnings: string[] = [];
  const { own, listen, nodes } = found;
  if (own !== undefined && listen !== null && config.listen === undefined) {
    if (!isLoopback(addressOfUrl(own).host)) {
      warnings.push(
        `others reach this node at ${own}, but it listens on ${formatHostPort(listen)}: set listen, unless a proxy stands in front of it`,
      );
    }
  }
  if (nodes.length === 2) {
    warnings.push('two nodes survive no failure: both must run for a majority; use one or three');
  } else if (nodes.length > 2 && nodes.length % 2 === 0) {
    warnings.push(`${nodes.length} nodes survive no more failures than ${nodes.length - 1}`);
  }
  if (config.foundWith !== undefined) {
    warnings.push('foundWith is set: if the other nodes found a cluster too, there will be two');
  }
  if (found.electionMs < 5 * found.heartbeatMs) {
    warnings.push('electionMs is under 5 times heartbeatMs: two lost heartbeats start an election');
  }
  if (config.storage === 'memory') warnings.push('storage is memory: this node forgets everything');
  return warnings;
}
