/** One consensus core with a virtual disk and a toy state machine: what a node is, without time and threads. */
import type { Effects, Raft, RaftLimits, ReadGrant, SoftState } from '../../src/raft/contract.ts';
import { createRaft } from '../../src/raft/raft.ts';
import { assert, must } from '../../src/wire/assert.ts';
import { ByteReader, ByteWriter } from '../../src/wire/bytes.ts';
import {
  ENTRY_HEADER_BYTES,
  type Entry,
  EntryKind,
  type LogIndex,
  makeEntry,
  type ReplicaId,
} from '../../src/wire/entry.ts';
import {
  encodeMembershipEntry,
  type MemberInfo,
  type Membership,
} from '../../src/wire/membership.ts';
import { type Message, readMessage, writeMessage } from '../../src/wire/message.ts';
import { type Checkpoint, type Remains, VirtualDisk } from './virtual-disk.ts';

/** What a replica tells the world while it runs. */
export interface ReplicaEvents {
  message(message: Message): void;
  /** A follower needs a checkpoint at or behind `index`. */
  snapshot(from: VirtualReplica, to: ReplicaId, index: LogIndex): void;
  softState?(replica: VirtualReplica, state: SoftState): void;
  read?(replica: VirtualReplica, grant: ReadGrant): void;
  readDropped?(replica: VirtualReplica, context: number): void;
  applied?(replica: VirtualReplica, entry: Entry): void;
  removed?(replica: VirtualReplica, index: LogIndex): void;
  recovered?(replica: VirtualReplica, index: LogIndex): void;
  /** Before and after a message is taken in; effects follow. */
  arriving?(replica: VirtualReplica, message: Message): void;
  arrived?(replica: VirtualReplica, message: Message): void;
  ticked?(replica: VirtualReplica): void;
  /** After every input, before and after its effects. */
  stepped?(replica: VirtualReplica): void;
  effects?(replica: VirtualReplica, effects: Effects): void;
}

/** How a replica is run. */
export interface ReplicaOptions {
  readonly limits: RaftLimits;
  /** Writes are acknowledged when they are written, and synced later (architecture 4). */
  readonly relaxed: boolean;
}

/** Address of a replica in tests. */
export function memberOf(replica: ReplicaId): MemberInfo {
  return { replica, node: replica, url: `http://node-${replica}` };
}

/** The disk of a founder: the first membership at index 1, committed. */
export function foundOn(disk: VirtualDisk, voters: readonly ReplicaId[]): void {
  const payload = encodeMembershipEntry({ type: 'found', members: voters.map(memberOf) });
  disk.hardState = { term: 1, vote: 0, commit: 1 };
  disk.entries = [makeEntry(1, 1, EntryKind.membership, payload)];
}

/** A copy that went over the wire. */
export function overTheWire(message: Message): Message {
  const out = new ByteWriter();
  writeMessage(out, message);
  const input = new ByteReader(out.take());
  const copy = readMessage(input);
  input.finish();
  return copy;
}

/** See the head of this file. Crash and restart keep the disk and nothing else. */
export class VirtualReplica {
  readonly id: ReplicaId;
  readonly disk: VirtualDisk;
  readonly options: ReplicaOptions;
  readonly #events: ReplicaEvents;
  #raft: Raft | null = null;
  boots: number = 0;
  /** Committed entries that wait to be applied. */
  readonly toApply: Entry[] = [];
  /** State: the running hash, and the index it stands for. */
  hash: number = 0;
  applied: LogIndex = 0;
  /** Reads granted whose index is not applied yet. */
  reads: ReadGrant[] = [];
  /** A relaxed replica lost its boot and does not know yet that it has caught up. */
  lostBoot: boolean = false;
  /** Its disk hangs. */
  stalled: boolean = false;

  constructor(id: ReplicaId, options: ReplicaOptions, events: ReplicaEvents) {
    this.id = id;
    this.options = options;
    this.disk = new VirtualDisk();
    this.#events = events;
  }

  get up(): boolean {
    return this.#raft !== null;
  }

  get raft(): Raft {
    return must(this.#raft, `replica ${this.id} is down`);
  }

  get recovering(): boolean {
    return this.options.relaxed && this.lostBoot;
  }

  /** Opens the disk and runs. */
  start(seed: number = this.id * 1000 + this.boots): void {
    assert(!this.up, `replica ${this.id} runs`);
    this.boots++;
    const { limits } = this.options;
    const { recovering, id } = this;
    this.hash = this.disk.checkpoint.hash;
    this.applied = this.disk.checkpoint.index;
    this.#raft = createRaft({ ...this.disk.recovered(), id, limits, seed, recovering });
    this.drain();
  }

  /** Dies; unsynced writes are lost but for `remains`. In relaxed mode the machine's power failed. */
  crash(remains: Remains): void {
    this.disk.crash(remains);
    this.#stop();
    this.lostBoot = true;
  }

  /** The process dies, the machine does not: what was written is kept. */
  kill(): void {
    this.disk.sync();
    this.#stop();
  }

  #stop(): void {
    this.#raft = null;
    this.stalled = false;
    this.toApply.length = 0;
    this.reads = [];
  }

  /** Performs effects until there are none. */
  drain(): void {
    const { raft } = this;
    this.#events.stepped?.(this);
    while (raft.hasEffects()) this.#perform(raft.takeEffects());
    this.#events.stepped?.(this);
  }

