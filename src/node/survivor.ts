/**
 * Going on after a majority of the voters is lost for good: what one storage holds becomes the start of a new cluster,
 * whose only voter it is. Offline, on the folder of a stopped node.
 *
 * Nobody can tell whether the last entries of one log were committed. All of them are kept: each acknowledged write that
 * reached this storage is among them, beside writes whose outcome nobody was told. What a quorum without this storage
 * acknowledged is lost. The new cluster has an id of its own, so that members of the old one that come back are refused
 * instead of voting (rules M6, M9).
 */
import { type Platform, randomId } from '../platform/contract.ts';
import type { StateMachine } from '../state-machine/contract.ts';
import type { Identity } from '../storage/contract.ts';
import { type Entry, EntryKind, type LogIndex, makeEntry, type Term } from '../wire/entry.ts';
import { QuorliteError } from '../wire/error.ts';
import { type Membership, soleVoter } from '../wire/membership.ts';
import { idText } from './id-text.ts';
import { type Recovered, type RecoverOptions, recover } from './recover.ts';

/** What is asked of a survivor. */
export interface SurvivorOptions extends RecoverOptions {
  /** The URL under which the new cluster knows this node. */
  readonly url: string;
  /** Entries from this index on are cut off; null keeps all. */
  readonly before: LogIndex | null;
}

/** What a storage holds, in words of operators. */
export interface SurvivorReport {
  readonly node: number;
  /** Id of the old cluster. */
  readonly clusterId: string;
  readonly checkpointIndex: LogIndex;
  /** The last entry of the log, and the one up to which the new cluster goes: less with `before`. */
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  readonly keptIndex: LogIndex;
  /** The storage was written in a relaxed sync mode, and the system was restarted since: its end may be missing. */
  readonly lostBoot: boolean;
}

/** A storage that was read, and may become the start of a new cluster. */
export interface Survivor {
  readonly report: SurvivorReport;
  /** Makes it so; resolves to the id of the new cluster. May be repeated after a crash in its midst. */
  restart(): Promise<string>;
  /** Must be called in every case. */
  close(): Promise<void>;
}

/**
 * Reads a storage and applies its log. Rejects with `CONFIG_INVALID` when there is nothing to go on from, with `CORRUPT`
 * or `STORAGE_FAILED` when it cannot be read or applied.
 */
export async function openSurvivor(options: SurvivorOptions): Promise<Survivor> {
  if ((options.storage.identity.load()?.cluster ?? 0) === 0) {
    throw new QuorliteError('CONFIG_INVALID', 'this data folder belongs to no cluster', {
      hint: 'name the folder of a node that was a member: --data-dir',
    });
  }
  const recovered = recover(options);
  const { stateMachine, start, identity } = recovered;
  const close = (): Promise<void> => {
    stateMachine.close();
    return settled((done) => options.storage.log.close(done));
  };
  try {
    const kept = keptEntries(recovered, options.before);
    for (const entry of kept) await applied(stateMachine, entry);
    const last = start.entries.at(-1) ?? start.compacted;
    const report: SurvivorReport = {
      node: options.node,
      clusterId: idText(identity.cluster),
      checkpointIndex: start.applied.index,
      lastIndex: last.index,
      lastTerm: last.term,
      keptIndex: stateMachine.applied.index,
      lostBoot: start.recovering,
    };
    return { report, restart: () => restart(options, recovered), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Entries behind the checkpoint, up to where the log is to be cut. */
function keptEntries({ start }: Recovered, before: LogIndex | null): readonly Entry[] {
  const { index } = start.applied;
  if (before !== null && before <= index) {
    throw new QuorliteError(
      'CONFIG_INVALID',
      `the checkpoint already holds index ${index}: nothing before it can be cut off`,
      { hint: `--before must be above ${index}, or left out` },
    );
  }
  return start.entries.filter(
    (entry) => entry.index > index && (before === null || entry.index < before),
  );
}

async function applied(stateMachine: StateMachine, entry: Entry): Promise<void> {
  try {
    await settled((done) => stateMachine.apply(entry, null, done));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new QuorliteError('CORRUPT', `index ${entry.index} cannot be applied: ${message}`, {
      outcome: 'unknown',
      cause: error,
      hint: `--before ${entry.index} cuts it off, and everything behind it`,
    });
  }
}

/**
 * In an order that a crash at any point leaves safe: first the storage forgets who it was, so that it votes in no
 * cluster; then the checkpoint makes it the only voter of the new one; at last the old log goes.
 */
async function restart(options: SurvivorOptions, recovered: Recovered): Promise<string> {
  const { storage, platform, node, url } = options;
  const { log, snapshots } = storage;
  const { stateMachine, start } = recovered;
  const identity = newIdentity(recovered.identity, platform);
  storage.identity.save(identity);
  // An entry of a term of its own: no log of the old cluster has it.
  const term = Math.max(start.hardState.term, stateMachine.applied.term) + 1;
  const first = makeEntry(term, stateMachine.applied.index + 1, EntryKind.empty);
  const hardState = { term, vote: 0, commit: start.hardState.commit };
  await settled((done) => log.append({ token: 1, hardState, entries: [], mustSync: true }, done));
  await applied(stateMachine, first);
  const membership: Membership = soleVoter({ replica: identity.replica, node, url });
  const cut = stateMachine.cut(snapshots.newest?.index ?? 0, membership);
  await settled((done) => snapshots.write(cut, (work) => platform.timers.soon(work), done));
  await settled((done) => log.reset(first.index, term, done));
  return idText(identity.cluster);
}

function newIdentity(old: Identity, platform: Platform): Identity {
  return {
    replica: randomId(platform.entropy),
    cluster: randomId(platform.entropy),
    boot: old.boot,
    osBootId: platform.osBootId,
    relaxed: old.relaxed,
    promise: '',
    peers: [],
    engine: old.engine,
  };
}

/** A storage's or state machine's callback as a promise. */
function settled(start: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
