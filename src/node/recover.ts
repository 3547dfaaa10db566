/** From what the storage holds to what a replica starts from. */
import type { Engine } from '../../wasm/engine.ts';
import type { PageBacking } from '../../wasm/page-store.ts';
import type { NodeLimits } from '../config/limits.ts';
import type { Platform } from '../platform/contract.ts';
import { randomId } from '../platform/contract.ts';
import type { RaftStart } from '../raft/contract.ts';
import type { PagePlaces, StateMachine } from '../state-machine/contract.ts';
import { openStateMachine } from '../state-machine/state-machine.ts';
import type {
  CheckpointContent,
  Identity,
  IdentityStore,
  LogStore,
  RecoveredLog,
  SnapshotStore,
  SyncMode,
} from '../storage/contract.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { LogIndex } from '../wire/entry.ts';
import { QuorliteError } from '../wire/error.ts';
import { EMPTY_MEMBERSHIP } from '../wire/membership.ts';
import { engineOf } from './hello.ts';
import { checkOwnNumber } from './own-number.ts';
import type { Timing } from './timing.ts';

/** What a node keeps. */
export interface NodeStorage {
  readonly identity: IdentityStore;
  readonly log: LogStore;
  readonly snapshots: SnapshotStore;
  readonly sync: SyncMode;
  /** Opens the scratch of a database larger than its page memory, empty; absent where there is no room for one. */
  readonly openPages?: (() => PageBacking) | undefined;
}

/** A storage brought to a state from which a replica can start. */
export interface Recovered {
  readonly identity: Identity;
  readonly stateMachine: StateMachine;
  readonly start: RaftStart;
  /** True while the storage holds no membership entry. */
  readonly pristine: boolean;
}

/** Loads or mints the identity and counts this boot; saved before anything else happens. */
function openIdentity(
  storage: NodeStorage,
  platform: Platform,
  engine: string,
): { identity: Identity; recovering: boolean } {
  const known = storage.identity.load() ?? pristineIdentity(platform);
  const recovering = lostBoot(known, platform);
  const identity: Identity = {
    // Who is new notes its engine at once; `checkEngine` looks at what others noted.
    engine,
    ...known,
    boot: known.boot + 1,
    // What was lost is remembered until this replica has recovered from it, over any number of boots.
    osBootId: recovering ? known.osBootId : platform.osBootId,
    relaxed: known.relaxed || storage.sync.mode !== 'durable',
  };
  storage.identity.save(identity);
  return { identity, recovering };
}

function pristineIdentity(platform: Platform): Identity {
  return {
    replica: randomId(platform.entropy),
    cluster: 0,
    boot: 0,
    osBootId: platform.osBootId,
    relaxed: false,
    promise: '',
    peers: [],
  };
}

/**
 * Whether a storage may have lost what was written last: in a relaxed mode, in another or an unknown boot of the system.
 * The mode of this start does not matter. A log that looks pristine may be one that lost everything: only who never
 * heard of a cluster has nothing to lose.
 */
function lostBoot({ relaxed, cluster, osBootId }: Identity, platform: Platform): boolean {
  if (!relaxed || cluster === 0) return false;
  return platform.osBootId === '' || osBootId !== platform.osBootId;
}

/** What the identity says of the boot, once this replica has lost nothing and its log is opened, hence synced. */
export function wholeBoot(
  { sync }: NodeStorage,
  { osBootId }: Platform,
): Pick<Identity, 'osBootId' | 'relaxed'> {
  return { osBootId, relaxed: sync.mode !== 'durable' };
}

/** What recovering needs. */
export interface RecoverOptions {
  /** Number of this node in `nodes`. */
  readonly node: number;
  readonly platform: Platform;
  readonly storage: NodeStorage;
  readonly engine: Engine;
  readonly limits: NodeLimits;
  readonly timing: Timing;
  readonly logger: Logger;
}

/** Opens the state machine over a checkpoint, or empty. */
export function openMachine(
  { engine, platform, limits, storage }: RecoverOptions,
  checkpoint: CheckpointContent | null,
): StateMachine {
  return openStateMachine({
    engine,
    checkpoint,
    readHost: {
      wallMs: () => platform.clock.wallMs(),
      monotonicMs: () => platform.clock.monotonicMs(),
      random: (out) => platform.entropy.fill(out),
    },
    maxPageBytes: limits.maxPageBytes,
    pages: pagePlaces(storage, limits),
  });
}

/** Where pages go that the cache has no room for; undefined when all are kept in memory. */
function pagePlaces(storage: NodeStorage, limits: NodeLimits): PagePlaces | undefined {
  const { openPages, snapshots } = storage;
  const { pageCacheBytes } = limits;
  if (pageCacheBytes === 0 || openPages === undefined) return undefined;
  return {
    cacheBytes: pageCacheBytes,
    openBacking: openPages,
    images: () => snapshots.images?.() ?? null,
  };
}

