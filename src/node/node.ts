import { randomId } from '../platform/contract.ts';
import type { SoftState } from '../raft/contract.ts';
import { needsOwnEntry } from '../state-machine/own-entry.ts';
import type { Identity } from '../storage/contract.ts';
import { Lane, type Peer, REPLACED, SILENT } from '../transport/contract.ts';
import { SEED_BYTES } from '../wire/command.ts';
import type { LogIndex, ReplicaId } from '../wire/entry.ts';
import { QuorliteError } from '../wire/error.ts';
import type { Membership } from '../wire/membership.ts';
import { Admin } from './admin.ts';
import { Checkpointer } from './checkpointer.ts';
import type { ClusterStatus } from './contract.ts';
import { writesFrame } from './frames.ts';
import { ownHello, refusalOf } from './hello.ts';
import { idText } from './id-text.ts';
import type { NodeInside } from './inside.ts';
import { Invitations } from './invitations.ts';
import { Joining } from './joining.ts';
import { LagMeter } from './lag.ts';
import { LostMajority, SURVIVORS_TIMEOUTS } from './lost-majority.ts';
import { MembershipManager } from './membership-manager.ts';
import type { NodeOptions } from './node-options.ts';
import { NodeSession } from './node-session.ts';
import { PeerDirectory } from './peer-directory.ts';
import { PeerTraffic } from './peer-traffic.ts';
import { openMachine, type RecoverOptions, recover, removedBefore, wholeBoot } from './recover.ts';
import { Replica } from './replica.ts';
import { PeerRequests } from './requests.ts';
import { SnapshotInstaller } from './snapshot-installer.ts';
import { SnapshotSender } from './snapshot-sender.ts';
import { Ticker } from './ticker.ts';
import { type Timing, timing } from './timing.ts';

/** How often membership, joining, checkpoints and expiry are looked after. */
const LOOK_MS = 500;

/** The running node's insides; `NodeService` is built over it. */
export class Node implements NodeInside {
  readonly options: NodeOptions;
  readonly timing: Timing;
  readonly replica: Replica;
  readonly session: NodeSession;
  readonly peers: PeerDirectory;
  readonly lag: LagMeter = new LagMeter();
  readonly checkpointer: Checkpointer;
  readonly admin: Admin;
  readonly membership: MembershipManager;
  readonly requests: PeerRequests;
  readonly snapshotSender: SnapshotSender;
  readonly snapshotInstaller: SnapshotInstaller;
  identity: Identity;
  /** True while the storage holds no membership entry. */
  pristine: boolean;
  /** Set when this node was removed from the cluster. */
  removedAt: LogIndex | null = null;
  /** Why the node stopped, or null. */
  failure: Error | null = null;
  shuttingDown = false;
  elections = 0;
  /** True while this replica recovers from a lost boot (relaxed modes). */
  recovering: boolean;
  /** The cluster that this node asked to join; 0 before. */
  joinedCluster = 0;
  readonly #recoverOptions: RecoverOptions;
  readonly #ticker: Ticker;
  readonly joining: Joining;
  #lookedAt = Number.NEGATIVE_INFINITY;
  readonly #traffic: PeerTraffic;
  readonly #invitations: Invitations;
  readonly lostMajority: LostMajority;
  /** Called when role, leader or membership change, for `ready` and the like. */
  readonly #watchers = new Set<() => void>();

