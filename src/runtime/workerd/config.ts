/** The configuration of a node in a Durable Object: text variables of the Worker, and bounds that fit its memory. */
import { isLoopback } from '../../config/address.ts';
import { environmentLayer } from '../../config/layers.ts';
import type { NodeConfig } from '../../config/node-config.ts';
import { type ResolvedConfig, resolveConfig } from '../../config/resolve.ts';
import { QuorliteError } from '../../wire/error.ts';
import { nodePath, type WorkerEnvironment } from './contract.ts';

const MIB = 1024 * 1024;

/**
 * Limits of a node that shares 128 MB with its engine, and with other objects of the isolate. The pages beyond
 * `pageCacheBytes` are rows of the object's storage. Everything here may be set otherwise.
 */
export const WORKER_LIMITS: { readonly [name: string]: number } = {
  pageCacheBytes: 16 * MIB,
  maxBodyBytes: 8 * MIB,
  maxPendingBytes: 8 * MIB,
  maxInboxBytes: 16 * MIB,
  maxReadBytes: 4 * MIB,
  maxRunningReads: 8,
  maxPinBytes: 64 * MIB,
  maxClientBufferBytes: 4 * MIB,
  maxPeerQueueBytes: 8 * MIB,
  maxSnapshotQueueBytes: 2 * MIB,
  maxInflightBytes: 4 * MIB,
  maxUncommittedBytes: 16 * MIB,
  maxApplyBytes: 4 * MIB,
};

/** How much log is kept between checkpoints: all of it is in memory. */
const CHECKPOINT_BYTES = 2 * MIB;

/**
 * A database on its own elects nobody: what its election timeout bounds is a step of a read, a quarter of it, milliseconds.
 */
const LONE_ELECTION_MS = 20_000;

/** `QUORLITE_*` of the Worker's variables and secrets. Bindings, which are no texts, are left out. */
export function configOfEnvironment(env: WorkerEnvironment): NodeConfig {
  const texts: { [name: string]: string } = {};
  for (const [name, value] of Object.entries(env)) {
    if (typeof value === 'string') texts[name] = value;
  }
  return environmentLayer(texts).values as NodeConfig;
}

/** Checks the configuration of node `id` and fills in defaults. Throws `CONFIG_INVALID`. */
export function resolveObjectConfig(config: NodeConfig, id: number): ResolvedConfig {
  const resolved = resolveConfig({
    ...config,
    id,
    electionMs: config.electionMs ?? (config.nodes === undefined ? LONE_ELECTION_MS : undefined),
    listen: false,
    limits: { ...WORKER_LIMITS, ...config.limits },
    checkpoint: { bytes: CHECKPOINT_BYTES, ...config.checkpoint },
    logFormat: config.logFormat ?? 'json',
  });
  checkPath(resolved);
  checkSecrets(resolved);
  return resolved;
}

/** Requests find an object by the path of its node's URL. */
function checkPath({ id, advertise }: ResolvedConfig): void {
  if (advertise === '' || new URL(advertise).pathname === nodePath(id)) return;
  throw new QuorliteError(
    'CONFIG_INVALID',
    `the URL of node ${id} must be ${new URL(advertise).origin}${nodePath(id)}, not ${advertise}`,
  );
}

/** A Worker is reachable by everybody. */
function checkSecrets({ id, nodes, advertise, secretRaft, secretApi }: ResolvedConfig): void {
  const missing: string[] = [];
  const isPublic = advertise !== '' && !isLoopback(new URL(advertise).hostname);
  if (secretApi === null && isPublic) missing.push('QUORLITE_SECRET_API');
  if (secretRaft === null && (isPublic || nodes.some((node) => node.id !== id && !local(node.url))))
    missing.push('QUORLITE_SECRET_RAFT');
  if (missing.length === 0) return;
  throw new QuorliteError(
    'CONFIG_INVALID',
    `a node that others can reach needs ${missing.join(' and ')}: wrangler secret put ${missing[0]}`,
  );
}

function local(url: string): boolean {
  return isLoopback(new URL(url).hostname);
}