  #perform(effects: Effects): void {
    const events = this.#events;
    events.effects?.(this, effects);
    const { softState, removedAt, recoveredAt } = effects;
    const writes = [...effects.writes];
    const dropped = [...effects.readsDropped];
    const snapshots = [...effects.snapshots];
    this.toApply.push(...effects.committed);
    this.reads.push(...effects.reads);
    for (const message of [...effects.messages]) events.message(overTheWire(message));
    if (softState !== null) events.softState?.(this, softState);
    for (const { to, index } of snapshots) events.snapshot(this, to, index);
    for (const context of dropped) events.readDropped?.(this, context);
    if (removedAt !== null) events.removed?.(this, removedAt);
    this.disk.queue.push(...writes);
    if (this.options.relaxed) this.#acknowledge(writes);
    if (recoveredAt !== null) this.#recovered(recoveredAt);
    this.#serveReads();
  }

  /** Relaxed mode: written is good enough, but for terms and votes. */
  #acknowledge(writes: Effects['writes']): void {
    for (const write of writes) {
      const { hardState } = write;
      const { term, vote } = this.disk.hardState;
      if (hardState !== null && (hardState.term !== term || hardState.vote !== vote)) {
        this.disk.sync();
      }
      this.raft.storageDone(write.token);
    }
  }

  #recovered(index: LogIndex): void {
    this.disk.sync();
    this.lostBoot = false;
    this.raft.recovered();
    this.#events.recovered?.(this, index);
  }

  /** Makes the oldest `count` writes durable. */
  sync(count: number = this.disk.queue.length): void {
    for (let done = 0; done < count; done++) {
      for (const token of this.disk.sync(1)) this.raft.storageDone(token);
      this.drain();
    }
  }

  /** Applies up to `count` committed entries. */
  apply(count: number = Number.POSITIVE_INFINITY): void {
    for (let done = 0; done < count; done++) {
      const entry = this.toApply.shift();
      if (entry === undefined) break;
      this.#applyEntry(entry);
      if (this.toApply.length === 0 || entry.kind === EntryKind.membership) this.drain();
    }
    this.#serveReads();
    this.drain();
  }

  #applyEntry(entry: Entry): void {
    assert(entry.index === this.applied + 1, `replica ${this.id} applies ${entry.index}`);
    if (entry.kind === EntryKind.membership) this.raft.applyMembership(entry);
    this.hash = mix(this.hash, checksum(entry));
    this.applied = entry.index;
    this.raft.applied(entry.index);
    this.#events.applied?.(this, entry);
  }

  #serveReads(): void {
    const ready = this.reads.filter((read) => read.index <= this.applied);
    this.reads = this.reads.filter((read) => read.index > this.applied);
    for (const read of ready) this.#events.read?.(this, read);
  }

  /** Cuts a checkpoint of what is applied, and keeps `keep` entries before it for followers. */
  checkpoint(keep: number): void {
    const { raft, applied, hash } = this;
    const term = raft.termAt(applied);
    if (applied === 0 || term === null || applied <= this.disk.checkpoint.index) return;
    if (this.options.relaxed) this.disk.sync();
    this.disk.save({ index: applied, term, membership: raft.membership, hash }, applied - keep);
    raft.compact(this.disk.compacted.index);
    this.drain();
  }

  /** Puts a peer's checkpoint in the place of log and state. */
  install(checkpoint: Checkpoint): void {
    const { raft } = this;
    this.sync();
    if (checkpoint.index > this.applied) {
      raft.setInstalling(true);
      this.toApply.splice(0, this.toApply.findIndex((each) => each.index > checkpoint.index) >>> 0);
      const keepLog = raft.termAt(checkpoint.index) === checkpoint.term;
      this.disk.install(checkpoint, keepLog);
      this.hash = checkpoint.hash;
      this.applied = checkpoint.index;
    }
    raft.installed(checkpoint);
    this.drain();
    this.#serveReads();
  }

  step(message: Message): void {
    this.#events.arriving?.(this, message);
    this.raft.step(message);
    this.#events.arrived?.(this, message);
    this.drain();
  }

  /** The disk hangs, or does so no more. */
  stall(stalled: boolean): void {
    this.stalled = stalled;
    this.raft.setStorageStalled(stalled);
    this.drain();
  }

  tick(count: number = 1): void {
    for (let i = 0; i < count; i++) {
      this.raft.tick();
      this.#events.ticked?.(this);
      this.drain();
    }
  }

  /** Proposes a payload, without taking effects yet; returns the entry or why not. */
  propose(payload: Uint8Array): ReturnType<Raft['propose']> {
    const record = new Uint8Array(ENTRY_HEADER_BYTES + payload.length);
    record.set(payload, ENTRY_HEADER_BYTES);
    return this.raft.propose(record, EntryKind.commands);
  }

  get membership(): Membership {
    return this.raft.membership;
  }
}

/** The stored checksum of an entry: stands for its content. */
export function checksum(entry: Entry): number {
  const { bytes } = entry;
  return (bytes[4]! | (bytes[5]! << 8) | (bytes[6]! << 16) | (bytes[7]! << 24)) >>> 0;
}

function mix(hash: number, value: number): number {
  return (Math.imul(hash ^ value, 0x01000193) + 0x9e3779b9) >>> 0;
}
