/** A running node, as its parts see it: what they share. `Node` is the one implementation. */
import type { Identity } from '../storage/contract.ts';
import type { LogIndex, ReplicaId } from '../wire/entry.ts';
import type { Admin } from './admin.ts';
import type { Checkpointer } from './checkpointer.ts';
import type { LagMeter } from './lag.ts';
import type { LostMajority } from './lost-majority.ts';
import type { MembershipManager } from './membership-manager.ts';
import type { NodeOptions } from './node-options.ts';
import type { NodeSession } from './node-session.ts';
import type { PeerDirectory } from './peer-directory.ts';
import type { Replica } from './replica.ts';
import type { PeerRequests } from './requests.ts';
import type { SnapshotInstaller } from './snapshot-installer.ts';
import type { SnapshotSender } from './snapshot-sender.ts';
import type { Timing } from './timing.ts';

/** What the parts of a node share. */
export interface NodeInside {
  readonly options: NodeOptions;
  readonly timing: Timing;
  readonly self: ReplicaId;
  readonly replica: Replica;
  readonly session: NodeSession;
  readonly peers: PeerDirectory;
  readonly lag: LagMeter;
  readonly lostMajority: LostMajority;
  readonly checkpointer: Checkpointer;
  readonly admin: Admin;
  readonly membership: MembershipManager;
  readonly requests: PeerRequests;
  readonly snapshotSender: SnapshotSender;
  readonly snapshotInstaller: SnapshotInstaller;
  readonly identity: Identity;
  /** True while the storage holds no membership entry. */
  readonly pristine: boolean;
  /** True while this replica recovers from a lost boot (relaxed modes). */
  readonly recovering: boolean;
  /** The cluster that this node asked to join; 0 before. */
  joinedCluster: number;
  /** Set when this node was removed from the cluster. */
  readonly removedAt: LogIndex | null;
  /** Why the node stopped, or null. */
  readonly failure: Error | null;
  shuttingDown: boolean;
  /** Elections that this node stood in. */
  readonly elections: number;
  /** What the node waits for, in a sentence; '' when it serves. */
  waiting(): string;
  /** How far behind the leader this node may be, milliseconds. */
  lagMs(): number | null;
  /** How long ago a quorum confirmed this node as leader; null when it does not lead or does not know. */
  leaderLagMs(): number | null;
  /** Calls `run` whenever role, leader or membership change; returns a function that stops it. */
  watch(run: () => void): () => void;
  /** Tells the watchers. */
  changed(): void;
  /** This replica does not recover any more (relaxed modes): stored, synced, and told to everybody. */
  recovered(): void;
  /** Replaces the identity, synced; false when that failed, which stops the node (rule D3). */
  saveIdentity(identity: Identity): boolean;
  /** Ends the loop, the clocks and the connections; the log is closed by the caller. */
  halt(): void;
}
