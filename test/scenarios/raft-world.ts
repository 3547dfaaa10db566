/** The world behind raft transcripts: nothing happens in it but what a command says. */
import type { RaftLimits } from '../../src/raft/contract.ts';
import { AssertionError, assert } from '../../src/wire/assert.ts';
import type { ReplicaId } from '../../src/wire/entry.ts';
import type { MemberChange } from '../../src/wire/membership.ts';
import type { Message } from '../../src/wire/message.ts';
import { CoreChecker } from '../sim/core-checker.ts';
import type { Checkpoint } from '../sim/virtual-disk.ts';
import { foundOn, memberOf, type ReplicaEvents, VirtualReplica } from '../sim/virtual-replica.ts';
import {
  describeEntry,
  describeMembership,
  describeMessage,
  describeProgress,
  describeStatus,
  describeWrite,
  typeName,
} from './describe.ts';

interface Packet {
  readonly from: ReplicaId;
  readonly to: ReplicaId;
  readonly message: Message | null;
  readonly checkpoint: Checkpoint | null;
}

const LIMITS: RaftLimits = {
  electionTicks: 10,
  heartbeatTicks: 1,
  maxAppendBytes: 1_000_000,
  maxInflightMessages: 16,
  maxInflightBytes: 1_000_000,
  maxUncommittedBytes: 1_000_000,
  maxApplyBytes: 1_000_000,
  maxPendingReads: 100,
};

/**
 * Commands (replicas by number; `[…]` optional):
 *
 *     cluster 1 2 3 [relaxed] [limit=value …]   founded at the first one; all others pristine
 *     elect 1 [2 3]                             the others (all, or these) have lost their leader; 1 campaigns; settle
 *     run n [1 2 …]                             n ticks each, settling in between
 *     pristine 4                                a new replica with an empty disk
 *     campaign 1 | tick 1 [n] | lost 1 | stall 1 on|off | propose 1 text [n] | read 1 context
 *     change 1 learner:4 voter:5 remove:2 | transfer 1 2 | checkpoint 1 [keep] | unreachable 1 2
 *     restarted 1 2 [recovering]                1 hears that 2 began a new boot
 *     sync 1 [n] | apply 1 [n]                  oldest n writes durable; n entries applied
 *     deliver | drop | hold | release  [1>2] [type] [n]
 *     cut 1>2 | cut 1-2 | heal                  links; what crosses a cut link is lost
 *     settle [1 2 …]                            deliver, sync and apply until quiet, among these
 *     crash 1 | kill 1 | start 1                crash loses unsynced writes, kill does not
 *     status [1 …] | log 1 | disk 1 | progress 1 | flight
 */
export class RaftWorld {
  readonly #replicas: Map<ReplicaId, VirtualReplica> = new Map();
  readonly #checker: CoreChecker = new CoreChecker(this.#replicas);
  readonly #cut: Set<string> = new Set();
  #flight: Packet[] = [];
  #held: Packet[] = [];
  #out: string[] = [];
  #quiet = false;
  #limits: RaftLimits = LIMITS;
  #relaxed = false;

  /** Runs one command; returns what it printed. A broken invariant of the core under test is printed too. */
  run(command: string): readonly string[] {
    this.#out = [];
    const [name, ...words] = command.split(/\s+/);
    try {
      this.#perform(name!, words);
    } catch (error) {
      if (!(error instanceof AssertionError)) throw error;
      this.#out.push(`! ${error.message}`);
    }
    return this.#out;
  }

