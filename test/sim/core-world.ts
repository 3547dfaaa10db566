/**
 * A cluster of cores under a random schedule: a lossy, duplicating, reordering network, crashes that lose unsynced
 * writes, partitions, lagging disks and state machines, checkpoints, membership churn, transfers, reads. Everything
 * comes from one seed; a second phase heals all and demands progress.
 */
import type { RaftLimits } from '../../src/raft/contract.ts';
import { assert } from '../../src/wire/assert.ts';
import { EntryKind, type ReplicaId } from '../../src/wire/entry.ts';
import type { MemberChange } from '../../src/wire/membership.ts';
import type { Message } from '../../src/wire/message.ts';
import { CoreChecker, votes } from './core-checker.ts';
import { CoreRules } from './core-rules.ts';
import { drawLimits, drawSwarm, ELECTION_TICKS, type Swarm } from './core-swarm.ts';
import { Dice } from './random.ts';
import type { Checkpoint } from './virtual-disk.ts';
import { foundOn, memberOf, type ReplicaEvents, VirtualReplica } from './virtual-replica.ts';

interface Packet {
  readonly from: ReplicaId;
  readonly to: ReplicaId;
  readonly message: Message | null;
  readonly checkpoint: Checkpoint | null;
}

/** A read that is not answered: where it was asked, and what it must not miss. */
interface PendingRead {
  readonly replica: VirtualReplica;
  readonly boot: number;
  readonly floor: number;
}