  constructor(options: NodeOptions) {
    this.options = options;
    this.timing = timing(options);
    const { node, platform, storage, limits, logger, transport, engine } = options;
    const now = (): number => platform.clock.monotonicMs();
    this.#recoverOptions = {
      node,
      platform,
      storage,
      engine,
      limits,
      timing: this.timing,
      logger,
    };
    const recovered = recover(this.#recoverOptions);
    this.identity = recovered.identity;
    this.pristine = recovered.pristine;
    this.recovering = recovered.start.recovering;
    this.removedAt = removedBefore(recovered.start);
    this.peers = new PeerDirectory(this.identity.peers);
    this.replica = new Replica({
      platform,
      limits,
      timing: this.timing,
      logger,
      log: storage.log,
      stateMachine: recovered.stateMachine,
      start: recovered.start,
      hooks: this.#hooks(),
    });
    this.session = new NodeSession(this.replica.proposals, {
      now,
      openMs: limits.requestTimeoutMs,
      mintSession: () => randomId(platform.entropy),
      window: () => this.replica.stateMachine.settings()['sessionWindow'] ?? 1024,
    });
    this.requests = new PeerRequests((to, frame) => transport.send(to, Lane.control, [frame]), now);
    this.membership = new MembershipManager({
      self: this.identity.replica,
      raft: () => this.replica.raft,
      now,
      connected: (replica) => this.peers.connected(replica) !== undefined,
      advertised: (replica) =>
        replica === this.self ? options.url : (this.peers.connected(replica)?.peer.hello.url ?? ''),
      propose: (changes) =>
        this.replica.withRaft((raft) => raft.proposeMembership({ type: 'change', changes })),
      wake: () => this.replica.wake(),
    });
    this.#invitations = new Invitations(now, () => this.#updatePeers());
    this.lostMajority = new LostMajority({
      self: this.identity.replica,
      node,
      configured: [...options.nodes.keys()],
      electionMs: this.timing.electionMs,
      now,
      membership: () => this.replica.raft.membership,
    });
    this.admin = new Admin({
      raft: () => this.replica.raft,
      membership: this.membership,
      requests: this.requests,
      now,
      after: (ms, run) => {
        const timer = platform.timers.after(ms, run);
        return () => platform.timers.cancel(timer);
      },
      wake: () => this.replica.wake(),
      status: () => this.status(),
      invite: (id, url, timeoutMs, invited) => {
        const known = this.peers.byNode(id);
        if (known) invited(null, known.hello.replica);
        else this.#invitations.invite(id, url, timeoutMs, invited);
      },
    });
    this.checkpointer = new Checkpointer({
      platform,
      log: storage.log,
      snapshots: storage.snapshots,
      logger,
      bytes: options.checkpoint.bytes,
      ms: options.checkpoint.ms,
      scratchBytes: limits.pageCacheBytes,
      replica: () => this.replica,
      taken: () => this.saveMemory(),
    });
    const sendSnapshot = (to: ReplicaId, parts: readonly Uint8Array[]): boolean =>
      transport.send(to, Lane.snapshot, parts);
    this.snapshotSender = new SnapshotSender({
      limits,
      snapshots: storage.snapshots,
      cluster: () => this.identity.cluster,
      now,
      send: sendSnapshot,
      report: (to, index, ok) =>
        this.replica.withRaft((raft) => raft.snapshotReport(to, index, ok)),
      takeCheckpoint: (done) => this.checkpointer.take(() => done()),
    });
    this.snapshotInstaller = new SnapshotInstaller({
      platform,
      log: storage.log,
      snapshots: storage.snapshots,
      logger,
      replica: () => this.replica,
      checkpointing: () => this.checkpointer.running,
      openStateMachine: (checkpoint) => openMachine(this.#recoverOptions, checkpoint),
      send: sendSnapshot,
    });
    this.joining = new Joining(this);
    this.#traffic = new PeerTraffic(this, this.joining);
    const phase = new Uint8Array(1);
    platform.entropy.fill(phase);
    this.#ticker = new Ticker(platform, this.timing, phase[0]! / 256, (count) => this.#tick(count));
  }

  /** Set by the service, which knows how to describe the node. */
  status: () => ClusterStatus = () => {
    throw new Error('status is not wired');
  };

  get self(): ReplicaId {
    return this.identity.replica;
  }

  /** Connects, ticks, and founds at once when it is the only configured voter. */
  start(): void {
    const { transport, logger, node } = this.options;
    logger.info('node starts', {
      node,
      replica: this.self,
      boot: this.identity.boot,
      pristine: this.pristine,
      index: this.replica.raft.lastIndex,
    });
    transport.start({
      hello: () => ownHello(this),
      admit: (peer) => refusalOf(this, peer),
      up: (peer) => this.#up(peer),
      changed: (peer) => this.#changed(peer),
      down: (peer, reason) => this.#down(peer, reason),
      frame: (peer, _lane, bytes) => this.#traffic.receive(peer, bytes),
      refused: (url, reason) => logger.warn('connection refused', { url, reason }),
    });
    this.#updatePeers();
    this.#ticker.start();
    if (this.pristine) this.joining.step();
    else this.#campaignAlone();
    this.replica.wake();
  }

  /** The only voter has nobody to wait for. */
  #campaignAlone(): void {
    const { raft } = this.replica;
    if (!this.#aloneVoter() || raft.leader !== 0) return;
    this.options.platform.timers.soon(() => this.replica.withRaft((core) => core.campaign()));
  }

  #aloneVoter(): boolean {
    const { voters, outgoing } = this.replica.raft.membership;
    return outgoing.length === 0 && voters.length === 1 && voters[0] === this.self;
  }

