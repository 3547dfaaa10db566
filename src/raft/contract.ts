/**
 * The contract of the consensus core: a pure, synchronous state machine. Inputs go in, effects come out; it knows no
 * clock, no I/O, no promise and no randomness but the numbers it is given.
 *
 * The caller's duties, in order (the shape of etcd's core with asynchronous storage writes):
 *
 *  1. Call inputs (`tick`, `step`, `propose`, …), all that wait, then `takeEffects`. Repeat while `hasEffects`.
 *  2. Send `effects.messages` now, in any order, possibly losing them.
 *  3. Hand `effects.writes` to the log: hard state and entries in this order, durably, writes in the order given.
 *     When it is durable call `storageDone(write.token)`; the replies that it releases come with the next effects.
 *  4. Apply `effects.committed` in order. Membership entries go to `applyMembership`. Then call `applied(index)`.
 *  5. When a snapshot was installed from a peer, call `installed(meta)`.
 */
import type { Entry, EntryKind, LogIndex, ReplicaId, Term } from '../wire/entry.ts';
import type { Membership, MembershipEntry } from '../wire/membership.ts';
import type { Message } from '../wire/message.ts';

/** What must survive a crash beside the entries. Written before entries of its term (rule D1). */
export interface HardState {
  readonly term: Term;
  /** Whom this replica voted for in `term`; 0 for nobody. */
  readonly vote: ReplicaId;
  /** A commit index known when it was written; only a hint, may lag. */
  readonly commit: LogIndex;
}

/** Sizes and times of one core. */
export interface RaftLimits {
  /** Ticks of silence after which a follower may campaign; the timeout is drawn from [electionTicks, 2 × electionTicks). */
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  /** Bytes of entries in one append. */
  readonly maxAppendBytes: number;
  readonly maxInflightMessages: number;
  readonly maxInflightBytes: number;
  /** Uncommitted bytes at the leader beyond which proposals are refused (rule R12). */
  readonly maxUncommittedBytes: number;
  /** Bytes of one committed range given out. */
  readonly maxApplyBytes: number;
  readonly maxPendingReads: number;
}

/** What a core starts from: what its storage recovered. */
export interface RaftStart {
  readonly id: ReplicaId;
  readonly hardState: HardState;
  /** Index and term of the checkpoint; 0, 0 without one. Entries at or below it are applied. */
  readonly applied: { readonly index: LogIndex; readonly term: Term };
  /** Entry just before the first one kept; entries between it and `applied.index` are still held for followers. */
  readonly compacted: { readonly index: LogIndex; readonly term: Term };
  /** Membership as of `applied.index`. */
  readonly membership: Membership;
  /** All durable entries behind `compacted.index`, ascending and gapless. */
  readonly entries: readonly Entry[];
  readonly limits: RaftLimits;
  /** Seed of the core's own generator, used only to draw election timeouts (rule E5). */
  readonly seed: number;
  /** True while a relaxed-mode replica recovers from a lost boot: it neither votes nor campaigns nor counts (architecture 4). */
  readonly recovering: boolean;
}

/** One durable write. `entries`, when there are any, replace everything at and behind `entries[0].index`. */
export interface StorageWrite {
  readonly token: number;
  readonly hardState: HardState | null;
  readonly entries: readonly Entry[];
  /** False when nobody waits for it (only a commit hint changed): it need not be synced. */
  readonly mustSync: boolean;
}

/** What a replica is at the moment; a `preCandidate` asks whether it would win before it raises its term. */
export type Role = 'follower' | 'preCandidate' | 'candidate' | 'leader';

/** Who leads, as this replica sees it. */
export interface SoftState {
  readonly role: Role;
  /** 0 when unknown. */
  readonly leader: ReplicaId;
  readonly term: Term;
}

/** An answered `readIndex`: what was asked with `context` may be read once `index` is applied. */
export interface ReadGrant {
  readonly context: number;
  readonly index: LogIndex;
}

/** What the core wants done. The object and its arrays are reused by the next `takeEffects`. */
export interface Effects {
  messages: Message[];
  /** Writes in order; usually none or one. */
  writes: StorageWrite[];
  /** Newly committed entries that are also durable here, ascending; may be empty. */
  committed: Entry[];
  reads: ReadGrant[];
  /** `readIndex` contexts that will never be granted (leadership lost or unknown, transfer): retry. */
  readsDropped: number[];
  /** Set when role, leader or term changed. */
  softState: SoftState | null;
  /** Followers that need a snapshot at or behind `index`: stream the newest checkpoint to them. */
  snapshots: { to: ReplicaId; index: LogIndex }[];
  /** Set when this replica learned that it was removed. */
  removedAt: LogIndex | null;
  /**
   * Set when this recovering replica durably holds the entry that ends its recovery. The caller stores the new boot
   * id, synced, and then calls `recovered()`.
   */
  recoveredAt: LogIndex | null;
}

