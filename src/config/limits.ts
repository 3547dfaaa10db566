/**
 * The limits of one node that an operator may set: queues, bodies, sockets and deadlines by name, with unit and default. They may differ
 * from node to node, so none of them may influence a result: what can is a cluster setting (`SETTINGS`).
 */
import { QuorliteError } from '../wire/error.ts';

/** One node limit: its default, the range that is accepted and what it bounds. */
export interface LimitSpec {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly unit: 'bytes' | 'ms' | 'count' | 'rows' | 'levels';
  /** What it bounds. */
  readonly help: string;
}

const KIB = 1024;
const MIB = 1024 * KIB;

/** The values of all node limits; `NODE_LIMITS` says what each bounds. */
export interface NodeLimits {
  readonly maxBodyBytes: number;
  readonly maxNesting: number;
  readonly maxPendingWrites: number;
  readonly maxPendingBytes: number;
  readonly maxBatchCommands: number;
  readonly maxBatchBytes: number;
  readonly maxPendingReads: number;
  readonly maxRunningReads: number;
  readonly maxClientReads: number;
  readonly maxInboxBytes: number;
  readonly maxConnections: number;
  readonly maxOpenStreams: number;
  readonly maxClientRequests: number;
  readonly maxClientStreams: number;
  readonly maxClientBufferBytes: number;
  readonly readDeadlineMs: number;
  readonly readSliceMs: number;
  readonly maxReadRows: number;
  readonly maxReadBytes: number;
  readonly pinIdleMs: number;
  readonly pinMs: number;
  readonly maxPinBytes: number;
  readonly requestTimeoutMs: number;
  readonly maxRequestTimeoutMs: number;
  readonly shutdownMs: number;
  readonly headersMs: number;
  readonly snapshotChunkBytes: number;
  readonly maxFrameBytes: number;
  readonly maxPeerQueueBytes: number;
  readonly maxSnapshotQueueBytes: number;
  readonly maxAppendBytes: number;
  readonly maxInflightMessages: number;
  readonly maxInflightBytes: number;
  readonly maxUncommittedBytes: number;
  readonly maxApplyBytes: number;
  readonly maxPageBytes: number;
  readonly pageCacheBytes: number;
}

/** Name of a node limit. */
export type LimitName = keyof NodeLimits;