  /** Calls `run` whenever role, leader or membership change; returns a function that stops it. */
  watch(run: () => void): () => void {
    this.#watchers.add(run);
    return () => this.#watchers.delete(run);
  }

  /** Tells the watchers. */
  changed(): void {
    for (const run of [...this.#watchers]) run();
  }

  /** What the node waits for, in a sentence; '' when it serves. */
  waiting(): string {
    if (this.failure) return `stopped: ${this.failure.message}`;
    if (this.removedAt !== null) return 'this node was removed from the cluster';
    if (this.pristine) return this.joining.waiting();
    if (this.replica.raft.leader === 0) return 'no leader is known';
    return '';
  }

  /** How far behind the leader this node may be, milliseconds. */
  lagMs(): number | null {
    const { raft, stateMachine } = this.replica;
    const now = this.options.platform.clock.monotonicMs();
    if (raft.role === 'leader') {
      const at = this.#confirmedAt(now);
      if (at === null) return null;
      this.lag.known(at, raft.commit, stateMachine.applied.index);
    }
    return this.lag.lagMs(now);
  }

  /** How long ago a quorum confirmed this node as leader; null when it does not lead or does not know. */
  leaderLagMs(): number | null {
    const now = this.options.platform.clock.monotonicMs();
    const at = this.#confirmedAt(now);
    return at === null ? null : now - at;
  }

  /** A leader that has committed nothing of its term yet may not know of all that is committed (rule L1). */
  #confirmedAt(now: number): number | null {
    const { raft } = this.replica;
    return raft.ready ? this.lag.confirmedAt(now, this.self, raft.membership) : null;
  }

  #up(peer: Peer): void {
    const { replica, node, recovering } = peer.hello;
    const known = this.peers.connected(replica) !== undefined;
    if (this.peers.up(peer)) {
      this.saveMemory();
      this.replica.withRaft((raft) => raft.peerRestarted(replica, recovering));
    }
    if (!known) this.options.logger.info('peer connected', { node, replica });
    this.#changed(peer);
    if (this.pristine) this.joining.step();
    this.replica.wake();
  }

