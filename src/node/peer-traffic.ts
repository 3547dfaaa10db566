/** What goes to and comes from peers: consensus messages with their clock stamps, forwarded writes, requests. */
import { Lane, type Peer } from '../transport/contract.ts';
import type { ReplicaId } from '../wire/entry.ts';
import { asQuorliteError, QuorliteError } from '../wire/error.ts';
import type { MemberInfo } from '../wire/membership.ts';
import type { Message } from '../wire/message.ts';
import type { CommandOutcome } from '../wire/result.ts';
import type { AdminRequest } from './contract.ts';
import { type Promised, readPromise } from './founding.ts';
import {
  type NodeFrame,
  outcomesFrames,
  type PeerRequest,
  raftFrame,
  readFrame,
  replyFrame,
} from './frames.ts';
import type { NodeInside } from './inside.ts';
import type { Joining } from './joining.ts';
import { JOIN_MS } from './timing.ts';

type Reply = (error: QuorliteError | null) => void;

/** Encodes what leaves and dispatches what arrives. */
export class PeerTraffic {
  readonly #node: NodeInside;
  readonly #joining: Joining;
  /** Answers to forwarded writes, gathered per asker during a turn. */
  readonly #answers = new Map<ReplicaId, { id: number; outcome: CommandOutcome }[]>();

  constructor(node: NodeInside, joining: Joining) {
    this.#node = node;
    this.#joining = joining;
  }

  /** Sends a consensus message, with what the receiver needs to know how stale it is. */
  send(message: Message): void {
    const node = this.#node;
    const { transport, platform } = node.options;
    const peer = node.peers.connected(message.to);
    if (!peer) return;
    const { raft } = node.replica;
    const envelope = {
      cluster: node.identity.cluster,
      sentAt: platform.clock.monotonicMs(),
      echo: peer.theirSentAt,
      commit: raft.commit,
      leaderLag: node.leaderLagMs() ?? -1,
    };
    const lane = message.entries.length > 0 ? Lane.bulk : Lane.control;
    const sent = transport.send(message.to, lane, raftFrame(envelope, message));
    if (!sent && lane === Lane.bulk) raft.unreachable(message.to);
  }

  receive(peer: Peer, bytes: Uint8Array): void {
    const node = this.#node;
    if (node.replica.stopped) return;
    const from = peer.hello.replica;
    try {
      this.#dispatch(peer, readFrame(bytes), bytes.length);
    } catch (error) {
      // A frame that fails its checks is as good as lost; a peer that keeps sending such is seen in the log.
      node.options.logger.warn('frame refused', { from, error: (error as Error).message });
    }
  }

  #dispatch(peer: Peer, frame: NodeFrame, bytes: number): void {
    const from = peer.hello.replica;
    const { replica, requests, snapshotInstaller, snapshotSender } = this.#node;
    switch (frame.kind) {
      case 'raft':
        this.#consensus(from, frame, bytes);
        return;
      case 'writes':
        for (const { id, command } of frame.writes) this.#forwarded(peer, id, command);
        return;
      case 'outcomes':
        for (const { id, outcome } of frame.outcomes) {
          replica.proposals.forwardedOutcome(id, outcome);
        }
        return;
      case 'request':
        this.#request(peer, frame.id, frame.request);
        return;
      case 'reply':
        requests.answered(from, frame.id, frame.error, frame.result);
        return;
      case 'snapshotBegin':
        // A newcomer may hear of its cluster by a snapshot first, when the log it needs is gone already.
        if (!this.#accepts(frame.cluster)) return;
        snapshotInstaller.begin(from, frame.transfer, frame.manifest);
        return;
      case 'snapshotChunk':
        snapshotInstaller.chunk(from, frame.transfer, frame.file, frame.offset, frame.bytes);
        return;
      case 'snapshotAck':
        snapshotSender.acknowledged(from, frame.transfer, frame.next, frame.failed);
    }
  }

  #consensus(from: ReplicaId, frame: NodeFrame & { kind: 'raft' }, bytes: number): void {
    const node = this.#node;
    const { message, cluster } = frame;
    if (message.from !== from || message.to !== node.self || !this.#accepts(cluster)) return;
    const peer = node.peers.connected(from);
    if (peer) peer.theirSentAt = frame.sentAt;
    this.#notePeer(from, frame);
    node.replica.step(message, bytes);
  }