/** Reads checkpoint and log, and makes them agree. Throws `CORRUPT` when they cannot. */
export function recover(options: RecoverOptions): Recovered {
  const { platform, storage, limits, timing, logger } = options;
  const opened = openIdentity(storage, platform, engineOf(options.engine));
  const found = storage.log.open();
  checkEngine(opened.identity, options.engine, found);
  const checkpoint = openCheckpoint(storage, found, logger);
  const meta = checkpoint?.meta ?? null;
  const log = agree(found, meta, storage.log);
  const identity = settleIdentity(opened, options);
  const membership = meta?.membership ?? EMPTY_MEMBERSHIP;
  checkOwnNumber(options.node, identity.replica, membership, log.entries);
  if (log.torn) logger.warn('an unfinished write at the end of the log was cut off');
  const stateMachine = openMachine(options, checkpoint);
  checkpoint?.close();
  const pristine = meta === null && log.entries.length === 0;
  const seed = new Uint8Array(4);
  platform.entropy.fill(seed);
  const start: RaftStart = {
    id: identity.replica,
    hardState: log.hardState,
    applied: { index: meta?.index ?? 0, term: meta?.term ?? 0 },
    compacted: log.compacted,
    membership,
    entries: log.entries,
    limits: {
      electionTicks: timing.electionTicks,
      heartbeatTicks: timing.heartbeatTicks,
      maxAppendBytes: limits.maxAppendBytes,
      maxInflightMessages: limits.maxInflightMessages,
      maxInflightBytes: limits.maxInflightBytes,
      maxUncommittedBytes: limits.maxUncommittedBytes,
      maxApplyBytes: limits.maxApplyBytes,
      maxPendingReads: limits.maxPendingReads,
    },
    seed: new DataView(seed.buffer).getUint32(0),
    recovering: opened.recovering,
  };
  return { identity, stateMachine, start, pristine };
}

/**
 * The newest checkpoint that can be read. Before the first one is the empty database: while the log reaches back to
 * index 1 there is something to fall back to even when no checkpoint can be read (rule S6).
 */
function openCheckpoint(
  { snapshots }: NodeStorage,
  log: RecoveredLog,
  logger: Logger,
): CheckpointContent | null {
  try {
    const newest = snapshots.open();
    if (newest?.fellBack) logger.warn('newest checkpoint is damaged, using the one before it');
    return newest?.content ?? null;
  } catch (error) {
    const whole = log.compacted.index === 0 && log.entries.length > 0;
    if (!whole || !(error instanceof QuorliteError) || error.code !== 'CORRUPT') throw error;
    logger.warn('no checkpoint can be read, using all of the log', { error: error.message });
    return null;
  }
}

/**
 * Refuses a log that another engine has applied: replayed, a command could answer otherwise than it was acknowledged
 * with. A checkpoint says so too, but a young storage has none.
 */
function checkEngine({ engine: known }: Identity, engine: Engine, log: RecoveredLog): void {
  const own = engineOf(engine);
  const pristine = log.entries.length === 0 && log.compacted.index === 0;
  if (known === undefined || known === own || pristine) return;
  throw new QuorliteError(
    'ENGINE_MISMATCH',
    `this data folder belongs to the engine ${known}, this node runs ${own}`,
    { hint: 'start it with the engine that it was written with, or with an empty data folder' },
  );
}

/**
 * A log that was opened is synced: what a relaxed mode left unsynced in a boot that still lasts is safe from now on. The
 * engine that is going to apply it is noted.
 */
function settleIdentity(
  { identity, recovering }: ReturnType<typeof openIdentity>,
  { storage, platform, engine }: RecoverOptions,
): Identity {
  const whole = wholeBoot(storage, platform);
  const noted = engineOf(engine);
  const settles = !recovering && whole.relaxed !== identity.relaxed;
  if (!settles && identity.engine === noted) return identity;
  const settled = { ...identity, ...(settles ? whole : {}), engine: noted };
  storage.identity.save(settled);
  return settled;
}

/**
 * A crash between installing a snapshot and resetting the log leaves a log that does not reach the checkpoint, or
 * contradicts it: the checkpoint wins (rule S3). A log that begins behind the checkpoint has a hole.
 */
function agree(
  log: RecoveredLog,
  checkpoint: { readonly index: number; readonly term: number } | null,
  store: LogStore,
): RecoveredLog {
  const index = checkpoint?.index ?? 0;
  if (log.compacted.index > index) {
    throw new QuorliteError(
      'CORRUPT',
      `the log begins behind index ${log.compacted.index}, the newest readable checkpoint is at ${index}: wipe the data folder, and the node will join anew from its peers`,
      { outcome: 'unknown' },
    );
  }
  if (!checkpoint || log.compacted.index === index) return log;
  const entry = log.entries[index - log.compacted.index - 1];
  if (entry && entry.term === checkpoint.term) return log;
  store.reset(index, checkpoint.term, (error) => {
    if (error) throw error;
  });
  return { ...log, compacted: { index, term: checkpoint.term }, entries: [] };
}

/** Index at which a checkpoint shows this replica removed from its cluster; null when it does not. */
export function removedBefore({ id, membership, applied }: RaftStart): LogIndex | null {
  const { members } = membership;
  const removed = members.length > 0 && members.every(({ replica }) => replica !== id);
  return removed ? applied.index : null;
}