  #perform(name: string, words: string[]): void {
    const actions: Record<string, (words: string[]) => void> = {
      ...this.#inputs(),
      ...this.#surroundings(),
      ...this.#reports(),
    };
    const action = actions[name];
    if (action === undefined) throw new Error(`unknown command ${name}`);
    action(words);
  }

  /** Commands that are inputs of one core. */
  #inputs(): Record<string, (words: string[]) => void> {
    const input =
      (act: (replica: VirtualReplica, words: string[]) => void) =>
      ([id, ...rest]: string[]): void => {
        const replica = this.#get(id);
        act(replica, rest);
        replica.drain();
      };
    return {
      campaign: input((replica) => replica.raft.campaign()),
      tick: input((replica, [count]) => replica.tick(Number(count ?? 1))),
      lost: input((replica) => replica.raft.leaderLost()),
      stall: input((replica, [on]) => replica.raft.setStorageStalled(on === 'on')),
      propose: input((replica, [text, count]) => this.#propose(replica, text!, Number(count ?? 1))),
      read: input((replica, [context]) => replica.raft.readIndex(Number(context))),
      change: input((replica, changes) => this.#change(replica, changes)),
      transfer: input((replica, [to]) => {
        const refusal = replica.raft.transferLeadership(Number(to));
        if (refusal !== null) this.#print(refusal);
      }),
      checkpoint: input((replica, [keep]) => replica.checkpoint(Number(keep ?? 0))),
      unreachable: input((replica, [peer]) => replica.raft.unreachable(Number(peer))),
      restarted: input((replica, [peer, how]) =>
        replica.raft.peerRestarted(Number(peer), how === 'recovering'),
      ),
      sync: input((replica, [count]) =>
        replica.sync(count === undefined ? undefined : Number(count)),
      ),
      apply: input((replica, [count]) =>
        replica.apply(count === undefined ? undefined : Number(count)),
      ),
    };
  }

  /** Commands about replicas, links and messages. */
  #surroundings(): Record<string, (words: string[]) => void> {
    return {
      cluster: (words) => this.#found(words),
      pristine: ([id]) => this.#add(Number(id)).start(),
      start: ([id]) => this.#get(id).start(),
      crash: ([id]) => this.#get(id).crash({ writes: 0, entries: 0 }),
      kill: ([id]) => this.#get(id).kill(),
      elect: ([id, ...ids]) => this.#elect(this.#get(id), ids),
      run: ([count, ...ids]) => {
        for (let round = 0; round < Number(count); round++) this.#round(this.#among(ids));
      },
      settle: (ids) => this.#settle(this.#among(ids)),
      deliver: (filter) => {
        for (const packet of this.#take(filter)) this.#arrive(packet);
      },
      drop: (filter) => {
        for (const packet of this.#take(filter)) this.#report(packet, false);
      },
      hold: (filter) => void this.#held.push(...this.#take(filter)),
      release: () => void this.#flight.push(...this.#held.splice(0)),
      cut: (links) => {
        for (const link of links) this.#cutLink(link);
      },
      heal: () => this.#cut.clear(),
    };
  }

  /** Commands that only print. */
  #reports(): Record<string, (words: string[]) => void> {
    return {
      status: (ids) => {
        const shown = ids.length === 0 ? [...this.#replicas.keys()] : ids.map(Number);
        for (const id of shown) this.#status(this.#replicas.get(id)!);
      },
      log: ([id]) => {
        const { raft } = this.#get(id);
        const entries = raft.entries(raft.firstIndex, raft.lastIndex, Number.POSITIVE_INFINITY);
        this.#print(...entries.map(describeEntry));
      },
      disk: ([id]) => {
        const { hardState, last, checkpoint, queue } = this.#get(id).disk;
        const { term, vote, commit } = hardState;
        const log = `last=${last} checkpoint=${checkpoint.index} unsynced=${queue.length}`;
        this.#print(`term=${term} vote=${vote} commit=${commit} ${log}`);
      },
      progress: ([id]) => this.#print(...this.#get(id).raft.progress().map(describeProgress)),
      flight: () => this.#print(...this.#flight.map(describePacket)),
    };
  }

  #among(ids: string[]): VirtualReplica[] {
    return ids.length === 0 ? [...this.#replicas.values()] : ids.map((id) => this.#get(id));
  }

  /** Nobody of `ids` hears a leader any more; `candidate` asks them for their votes. Only the outcome is printed. */
  #elect(candidate: VirtualReplica, ids: string[]): void {
    const printed = [...this.#out];
    const flight = [...this.#flight];
    const voters = this.#among(ids).filter((replica) => replica.up);
    for (const voter of voters) {
      if (voter !== candidate) voter.raft.leaderLost();
      voter.drain();
    }
    this.#flight = flight;
    candidate.raft.campaign();
    candidate.drain();
    this.#settle(voters);
    this.#out = printed;
    const { role, term } = candidate.raft;
    this.#print(`${candidate.id} is ${role} t${term}`);
  }

  #round(among: VirtualReplica[]): void {
    for (const replica of among) {
      this.#quiet = true;
      if (replica.up) replica.tick();
      this.#settle(among);
    }
  }

  #print(...lines: string[]): void {
    this.#out.push(...lines);
  }

  #note(line: string): void {
    if (!this.#quiet) this.#out.push(line);
  }

  #get(id: string | undefined): VirtualReplica {
    const replica = this.#replicas.get(Number(id));
    assert(replica !== undefined, `there is no replica ${id}`);
    return replica;
  }

  #status(replica: VirtualReplica): void {
    if (!replica.up) this.#print(`${replica.id} down`);
    else this.#print(describeStatus(replica.raft, replica.applied));
  }

  #found(words: string[]): void {
    const ids = words.filter((word) => /^\d+$/.test(word)).map(Number);
    const limits = words.filter((word) => word.includes('=')).map((word) => word.split('='));
    this.#limits = { ...LIMITS, ...Object.fromEntries(limits.map(([k, v]) => [k, Number(v)])) };
    this.#relaxed = words.includes('relaxed');
    for (const id of ids) this.#add(id);
    const founder = this.#replicas.get(ids[0]!)!;
    foundOn(founder.disk, ids);
    for (const id of ids) this.#replicas.get(id)!.start();
    founder.apply();
    this.#out = [];
  }

  #add(id: ReplicaId): VirtualReplica {
    const options = { limits: this.#limits, relaxed: this.#relaxed };
    const replica = new VirtualReplica(id, options, this.#events());
    this.#replicas.set(id, replica);
    return replica;
  }

  #events(): ReplicaEvents {
    return {
      message: (message) => {
        this.#checker.observeSend(message);
        this.#note(describeMessage(message));
        this.#flight.push({ from: message.from, to: message.to, message, checkpoint: null });
      },
      snapshot: ({ id, disk }, to, index) => {
        this.#note(`${id} streams checkpoint ${disk.checkpoint.index} to ${to}, at least ${index}`);
        this.#flight.push({ from: id, to, message: null, checkpoint: disk.checkpoint });
      },
      softState: ({ id }, { role, term, leader }) => {
        this.#print(`${id} is ${role} t${term} leader=${leader}`);
      },
      read: ({ id }, { context, index }) => this.#print(`${id} reads ${context} at ${index}`),
      readDropped: ({ id }, context) => this.#print(`${id} drops read ${context}`),
      applied: (replica, entry) => {
        this.#checker.observeApply(replica, entry.index);
        this.#note(`${replica.id} applies ${describeEntry(entry)}`);
        if (entry.kind === 2) {
          this.#print(`${replica.id} has ${describeMembership(replica.membership)}`);
        }
      },
      removed: ({ id }, index) => this.#print(`${id} learns that it was removed at ${index}`),
      recovered: ({ id }, index) => this.#print(`${id} has recovered at ${index}`),
      stepped: (replica) => this.#checker.observe(replica),
      effects: (replica, { writes }) => {
        for (const write of writes) {
          this.#checker.observeWrite(replica, write.entries);
          this.#note(`${replica.id} ${describeWrite(write)}`);
        }
      },
    };
  }

  #propose(replica: VirtualReplica, text: string, count: number): void {
    for (let i = 0; i < count; i++) {
      const payload = new TextEncoder().encode(text === '-' ? '' : text);
      const outcome = replica.propose(payload);
      if (typeof outcome === 'string') this.#print(outcome);
    }
  }

  #change(replica: VirtualReplica, words: string[]): void {
    const changes = words.map((word): MemberChange => {
      const [type, id] = word.split(':');
      if (type === 'remove') return { type, replica: Number(id) };
      assert(type === 'voter' || type === 'learner', `unknown change ${word}`);
      return { type, member: memberOf(Number(id)) };
    });
    const outcome = replica.raft.proposeMembership({ type: 'change', changes });
    if (typeof outcome === 'string') this.#print(outcome);
  }

  /** Removes from the flight what a filter names, in order. */
  #take(filter: string[]): Packet[] {
    const link = filter.find((word) => word.includes('>'));
    const count = filter.find((word) => /^\d+$/.test(word));
    const type = filter.find((word) => word !== link && word !== count);
    let left = count === undefined ? Number.POSITIVE_INFINITY : Number(count);
    const taken: Packet[] = [];
    this.#flight = this.#flight.filter((packet) => {
      if (left <= 0 || !isOnLink(packet, link) || !isOfType(packet, type)) return true;
      left--;
      taken.push(packet);
      return false;
    });
    return taken;
  }

  #arrive(packet: Packet): void {
    const { from, to, message, checkpoint } = packet;
    const receiver = this.#replicas.get(to);
    if (!receiver?.up || this.#cut.has(`${from}>${to}`)) {
      this.#report(packet, false);
    } else if (message !== null) {
      receiver.step(message);
    } else {
      receiver.install(checkpoint!);
      this.#note(`${to} installs checkpoint ${checkpoint!.index}`);
      this.#report(packet, true);
    }
  }

  /** The sender of a checkpoint learns how its stream ended. */
  #report({ from, to, checkpoint }: Packet, ok: boolean): void {
    const sender = this.#replicas.get(from)!;
    if (checkpoint === null || !sender.up) return;
    sender.raft.snapshotReport(to, checkpoint.index, ok);
    sender.drain();
  }

  #cutLink(link: string): void {
    const [from, to] = link.split(/[>-]/);
    this.#cut.add(`${from}>${to}`);
    if (link.includes('-')) this.#cut.add(`${to}>${from}`);
  }

  #settle(among: VirtualReplica[]): void {
    const ids = new Set(among.map((replica) => replica.id));
    this.#quiet = true;
    for (let round = 0; round < 200; round++) {
      const before = this.#flight.length;
      const inside = this.#flight.filter(({ from, to }) => ids.has(from) && ids.has(to));
      this.#flight = this.#flight.filter(({ from, to }) => !ids.has(from) || !ids.has(to));
      for (const packet of inside) this.#arrive(packet);
      const busy = among.filter((replica) => replica.up && hasWork(replica));
      for (const replica of busy) {
        replica.sync();
        replica.apply();
      }
      if (inside.length === 0 && busy.length === 0 && this.#flight.length === before) break;
    }
    this.#quiet = false;
  }
}

function hasWork(replica: VirtualReplica): boolean {
  return replica.disk.queue.length > 0 || replica.toApply.length > 0;
}

function isOnLink(packet: Packet, link: string | undefined): boolean {
  if (link === undefined) return true;
  const [from, to] = link.split('>');
  const matches = (end: string | undefined, id: ReplicaId): boolean =>
    end === '*' || end === `${id}`;
  return matches(from, packet.from) && matches(to, packet.to);
}

function isOfType({ message }: Packet, type: string | undefined): boolean {
  if (type === undefined) return true;
  return type === (message === null ? 'checkpoint' : typeName(message));
}

function describePacket({ from, to, message, checkpoint }: Packet): string {
  if (message !== null) return describeMessage(message);
  return `${from}>${to} checkpoint ${checkpoint!.index}`;
}
