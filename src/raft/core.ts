/**
 * The state of one consensus core. The rules live beside it, one file per concern, as functions over this state:
 * `step` (terms), `election`, `roles`, `replication` (leader), `follower`, `reads`, `transfer`, `reconfigure`,
 * `recovery`, `effects`.
 */
import type { LogIndex, ReplicaId, Term } from '../wire/entry.ts';
import type { Membership } from '../wire/membership.ts';
import type { Message, MessageType } from '../wire/message.ts';
import type { HardState, RaftLimits, RaftStart, ReadGrant, Role, SoftState } from './contract.ts';
import { type Draft, draft } from './draft.ts';
import { ForwardedReads } from './forwarded-reads.ts';
import { RaftLog } from './log.ts';
import { replicasOf } from './membership.ts';
import type { Progress } from './progress.ts';
import { isVoter } from './quorum.ts';
import { Random } from './random.ts';
import { ReadQueue } from './read-queue.ts';
import { WriteQueue } from './writes.ts';

/** A leadership transfer under way (rule T5). */
export interface Transfer {
  readonly to: ReplicaId;
  elapsed: number;
  /** `timeoutNow` was sent in this heartbeat interval. */
  asked: boolean;
}

/** Fields shared by the rules. Nothing outside `src/raft` sees this class. */
export class Core {
  readonly id: ReplicaId;
  readonly limits: RaftLimits;
  readonly random: Random;
  readonly log: RaftLog;
  readonly writes: WriteQueue = new WriteQueue();

  term: Term;
  vote: ReplicaId;
  role: Role = 'follower';
  /** 0 while unknown. */
  leader: ReplicaId = 0;
  /** What storage was last given. */
  written: HardState;
  /** Up to here no committed membership entry waits for its commit hint to be written. */
  hintChecked: LogIndex = 0;
  /** Role, leader and term that the caller was last told. */
  told: SoftState;

  membership: Membership;
  /** Index of the membership entry in force; 0 when it came with the checkpoint. */
  membershipIndex: LogIndex = 0;
  /** Everybody else in the membership, ascending: the order in which replicas are served. */
  peers: ReplicaId[] = [];
  /** Replicas that were removed while this core ran, and at which index (rule M9). */
  readonly removed: Map<ReplicaId, LogIndex> = new Map();

  electionElapsed: number = 0;
  /** Drawn from [electionTicks, 2 × electionTicks) on every change of state (rule E5). */
  electionTimeout: number;
  heartbeatElapsed: number = 0;
  /** Ticks until a pre-vote because the connection to the leader closed; 0 when it did not. */
  leaderLostTicks: number = 0;
  /** Answers of the current campaign. */
  readonly votes: Map<ReplicaId, boolean> = new Map();
  /** Ticks for which a `timeoutNow` still counts that came before this replica could campaign (rule M10). */
  forcedTicks: number = 0;

  /** Leader: one per replica in the membership, itself included. */
  progress: Map<ReplicaId, Progress> = new Map();
  /** Leader: no membership change is proposed before everything up to here is applied (rule M1). */
  membershipPending: LogIndex = 0;
  uncommittedBytes: number = 0;
  transfer: Transfer | null = null;
  /** Number of the last replication session begun. */
  sessions: number = 0;
  readonly reads: ReadQueue = new ReadQueue();

  /** Follower: session of the leader that feeds it. */
  leaderSession: number = 0;
  readonly forwarded: ForwardedReads;
  storageStalled: boolean = false;
  installing: boolean = false;

  recovering: boolean;
  /** Ties what this boot says about its recovery to this boot. */
  readonly recoveryNonce: number;
  /** Entry that ends the recovery, and the term it must have; 0 while unknown. */
  recoveryTarget: LogIndex = 0;
  recoveryTerm: Term = 0;
  recoveryTold: boolean = false;
  /** Peers that recover, as their handshakes told. */
  readonly recoveringPeers: Set<ReplicaId> = new Set();

  outbox: Message[] = [];
  granted: ReadGrant[] = [];
  dropped: number[] = [];
  wantSnapshots: { to: ReplicaId; index: LogIndex }[] = [];
  removedAt: LogIndex | null = null;
  recoveredAt: LogIndex | null = null;

  constructor(start: RaftStart) {
    this.id = start.id;
    this.limits = start.limits;
    this.random = new Random(start.seed);
    this.log = new RaftLog(start);
    this.term = start.hardState.term;
    this.vote = start.hardState.vote;
    this.written = start.hardState;
    this.told = { role: 'follower', leader: 0, term: this.term };
    this.membership = start.membership;
    this.setPeers();
    this.recovering = start.recovering;
    this.recoveryNonce = this.random.next();
    this.forwarded = new ForwardedReads(this.random.next() * 1024);
    this.electionTimeout = this.drawTimeout();
  }

  /** Whether this replica votes in either half of its configuration. */
  get voter(): boolean {
    return isVoter(this.membership, this.id);
  }

  /** Draws an election timeout, in ticks. */
  drawTimeout(): number {
    return this.limits.electionTicks + this.random.below(this.limits.electionTicks);
  }

  /** Derives `peers` from the membership. */
  setPeers(): void {
    this.peers = replicasOf(this.membership).filter((replica) => replica !== this.id);
  }

  /** A message of this replica's term, to be filled in and sent. */
  draft(type: MessageType, to: ReplicaId): Draft {
    return draft(type, this.id, to, this.term);
  }

  /** Sends as soon as effects are taken. */
  send(message: Message): void {
    this.outbox.push(message);
  }

  /** Sends when everything that is known by now is durable (rules E1, D2). */
  sendDurable(message: Message): void {
    this.writes.hold(message);
  }
}