/** One seed's world. `run` throws on the first violation. */
export class CoreWorld {
  readonly replicas: Map<ReplicaId, VirtualReplica> = new Map();
  readonly #rules: CoreRules = new CoreRules(this.replicas, ELECTION_TICKS);
  readonly checker: CoreChecker = new CoreChecker(this.replicas, this.#rules);
  readonly swarm: Swarm;
  readonly #dice: Dice;
  readonly #limits: RaftLimits;
  readonly #events: ReplicaEvents;
  #network: Packet[] = [];
  readonly #cut: Set<string> = new Set();
  readonly #reads: Map<number, PendingRead> = new Map();
  /** What was committed when a replica began the boot in which it recovers. */
  readonly #floors: Map<ReplicaId, number> = new Map();
  readonly #gone: Set<ReplicaId> = new Set();
  #contexts = 0;
  #nextId: ReplicaId;
  #proposals = 0;
  #healed = false;
  readsServed: number = 0;

  constructor(seed: number) {
    this.#dice = new Dice(seed);
    this.swarm = drawSwarm(this.#dice);
    this.#limits = drawLimits(this.#dice);
    this.#events = this.#makeEvents();
    this.#nextId = this.swarm.voters + 1;
    const voters = Array.from({ length: this.swarm.voters }, (_, at) => at + 1);
    for (const id of voters) this.#add(id);
    foundOn(this.#get(1).disk, voters);
    for (const id of voters) this.#boot(this.#get(id));
    this.#get(1).apply();
    this.#get(1).raft.campaign();
    this.#get(1).drain();
  }

  #makeEvents(): ReplicaEvents {
    return {
      message: (message) => {
        this.checker.observeSend(message);
        this.#send({ from: message.from, to: message.to, message, checkpoint: null });
      },
      snapshot: (replica, to, index) => {
        const { checkpoint } = replica.disk;
        assert(checkpoint.index >= index, 'a checkpoint reaches back to the log');
        this.#network.push({ from: replica.id, to, message: null, checkpoint });
      },
      read: (replica, grant) => {
        const { floor } = this.#reads.get(grant.context)!;
        assert(replica.applied >= floor, () => `read at ${replica.id} misses entry ${floor}`);
        this.#reads.delete(grant.context);
        this.readsServed++;
      },
      readDropped: (_replica, context) => this.#reads.delete(context),
      arriving: (replica, message) => this.#rules.arriving(replica, message),
      arrived: (replica, message) => this.#rules.arrived(replica, message),
      ticked: (replica) => this.#rules.ticked(replica),
      recovered: (replica) => {
        this.checker.observeRecovered(replica, this.#floors.get(replica.id)!);
      },
      applied: (replica, entry) => this.checker.observeApply(replica, entry.index),
      stepped: (replica) => this.checker.observe(replica),
      effects: (replica, effects) => {
        for (const write of effects.writes) this.checker.observeWrite(replica, write.entries);
        for (const { context } of effects.reads) this.#rules.granted(replica, context);
      },
      removed: (replica) => this.#gone.add(replica.id),
    };
  }

  #send(packet: Packet): void {
    if (!this.#healed && this.#dice.percent(this.swarm.loss)) return;
    this.#network.push(packet);
    if (!this.#healed && this.#dice.percent(this.swarm.duplicate)) this.#network.push(packet);
  }

  #add(id: ReplicaId): VirtualReplica {
    const options = { limits: this.#limits, relaxed: this.swarm.relaxed };
    const replica = new VirtualReplica(id, options, this.#events);
    this.replicas.set(id, replica);
    return replica;
  }

  #get(id: ReplicaId): VirtualReplica {
    return this.replicas.get(id)!;
  }

  #boot(replica: VirtualReplica): void {
    this.#floors.set(replica.id, this.checker.lastCommitted);
    replica.start(this.#dice.seed());
    for (const peer of this.replicas.values()) {
      if (peer === replica || !peer.up) continue;
      if (peer.recovering) replica.raft.peerRestarted(peer.id, true);
      if (!replica.recovering && this.#dice.percent(50)) continue;
      peer.raft.peerRestarted(replica.id, replica.recovering);
      this.#rules.restarted(peer, replica);
      peer.drain();
    }
  }

  get #up(): VirtualReplica[] {
    return [...this.replicas.values()].filter((replica) => replica.up);
  }

  /** Faults and load for `steps` steps, then healing and progress. */
  run(steps: number): void {
    for (let i = 0; i < steps; i++) this.#act();
    this.#heal();
    this.#converge();
  }

  #act(): void {
    const dice = this.#dice;
    const { swarm } = this;
    if (dice.percent(swarm.crash)) this.#crashOne();
    if (dice.percent(swarm.partition)) this.#partition();
    if (dice.percent(swarm.churn)) this.#churn();
    if (dice.percent(swarm.depose)) this.#depose();
    if (dice.percent(2)) this.#restartOne();
    if (this.#up.length === 0) return;
    const replica = dice.pick(this.#up);
    if (dice.percent(swarm.transfer)) this.#transfer(replica);
    if (dice.percent(swarm.checkpoint)) replica.checkpoint(dice.below(10));
    if (dice.percent(swarm.hint)) this.#hint(replica);
    if (dice.percent(swarm.stall)) this.#stall(replica);
    const choice = dice.below(100);
    if (choice < 55) this.#deliver();
    else if (choice < 65) replica.tick();
    else if (choice < 80) this.#sync(replica);
    else if (choice < 88) replica.apply(1 + dice.below(4));
    else if (choice < 95) this.#propose(replica);
    else this.#readSomewhere(replica);
  }

  #sync(replica: VirtualReplica): void {
    if (replica.stalled) return;
    replica.sync(1 + this.#dice.below(3));
  }

  #propose(replica: VirtualReplica): void {
    // A deposed leader that has not heard of it goes on, too: its log grows apart from the others'.
    const leaders = this.#up.filter((each) => each.raft.role === 'leader');
    const target =
      leaders.length > 0 && this.#dice.percent(80) ? this.#dice.pick(leaders) : replica;
    for (let left = this.#dice.percent(20) ? 5 : 1; left > 0; left--) {
      const payload = new Uint8Array(this.#dice.below(60));
      payload.fill(++this.#proposals & 255);
      target.propose(payload);
    }
    if (this.#dice.percent(70)) target.drain();
  }

  /** Reads often ask whoever believes to lead: a deposed leader must not answer. */
  #readSomewhere(replica: VirtualReplica): void {
    const leaders = this.#up.filter((each) => each.raft.role === 'leader');
    this.#read(leaders.length > 0 && this.#dice.percent(60) ? this.#dice.pick(leaders) : replica);
  }

  #read(replica: VirtualReplica): void {
    const context = ++this.#contexts;
    const floor = this.checker.lastCommitted;
    this.#reads.set(context, { replica, boot: replica.boots, floor });
    this.#rules.asked(context);
    replica.raft.readIndex(context);
    replica.drain();
  }

  #deliver(): void {
    const { length } = this.#network;
    if (length === 0) return;
    const at = this.#dice.below(Math.min(length, this.swarm.reorder));
    const [packet] = this.#network.splice(at, 1);
    this.#arrive(packet!);
  }

  #arrive({ from, to, message, checkpoint }: Packet): void {
    const receiver = this.replicas.get(to);
    const lost = receiver === undefined || !receiver.up || this.#cut.has(`${from}>${to}`);
    if (message !== null) {
      if (!lost) receiver.step(message);
      return;
    }
    const sender = this.#get(from);
    if (!lost && !receiver.stalled) receiver.install(checkpoint!);
    if (!sender.up) return;
    sender.raft.snapshotReport(to, checkpoint!.index, !lost);
    sender.drain();
  }

  #crashOne(): void {
    const replica = this.#dice.pick([...this.replicas.values()]);
    if (!replica.up) return;
    // One lost boot at a time; and a founder whose peers are pristine has nobody to recover from.
    const founding = this.checker.lastCommitted < 2;
    const lossy = founding || [...this.replicas.values()].some((each) => each.recovering);
    if (this.swarm.relaxed && (lossy || this.#dice.percent(50))) {
      replica.kill();
      return;
    }
    const { queue } = replica.disk;
    const writes = this.#dice.below(queue.length + 1);
    const entries = this.#dice.below((queue[writes]?.entries.length ?? 0) + 1);
    replica.crash({ writes, entries });
  }

  #restartOne(): void {
    const down = [...this.replicas.values()].filter((replica) => !replica.up);
    if (down.length > 0) this.#boot(this.#dice.pick(down));
  }

  #partition(): void {
    this.#cut.clear();
    if (this.#dice.percent(40)) return;
    const leader = this.#up.find((replica) => replica.raft.role === 'leader');
    if (leader !== undefined && this.#dice.percent(40)) this.#isolate(leader.id);
    else this.#cutSome();
  }

  #isolate(id: ReplicaId): void {
    for (const other of this.replicas.keys()) {
      this.#cut.add(`${id}>${other}`);
      this.#cut.add(`${other}>${id}`);
    }
  }

  /**
   * A leader that is cut off goes on writing; another is elected, begins its term and perhaps dies; then the first one is
   * back, with a log that is longer and older (rule E2).
   */
  #depose(): void {
    const old = this.#up.find((replica) => replica.raft.role === 'leader');
    if (old === undefined) return;
    this.#isolate(old.id);
    for (let i = 0; i < 5; i++) old.propose(new Uint8Array(i));
    old.sync();
    const elected = (): VirtualReplica | undefined =>
      this.#up.find((each) => each !== old && each.raft.role === 'leader');
    for (let rounds = 0; rounds < 40 && !elected(); rounds++) {
      for (const each of this.#up) if (each !== old) each.tick();
      for (let hops = 0; hops < 4; hops++) {
        for (const packet of this.#network.splice(0)) this.#arrive(packet);
        for (const each of this.#up) if (!each.stalled) each.sync();
      }
    }
    if (this.#dice.percent(70)) elected()?.kill();
    this.#cut.clear();
  }

  #cutSome(): void {
    const percent = this.#dice.pick([10, 30, 60]);
    const twoWay = this.#dice.percent(60);
    for (const a of this.replicas.keys()) {
      for (const b of this.replicas.keys()) {
        if (a >= b || !this.#dice.percent(percent)) continue;
        this.#cut.add(`${a}>${b}`);
        if (twoWay) this.#cut.add(`${b}>${a}`);
      }
    }
  }

  #transfer(replica: VirtualReplica): void {
    replica.raft.transferLeadership(this.#dice.pick([...this.replicas.keys()]));
    replica.drain();
  }

  #hint(replica: VirtualReplica): void {
    if (this.#dice.percent(50)) replica.raft.leaderLost();
    else replica.raft.unreachable(this.#dice.pick([...this.replicas.keys()]));
    replica.drain();
  }

  #stall(replica: VirtualReplica): void {
    replica.stall(!replica.stalled);
  }

  #churn(): void {
    const leader = this.#up.find((replica) => replica.raft.role === 'leader');
    if (leader === undefined) return;
    const { voters, learners } = leader.membership;
    const changes: MemberChange[] = [];
    const choice = this.#dice.below(4);
    if (choice === 0 && voters.length + learners.length < 7) {
      const id = this.#nextId++;
      this.#boot(this.#add(id));
      changes.push({ type: 'learner', member: memberOf(id) });
    } else if (choice === 1 && learners.length > 0) {
      changes.push({ type: 'voter', member: memberOf(this.#dice.pick(learners)) });
    } else if (choice === 2) {
      changes.push({ type: 'learner', member: memberOf(this.#dice.pick(voters)) });
    } else {
      changes.push({ type: 'remove', replica: this.#dice.pick([...voters, ...learners]) });
    }
    if (learners.length > 1 && this.#dice.percent(30)) {
      const other = this.#dice.pick(learners);
      const named = changes.some((each) =>
        each.type === 'remove' ? each.replica === other : each.member.replica === other,
      );
      if (!named) changes.push({ type: 'voter', member: memberOf(other) });
    }
    const pending = leader.raft
      .entries(leader.applied + 1, leader.raft.lastIndex, Number.POSITIVE_INFINITY)
      .some(({ kind }) => kind === EntryKind.membership);
    const proposed = leader.raft.proposeMembership({ type: 'change', changes });
    assert(!pending || typeof proposed === 'string', 'two membership changes at once (rule M1)');
    leader.drain();
  }

  #heal(): void {
    this.#healed = true;
    this.#cut.clear();
    for (const replica of this.#up) if (replica.stalled) replica.stall(false);
    for (const replica of this.replicas.values()) if (!replica.up) this.#boot(replica);
  }

  /** Everything runs: within a bounded number of ticks there is a leader whom all members follow to its last entry. */
  #converge(): void {
    this.#rounds(100);
    const leader = this.#leader();
    assert(leader !== null, 'no leader after healing');
    leader.propose(new Uint8Array(3));
    leader.drain();
    for (const replica of this.#up) this.#read(replica);
    this.#rounds(60);
    this.#checkConverged();
  }

  #checkConverged(): void {
    const leader = this.#leader();
    assert(leader !== null, 'no leader at the end');
    const { commit, lastIndex, membership } = leader.raft;
    assert(commit === lastIndex, () => `commit ${commit} stays behind ${lastIndex}`);
    assert(membership.outgoing.length === 0, 'the joint membership was never left');
    for (const { replica: id } of membership.members) {
      const replica = this.#get(id);
      assert(replica.applied === commit, () => `${id} stays at ${replica.applied} of ${commit}`);
      assert(replica.hash === leader.hash, () => `${id} has another state`);
      assert(!replica.recovering, () => `${id} never recovered`);
    }
    // Only who died owes an answer, and who was removed before it could serve what it was granted.
    for (const [context, { replica: asked, boot }] of this.#reads) {
      const dismissed = asked.reads.some(
        (read) => read.context === context && this.#gone.has(asked.id),
      );
      const owed = asked.boots !== boot || dismissed;
      assert(owed, () => `read ${context} at ${asked.id} was never answered`);
    }
  }

  #leader(): VirtualReplica | null {
    const leaders = this.#up.filter((replica) => replica.raft.role === 'leader' && votes(replica));
    return leaders.sort((a, b) => b.raft.term - a.raft.term)[0] ?? null;
  }

  #rounds(count: number): void {
    for (let round = 0; round < count; round++) {
      for (const replica of this.#up) replica.tick();
      for (let hop = 0; hop < 6; hop++) {
        for (const packet of this.#network.splice(0)) this.#arrive(packet);
        for (const replica of this.#up) {
          replica.sync();
          replica.apply();
        }
      }
    }
  }
}