  /** What a message of the current term tells of who leads and how fresh this replica is. */
  #notePeer(from: ReplicaId, frame: NodeFrame & { kind: 'raft' }): void {
    const { lag, lostMajority, replica } = this.#node;
    const { raft, stateMachine } = replica;
    // Whoever is in another term may follow another leader already.
    if (frame.message.term !== raft.term) return;
    if (raft.role === 'leader') {
      lag.echoFromPeer(from, frame.echo);
      return;
    }
    if (from !== raft.leader) return;
    lostMajority.heardLeader();
    if (frame.leaderLag < 0 || frame.echo <= 0) return;
    lag.known(frame.echo - frame.leaderLag, frame.commit, stateMachine.applied.index);
  }

  /** A pristine node listens to the cluster that it promised to found, or that it asked to join. */
  #accepts(cluster: number): boolean {
    const node = this.#node;
    if (cluster === node.identity.cluster) return true;
    if (!node.pristine || cluster === 0) return false;
    const promised = readPromise(node.identity)?.cluster;
    if (promised !== cluster && node.joinedCluster !== cluster) return false;
    return node.saveIdentity({ ...node.identity, cluster });
  }

  /**
   * Whether `peer` is still connected as it was when it asked. Over another connection it may be another life, which
   * counts its requests anew: an answer to the old one would answer something else. It has asked again anyway.
   */
  #waits({ hello, connection }: Peer): boolean {
    return this.#node.peers.connected(hello.replica)?.peer.connection === connection;
  }

  #forwarded(peer: Peer, id: number, command: Uint8Array): void {
    const from = peer.hello.replica;
    this.#node.replica.proposals.submitForwarded(command, (outcome) => {
      if (!this.#waits(peer)) return;
      let answers = this.#answers.get(from);
      if (!answers) {
        answers = [];
        this.#answers.set(from, answers);
        this.#node.options.platform.timers.soon(() => this.flushAnswers());
      }
      answers.push({ id, outcome });
    });
  }

  /** Sends the answers that gathered. */
  flushAnswers(): void {
    if (this.#answers.size === 0) return;
    for (const [to, answers] of this.#answers) {
      // What finds no room is asked for again.
      for (const frame of outcomesFrames(answers)) {
        this.#node.options.transport.send(to, Lane.bulk, [frame]);
      }
    }
    this.#answers.clear();
  }

  /** The connection to a peer is gone: it will ask again. */
  lost(peer: ReplicaId): void {
    this.#answers.delete(peer);
  }

  #request(peer: Peer, id: number, request: PeerRequest): void {
    const from = peer.hello.replica;
    const reply: Reply = (error) => {
      const { transport } = this.#node.options;
      if (!this.#waits(peer)) return;
      transport.send(from, Lane.control, [replyFrame(id, error, null)]);
    };
    try {
      this.#handle(request, reply);
    } catch (error) {
      reply(asQuorliteError(error));
    }
  }

  #handle(request: PeerRequest, reply: Reply): void {
    const { raft } = this.#node.replica;
    switch (request.op) {
      case 'promise':
        reply(this.#promise(request));
        return;
      case 'join':
        this.#join(request.member, request.voter, reply);
        return;
      case 'admin':
        if (raft.role === 'leader') {
          this.#node.admin.lead(request.request as AdminRequest, request.timeoutMs, reply);
        } else {
          reply(new QuorliteError('NOT_LEADER', 'this node does not lead (any more)'));
        }
    }
  }

  #promise({ cluster, founder }: Promised): QuorliteError | null {
    const node = this.#node;
    if (!node.pristine || node.replica.raft.lastIndex > 0) {
      return new QuorliteError('CLUSTER_MISMATCH', 'this node belongs to a cluster already');
    }
    if (this.#joining.promise({ cluster, founder })) return null;
    return new QuorliteError('STORAGE_FAILED', 'the promise could not be stored');
  }

  #join(member: MemberInfo, voter: boolean, reply: Reply): void {
    const { replica, membership, requests } = this.#node;
    const { role, leader } = replica.raft;
    if (role === 'leader') {
      membership.join(member, voter, JOIN_MS, reply);
    } else if (leader === 0 || leader === member.replica) {
      reply(new QuorliteError('NOT_LEADER', 'no leader is known'));
    } else {
      requests.ask(leader, { op: 'join', member, voter }, JOIN_MS, reply);
    }
  }
}