  /** A peer said hello: who waited for it is looked after at the next tick. */
  #changed({ hello }: Peer): void {
    this.#invitations.answered(hello);
    this.lostMajority.met(hello);
    this.#lookedAt = Number.NEGATIVE_INFINITY;
  }

  #down(peer: Peer, reason: string): void {
    if (!this.peers.down(peer)) return;
    const { replica, node } = peer.hello;
    this.options.logger.info('peer disconnected', { node, reason });
    // Exactly: what it had acknowledged is what it must still have when it comes back.
    this.#rememberProgress();
    this.requests.lost(replica);
    this.#traffic.lost(replica);
    const wasLeader = this.replica.raft.leader === replica;
    this.replica.withRaft((raft) => raft.unreachable(replica));
    if (!wasLeader) return;
    this.replica.proposals.leaderChanged();
    // A connection that a newer one replaces says nothing about its peer, nor does the silence of one that is busy.
    const busy = reason === SILENT && this.replica.awaitsSlow;
    if (reason !== REPLACED && !busy) this.replica.leaderLost();
  }

  #hooks(): ConstructorParameters<typeof Replica>[0]['hooks'] {
    return {
      send: (message) => this.#traffic.send(message),
      seed: () => {
        const seed = new Uint8Array(SEED_BYTES);
        this.options.platform.entropy.fill(seed);
        return seed;
      },
      forward: (leader, writes) =>
        this.options.transport.send(leader, Lane.bulk, [writesFrame(writes)]),
      needsOwnEntry,
      lagMs: () => this.lagMs(),
      history: () => idText(this.identity.cluster),
      roleChanged: (state) => this.#roleChanged(state),
      membershipChanged: (membership, index) => this.#membershipChanged(membership, index),
      applied: (index) => this.#applied(index),
      snapshotWanted: (to) => this.snapshotSender.start(to),
      removed: (index) => this.#removed(index),
      recovered: () => this.recovered(),
      failed: (error) => this.#failed(error),
    };
  }

  #roleChanged(state: SoftState): void {
    const { logger } = this.options;
    if (state.role === 'candidate') this.elections++;
    this.lag.reset();
    logger.info('role', { role: state.role, term: state.term, leader: state.leader });
    if (state.role !== 'leader') {
      this.snapshotSender.stop();
      this.membership.stop(new QuorliteError('LEADER_CHANGED', 'the leader changed'));
    }
    if (state.leader !== 0) {
      this.admin.leaderKnown(state.leader);
      this.session.open();
    }
    this.changed();
  }

  #membershipChanged(membership: Membership, index: LogIndex): void {
    const { voters, learners, outgoing } = membership;
    this.options.logger.info('membership', {
      index,
      voters: voters.length,
      learners: learners.length,
      joint: outgoing.length > 0,
    });
    if (this.pristine) {
      this.pristine = false;
      this.saveIdentity({ ...this.identity, promise: '' });
      this.options.transport.refreshHello();
    }
    this.#updatePeers();
    // A replica that was removed may be added again.
    if (membership.members.some(({ replica }) => replica === this.self)) this.removedAt = null;
    this.#campaignAlone();
    this.membership.step();
    this.changed();
  }

  /** Everybody configured, every member, and whoever is invited. */
  #updatePeers(): void {
    const peers = new Map<number, string>();
    for (const { node, url } of this.replica.raft.membership.members) peers.set(node, url);
    for (const [node, url] of this.options.nodes) peers.set(node, url);
    for (const [node, url] of this.#invitations.urls()) peers.set(node, url);
    peers.delete(this.options.node);
    const list = [...peers].filter(([, url]) => url !== '').map(([node, url]) => ({ node, url }));
    this.options.transport.setPeers(list);
  }

  #applied(index: LogIndex): void {
    this.lag.applied(index);
    if (this.#watchers.size > 0) this.changed();
    this.#traffic.flushAnswers();
  }

  #removed(index: LogIndex): void {
    if (this.removedAt !== null) return;
    this.removedAt = index;
    this.options.logger.warn('removed from the cluster', { index });
    this.replica.dismiss(new QuorliteError('NOT_READY', 'this node was removed from the cluster'));
    this.changed();
  }

  /** Nobody is left to recover from. */
  #recoverAlone(): void {
    if (!this.lostMajority.inVain()) return;
    this.options.logger.warn(
      'a majority of the voters lost what was not synced: going on with what is left',
      { index: this.replica.raft.lastIndex },
    );
    const survivor = this.lostMajority.survivor((id) => this.peers.connected(id) !== undefined);
    this.recovered(survivor ? SURVIVORS_TIMEOUTS * this.timing.electionTicks : 0);
    this.#campaignAlone();
  }

  /** This replica counts again: its boot is stored first, synced. */
  recovered(patience = 0): void {
    this.recovering = false;
    const { storage, platform } = this.options;
    this.saveIdentity({ ...this.identity, ...wholeBoot(storage, platform) });
    this.replica.withRaft((raft) => raft.recovered(patience));
    this.options.transport.refreshHello();
  }

  #failed(error: Error): void {
    this.failure = error;
    this.options.logger.error('node has stopped', { error: error.message });
    const message = `this node has stopped: ${error.message}`;
    this.#stopParts(new QuorliteError('STORAGE_FAILED', message, { outcome: 'unknown' }));
  }

  #tick(count: number): void {
    if (this.replica.stopped) return;
    const { failure } = this.replica.stateMachine;
    if (failure) {
      // A read may have met it: nothing that is applied can be relied on to do so soon.
      this.replica.fail(failure);
      return;
    }
    this.replica.tick(count);
    this.session.expire(this.replica.raft.leader !== 0);
    this.requests.expire();
    this.snapshotSender.tick();
    this.#invitations.expire();
    const now = this.options.platform.clock.monotonicMs();
    if (now - this.#lookedAt >= LOOK_MS) {
      this.#lookedAt = now;
      this.#lookAfter();
    }
  }

  #lookAfter(): void {
    const { raft } = this.replica;
    this.joining.step();
    if (this.recovering) this.#recoverAlone();
    if (raft.role === 'leader') {
      this.membership.step();
      this.#rememberProgress();
      this.#proposeExpiry();
    }
    if (!this.pristine) this.checkpointer.consider();
  }

  /** What each replica is known to have, which only its leader knows. */
  #rememberProgress(): void {
    const { raft } = this.replica;
    if (raft.role !== 'leader') return;
    for (const { replica, match } of raft.progress()) {
      this.peers.acknowledged(replica, Math.min(match, raft.commit));
    }
  }

  /** Lets what is due expire when no write comes to do it. */
  #proposeExpiry(): void {
    const { stateMachine, proposals } = this.replica;
    if (proposals.pending > 0 || stateMachine.nextExpiry() > proposals.elapsed()) return;
    proposals.tick();
  }

  /** Replaces the identity, synced; false when that failed, which stops the node (rule D3). */
  saveIdentity(identity: Identity): boolean {
    try {
      this.options.storage.identity.save(identity);
    } catch (error) {
      this.replica.fail(error as Error);
      return false;
    }
    this.identity = identity;
    return true;
  }

  /** Writes down what is remembered of peers. */
  saveMemory(): void {
    const { members } = this.replica.raft.membership;
    const peers = this.peers.memory(new Set(members.map(({ replica }) => replica)));
    this.saveIdentity({ ...this.identity, peers });
  }

  /** Ends the loop, the clocks and the connections; the log is closed by the caller. */
  halt(): void {
    const { stopped } = this.replica;
    const error = new QuorliteError('SHUTTING_DOWN', 'this node is shutting down');
    this.replica.stop(error);
    this.#stopParts(error);
    if (!stopped) this.saveMemory();
  }

  /** Ends the clocks and the connections; whoever waits for something is answered. */
  #stopParts(error: QuorliteError): void {
    this.#ticker.stop();
    this.snapshotSender.stop();
    this.admin.stop(error);
    this.checkpointer.stop(error);
    this.membership.stop(error);
    this.requests.stop(error);
    this.#invitations.stop(error);
    this.options.transport.close();
    this.changed();
  }
}