/** Why a proposal was not appended; definite: nothing of it can ever take effect. */
export type ProposeRefusal =
  | 'not-leader'
  | 'too-many-uncommitted'
  | 'transferring'
  | 'membership-busy'
  | 'not-caught-up'
  | 'invalid';

/** What the leader knows of a follower. */
export interface ProgressView {
  readonly replica: ReplicaId;
  readonly match: LogIndex;
  readonly next: LogIndex;
  readonly state: 'probe' | 'replicate' | 'snapshot';
  readonly active: boolean;
  readonly learner: boolean;
  /** It recovers from a lost boot, so nothing of it counts (architecture 4). */
  readonly recovering: boolean;
}

/** The consensus core of one replica in one group. */
export interface Raft {
  readonly id: ReplicaId;
  readonly term: Term;
  readonly role: Role;
  readonly leader: ReplicaId;
  readonly commit: LogIndex;
  readonly lastIndex: LogIndex;
  readonly firstIndex: LogIndex;
  readonly membership: Membership;
  /** Entries proposed and not yet committed, and their bytes (leader). */
  readonly uncommittedBytes: number;
  /** True on a leader that committed an entry of its own term (rule L1). */
  readonly ready: boolean;
  /** Ticks since this replica last heard of a leader or granted a vote, and how many of them it bears; for showing only. */
  readonly electionElapsed: number;
  readonly electionTimeout: number;

  tick(): void;
  step(message: Message): void;
  /**
   * Appends an entry as leader. `record` has `ENTRY_HEADER_BYTES` of room before the payload and belongs to the core
   * from now on. Returns the entry, or why not.
   */
  propose(record: Uint8Array, kind: EntryKind, flags?: number): Entry | ProposeRefusal;
  /** Proposes a membership change (joint when a voter changes, rule M3); one at a time (rule M1). */
  proposeMembership(change: MembershipEntry): Entry | ProposeRefusal;
  /** Applies a committed membership entry; returns the membership in force from now on. */
  applyMembership(entry: Entry): Membership;
  /** Asks for a linearizable read point; answered by `reads` or `readsDropped` with the same context. */
  readIndex(context: number): void;
  transferLeadership(to: ReplicaId): ProposeRefusal | null;
  campaign(): void;
  /** The connection to the leader closed: a pre-vote may start after a short jitter unless a message comes first (architecture 6). */
  leaderLost(): void;
  storageDone(token: number): void;
  applied(index: LogIndex): void;
  /** Entries up to `index` are in a checkpoint and no longer needed. */
  compact(index: LogIndex): void;
  /**
   * A snapshot was installed, durably (rules S2, S3). When `termAt(index)` was `term` just before, the log in storage is
   * kept and compacted to `index`, else it is reset to (index, term); both between `setInstalling(true)` and this call,
   * with no write under way.
   */
  installed(snapshot: { index: LogIndex; term: Term; membership: Membership }): void;
  /** The stream of a snapshot at `index` to `to` ended. Every snapshot asked for in effects is reported once. */
  snapshotReport(to: ReplicaId, index: LogIndex, ok: boolean): void;
  unreachable(peer: ReplicaId): void;
  /** `peer` began a new boot: its earlier acknowledgements are void (rule R8); `recovering` peers do not count. */
  peerRestarted(peer: ReplicaId, recovering: boolean): void;
  /**
   * This replica is no longer recovering: after `recoveredAt`, or because the caller knows that nobody is left to
   * recover from (the documented loss when a majority recovers; a founder whose peers are all pristine). It votes at
   * once, and lets others stand for election first for `patience` ticks.
   */
  recovered(patience?: number): void;
  /**
   * A snapshot is being put in place of the log and the state (rules E6, S11). While true this replica does not
   * campaign, takes no appends and gives out no committed entries; `installed` ends it, or a call with false.
   */
  setInstalling(installing: boolean): void;
  /** The log's disk hangs (rule P7): stop leading; do not campaign while true. */
  setStorageStalled(stalled: boolean): void;
  /** Entries [from, to], for tests, the console and the checkpoint floor. */
  entries(from: LogIndex, to: LogIndex, maxBytes: number): Entry[];
  termAt(index: LogIndex): Term | null;
  progress(): ProgressView[];
  /**
   * Everything due. Call it once after a whole batch of inputs: appends, commit notices and read rounds are made here,
   * so that all inputs since the last time share messages and one write.
   */
  takeEffects(): Effects;
  /** Whether an input came since effects were last taken; they may still turn out to be empty. */
  hasEffects(): boolean;
}