/** All node limits by name. */
export const NODE_LIMITS: { readonly [N in LimitName]: LimitSpec } = {
  maxBodyBytes: bytes(32 * MIB, 'body of one HTTP request or one message of a client'),
  maxNesting: limit('levels', 32, 4, 1000, 'depth of JSON in a request'),
  maxPendingWrites: limit('count', 10_000, 1, 1e7, 'writes accepted and not yet answered'),
  maxPendingBytes: bytes(64 * MIB, 'operations accepted and not yet answered'),
  maxBatchCommands: limit('count', 4096, 1, 1e6, 'commands joined into one log entry'),
  maxBatchBytes: bytes(MIB, 'operations joined into one log entry (a larger one goes alone)'),
  maxPendingReads: limit('count', 10_000, 1, 1e7, 'reads waiting for a leader or an index'),
  maxRunningReads: limit(
    'count',
    32,
    1,
    10_000,
    'reads beyond their first slice, each with up to maxReadBytes',
  ),
  maxClientReads: limit('count', 4, 1, 10_000, 'those of one connection; its others wait'),
  maxInboxBytes: bytes(
    64 * MIB,
    'messages of peers received and not yet taken in; more are dropped',
  ),
  maxConnections: limit('count', 10_000, 1, 1e6, 'open client sockets'),
  maxOpenStreams: limit('count', 256, 1, 1e5, 'open row streams, exports and feeds'),
  maxClientRequests: limit('count', 1024, 1, 1e5, 'requests of one WebSocket that run at a time'),
  maxClientStreams: limit('count', 64, 1, 1e5, 'row streams and exports of one WebSocket'),
  maxClientBufferBytes: bytes(
    32 * MIB,
    'answers that a client has not taken yet; beyond, its next requests are refused or wait',
    64 * KIB,
  ),
  readDeadlineMs: ms(10_000, 'engine time of one read'),
  readSliceMs: ms(20, 'engine time of one slice of a read before others have their turn', 1, 1000),
  maxReadRows: limit('rows', 100_000, 1, 1e9, 'rows of one answer (a stream has no such limit)'),
  maxReadBytes: bytes(32 * MIB, 'rows of one answer (a stream has no such limit)'),
  pinIdleMs: ms(30_000, 'time that an idle reader may hold its snapshot'),
  pinMs: ms(600_000, 'time that any reader may hold its snapshot'),
  maxPinBytes: bytes(256 * MIB, 'old pages held by readers; the oldest ends with SNAPSHOT_TOO_OLD'),
  requestTimeoutMs: ms(10_000, 'wait of a request that names no timeout of its own'),
  maxRequestTimeoutMs: ms(600_000, 'longest timeout that a request may name'),
  shutdownMs: ms(10_000, 'draining at shutdown before connections are cut'),
  headersMs: ms(10_000, 'receiving the headers of a request', 100, 600_000),
  snapshotChunkBytes: bytes(256 * KIB, 'one chunk of a snapshot or an export', 4 * KIB, 16 * MIB),
  // A message carries one entry of any size that the cluster setting entryBytes allows, or several small ones.
  maxFrameBytes: bytes(72 * MIB, 'one message between nodes', 65 * MIB, 1024 * MIB),
  maxPeerQueueBytes: bytes(32 * MIB, 'messages waiting for the connection to one peer', MIB),
  maxSnapshotQueueBytes: bytes(
    8 * MIB,
    'snapshot chunks waiting for the connection to one peer',
    MIB,
  ),
  maxAppendBytes: bytes(MIB, 'entries in one message to a follower', KIB, 64 * MIB),
  maxInflightMessages: limit(
    'count',
    256,
    1,
    65_536,
    'messages to a follower not yet acknowledged',
  ),
  maxInflightBytes: bytes(16 * MIB, 'entries to a follower not yet acknowledged'),
  maxUncommittedBytes: bytes(128 * MIB, 'entries proposed and not yet committed'),
  maxApplyBytes: bytes(16 * MIB, 'committed entries applied before others have their turn'),
  maxPageBytes: bytes(
    1024 * MIB,
    'database pages when all are in memory (pageCacheBytes = 0), old versions included',
    MIB,
    1792 * MIB,
  ),
  pageCacheBytes: bytes(
    0,
    'page memory of a database that may be larger than it; 0 keeps all pages in memory',
    0,
    65_536 * MIB,
  ),
};

/** The limits of a node that configures none. */
export const DEFAULT_LIMITS: NodeLimits = defaults();

/** Whether `name` is a node limit. */
export function isLimitName(name: string): name is LimitName {
  return Object.hasOwn(NODE_LIMITS, name);
}

/** The defaults with `patch` over them. Throws `CONFIG_INVALID` for a name or a value that is not accepted. */
export function resolveLimits(patch: { readonly [name: string]: number } = {}): NodeLimits {
  const limits: Record<LimitName, number> = { ...DEFAULT_LIMITS };
  for (const [name, value] of Object.entries(patch)) {
    if (!isLimitName(name)) {
      throw new QuorliteError('CONFIG_INVALID', `limits.${name} is not a limit of a node`);
    }
    const problem = limitProblem(name, value);
    if (problem !== null) throw new QuorliteError('CONFIG_INVALID', `limits.${name} ${problem}`);
    limits[name] = value;
  }
  return limits;
}

/** Why `value` cannot be the limit `name`, as the end of a sentence, or null when it can. */
export function limitProblem(name: LimitName, value: number): string | null {
  const { min, max, unit } = NODE_LIMITS[name];
  if (Number.isInteger(value) && value >= min && value <= max) return null;
  return `must be a whole number from ${min} to ${max} (${unit}), not ${value}`;
}

function defaults(): NodeLimits {
  const limits: Partial<Record<LimitName, number>> = {};
  for (const name of Object.keys(NODE_LIMITS) as LimitName[]) {
    limits[name] = NODE_LIMITS[name].default;
  }
  return limits as NodeLimits;
}

function limit(
  unit: LimitSpec['unit'],
  value: number,
  min: number,
  max: number,
  help: string,
): LimitSpec {
  return { default: value, min, max, unit, help };
}

function bytes(
  value: number,
  help: string,
  min: number = KIB,
  max: number = 2048 * MIB,
): LimitSpec {
  return limit('bytes', value, min, max, help);
}

function ms(value: number, help: string, min = 1, max = 86_400_000): LimitSpec {
  return limit('ms', value, min, max, help);
}
