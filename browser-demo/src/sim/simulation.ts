/** A whole run: five nodes of the product in a virtual world, and what is done to them. */
import type { AdminRequest } from '../../../src/node/contract.ts';
import type { VirtualProcess, VirtualWorld } from '../../../src/runtime/virtual/contract.ts';
import { createVirtualWorld } from '../../../src/runtime/virtual/world.ts';
import { writeOperation } from '../../../src/wire/operation.ts';
import type { Engine } from '../../../wasm/engine.ts';
import { Checker } from './checker.ts';
import { copyDisk, type DiskFolder, flipBit, restoreDisk } from './disks.ts';
import { Member } from './member.ts';
import { Narrator } from './narrator.ts';
import type { CheckView, EventKind, Input } from './protocol.ts';
import type { Recorder } from './recorder.ts';
import { Statements } from './statements.ts';
import { Wires } from './wires.ts';
import { TOTAL, Workload } from './workload.ts';

/** Nodes that found the cluster, and how many there may be. */
export const FOUNDERS: readonly number[] = [1, 2, 3, 4, 5];
const MOST = 7;
/** A picture is taken so often, milliseconds. */
const FRAME_MS = 20;
const ADMIN_MS = 8000;

const SCHEMA = `CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL,
    at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP);
  INSERT INTO notes (text) VALUES ('five nodes, one database'), ('kill the leader: this row stays')`;

/** A run. The same seed and inputs give the same one. */
export class Simulation {
  readonly world: VirtualWorld;
  readonly members: Member[] = [];
  readonly checker: Checker = new Checker();
  readonly workload: Workload;
  readonly #recorder: Recorder;
  readonly #wires: Wires;
  readonly #narrator: Narrator;
  readonly #statements: Statements;
  readonly #engine: Engine;
  readonly #cuts = new Set<number>();
  /** Whole milliseconds that have passed. */
  #now = 0;
  #happened = true;
  #furnished: 'no' | 'asked' | 'yes' = 'no';

  constructor(seed: string, engine: Engine, recorder: Recorder) {
    this.#engine = engine;
    this.#recorder = recorder;
    this.world = createVirtualWorld(seed, {
      onError: (process, error) => this.#crashed(process, error),
    });
    const tell = (node: number, kind: EventKind, text: string): void =>
      this.#tell(node, kind, text);
    this.#narrator = new Narrator(() => this.members, tell);
    this.#wires = new Wires(this.world, {
      sent: (message) => {
        recorder.sent(message);
        this.#narrator.sent(message);
      },
      ended: (arrival) => recorder.arrived(arrival),
      taken: (message) => this.#narrator.taken(message),
    });
    this.#statements = new Statements({
      now: () => this.world.nowMs,
      checker: this.checker,
      answered: (answer) => {
        recorder.answer(answer);
        if (answer.answered === null) return;
        const took = Math.round(answer.answered - answer.asked);
        const how = answer.error === '' ? `answered at ${answer.index}` : answer.error;
        tell(answer.node, 'sql', `n${answer.node}: ${short(answer.sql)} — ${how}, ${took} ms`);
      },
    });
    this.workload = new Workload({
      world: this.world,
      checker: this.checker,
      members: () => this.members,
      act: (input) => this.act(input),
      told: (text) => tell(0, 'check', text),
    });
    this.world.observe(() => {
      this.#happened = true;
    });
    for (const id of FOUNDERS) this.#create(id, FOUNDERS);
  }

  /** Whole virtual milliseconds since the beginning. */
  get now(): number {
    return this.#now;
  }

  /** Whether there is a leader. */
  get led(): boolean {
    return this.members.some(({ inside }) => inside?.replica.raft.role === 'leader');
  }

  get cuts(): number[] {
    return [...this.#cuts].sort((a, b) => a - b);
  }

  /** Lets a millisecond pass. Returns whether anything happened. */
  advance(): boolean {
    this.#happened = false;
    this.world.run(1);
    this.#now++;
    const happened = this.#happened;
    if (happened) {
      this.checker.look(this.members);
      if (this.#furnished === 'no') this.#furnish();
    }
    if (this.#now % FRAME_MS === 0) {
      this.#recorder.frame(this.#now, this.members, this.cuts, this.#now % 5000 === 0);
    }
    return happened;
  }

  /** Takes a picture now, whatever changed. */
  picture(): void {
    this.#recorder.frame(this.#now, this.members, this.cuts, true);
  }

  checks(): CheckView[] {
    const checks = this.checker.views();
    const { bank } = this.workload;
    if (bank === null) return checks;
    const broken = bank === TOTAL ? '' : `it holds ${bank}`;
    return [...checks, { name: `bank holds ${TOTAL}`, broken, detail: '' }];
  }

  /** The database of a node as a file. */
  export(node: number): Uint8Array<ArrayBuffer> | null {
    const service = this.#member(node)?.service;
    if (!service) return null;
    const source = service.openExport();
    const out = new Uint8Array(source.bytes);
    let at = 0;
    for (let part = source.read(65_536); part !== null; part = source.read(65_536)) {
      out.set(part, at);
      at += part.length;
    }
    source.close();
    return out;
  }

  /** The visitor, or chaos, does something. What cannot be done now is not done. */
  act(input: Input): void {
    switch (input.type) {
      case 'sql': {
        const member = this.#member(input.node);
        if (member) this.#statements.run(member, input.sql, input.level);
        break;
      }
      case 'load':
        this.workload.setLoad(input.perSecond);
        break;
      case 'chaos':
        this.workload.setChaos(input.on);
        this.#tell(0, 'fault', input.on ? 'chaos begins' : 'chaos ends; everything heals');
        break;
      case 'partition':
        this.#partition(input.groups);
        break;
      case 'cut':
      case 'heal':
        this.#cut(input.type, input.from, input.to);
        break;
      case 'healAll':
        if (this.#cuts.size > 0) this.#tell(0, 'fault', 'the network is whole again');
        this.#cuts.clear();
        this.world.network.healAll();
        break;
      case 'message':
        this.#mark(input.id, input.act);
        break;
      case 'add':
        this.#add(input.node);
        break;
      case 'promote':
      case 'remove':
      case 'transfer':
        this.#admin(input.type, input.node);
        break;
      default:
        this.#trouble(input);
    }
    this.picture();
  }

  #trouble(input: Exclude<Input, { type: 'sql' }> & { node?: number }): void {
    const member = this.#member(input.node ?? 0);
    if (member === undefined) return;
    const { id, process } = member;
    const { alive, paused } = process;
    const disk = process.disk.folder('data') as DiskFolder;
    const did = (kind: EventKind, text: string): void => this.#tell(id, kind, `n${id} ${text}`);
    if (input.type === 'kill' && alive) {
      this.#die(member, () => process.kill());
      did('fault', 'was killed; what it wrote is on its disk');
    } else if (input.type === 'crash' && alive) {
      this.#die(member, () => process.crash());
      did('fault', 'lost power; unsynced writes may be gone');
    } else if (input.type === 'restart') {
      if (alive) this.#die(member, () => process.kill());
      member.ended();
      did('fault', 'starts');
      process.restart();
    } else if (input.type === 'wipe' && !alive) {
      process.wipe();
      process.disk.syncMs = [6, 14];
      member.durable = 0;
      did('disk', 'has an empty disk; it will come back as a new replica');
    } else if (input.type === 'pause' && alive && !paused) {
      process.pause();
      did('fault', 'is paused; it notices nothing');
    } else if (input.type === 'resume' && paused) {
      process.resume();
      did('fault', 'goes on');
    } else if (input.type === 'slowDisk') {
      process.disk.syncMs = [input.ms * 0.6, input.ms];
      did(
        'disk',
        input.ms > 20 ? `has a slow disk: ${input.ms} ms a sync` : 'has a fast disk again',
      );
    } else if (input.type === 'drift') {
      process.clock.setDrift(input.ppm);
      did('fault', `has a clock that runs ${input.ppm / 10_000} % fast`);
    } else if (input.type === 'copyDisk') {
      member.copy = copyDisk(disk);
      did('disk', 'has a copy of its disk put aside');
    } else if (input.type === 'oldDisk' && !alive && member.copy !== null) {
      process.wipe();
      restoreDisk(process.disk.folder('data') as DiskFolder, member.copy);
      did('disk', 'has its old disk again');
    } else if (input.type === 'flipBit') {
      const where = flipBit(disk);
      if (where !== null) did('disk', `has a flipped bit at ${where}`);
    } else if (input.type === 'snapshot' && member.serving) {
      member.service!.checkpoint((error, taken) => {
        did(
          'disk',
          error ? `took no snapshot: ${error.message}` : `took a snapshot at ${taken!.index}`,
        );
      });
    }
  }

  #die(member: Member, how: () => void): void {
    how();
    this.#wires.died(member.id);
    member.ended();
  }

  #partition(groups: readonly (readonly number[])[]): void {
    const names = groups.map((group) => group.map((id) => `n${id}`));
    this.world.network.partition(...names);
    this.#cuts.clear();
    const groupOf = (id: number): number => {
      const group = groups.findIndex((members) => members.includes(id));
      return group < 0 ? 100 + id : group;
    };
    for (const { id: from } of this.members) {
      for (const { id: to } of this.members) {
        if (groupOf(from) !== groupOf(to)) this.#cuts.add(from * 16 + to);
      }
    }
    const sides = groups.map((group) => group.map((id) => `n${id}`).join(' '));
    this.#tell(0, 'fault', `the network splits: ${sides.join(' | ')}`);
  }

  #cut(type: 'cut' | 'heal', from: number, to: number): void {
    if (!this.#member(from) || !this.#member(to) || from === to) return;
    this.world.network[type](`n${from}`, `n${to}`);
    if (type === 'cut') this.#cuts.add(from * 16 + to);
    else this.#cuts.delete(from * 16 + to);
    const what = type === 'cut' ? 'nothing gets through' : 'messages get through again';
    this.#tell(0, 'fault', `n${from} to n${to}: ${what}`);
  }

  #mark(id: number, act: 'drop' | 'duplicate' | 'delay'): void {
    const message = this.#wires.mark(id, act);
    if (message === null) return;
    const done = { drop: 'lost', duplicate: 'doubled', delay: 'delayed by 1.5 s' }[act];
    const { from, to, text } = message;
    this.#tell(from, 'fault', `a message from n${from} to n${to} is ${done}: “${short(text)}”`);
  }

  #add(id: number): void {
    if (id < 1 || id > MOST) return;
    const known = this.#member(id);
    if (known !== undefined) return;
    this.#tell(id, 'member', `n${id} is started and asks to join as a learner`);
    this.#create(id, [...FOUNDERS, id]);
  }

  #admin(op: 'promote' | 'remove' | 'transfer', id: number): void {
    const asked = this.members.find(({ serving, inside }) => {
      return serving && inside!.replica.raft.role === 'leader';
    });
    const member = asked ?? this.members.find(({ serving }) => serving);
    if (member === undefined) return;
    const request: AdminRequest =
      op === 'transfer'
        ? { op, to: id }
        : op === 'promote'
          ? { op, id }
          : { op: 'removeMember', id };
    const what = {
      promote: `n${id} shall vote`,
      remove: `n${id} shall leave the cluster`,
      transfer: `n${id} shall lead`,
    }[op];
    this.#tell(id, 'member', what);
    member.service!.admin(request, ADMIN_MS, (error) => {
      if (error) this.#tell(id, 'member', `${what}: ${error.code}: ${error.message}`);
      else this.#tell(id, 'member', `${what}: done`);
    });
  }

  #create(id: number, configured: readonly number[]): void {
    const member: Member = new Member(
      id,
      configured,
      {
        engine: this.#engine,
        wires: this.#wires,
        events: {
          written: (who, entries) => {
            for (const entry of entries) this.#recorder.entry(entry);
            this.checker.wrote(who, entries);
          },
          logged: (who, event, fields) => this.#narrator.logged(who, event, fields),
          opened: (who) => this.checker.opened(who),
        },
      },
      (name, main) => this.world.createProcess(name, main),
    );
    this.members.push(member);
  }

  /** An error left a node: it is over, as a process would be. */
  #crashed(process: VirtualProcess, error: unknown): void {
    const member = this.members.find((one) => one.process === process);
    const message = error instanceof Error ? error.message : String(error);
    if (member === undefined) throw error;
    this.#die(member, () => process.kill());
    member.refused = message;
    this.#tell(member.id, 'disk', `n${member.id} refuses to start: ${message}`);
  }

  #member(id: number): Member | undefined {
    return this.members.find((member) => member.id === id);
  }

  /** The first leader gets a table to play with. */
  #furnish(): void {
    const leader = this.members.find(({ serving, service }) => serving && service!.readiness().ok);
    if (leader?.inside?.replica.raft.role !== 'leader') return;
    this.#furnished = 'asked';
    const operation = { op: 'batch', sql: SCHEMA, atomic: true } as const;
    const request = {
      operation: (out: Parameters<typeof writeOperation>[0]) => writeOperation(out, operation),
      timeoutMs: ADMIN_MS,
    };
    leader.service!.write(request, (outcome) => {
      if (outcome.ok) this.checker.acknowledged(outcome.index);
      this.#furnished = outcome.ok ? 'yes' : 'no';
    });
  }

  #tell(node: number, kind: EventKind, text: string): void {
    this.#recorder.event(this.world.nowMs, node, kind, text);
  }
}

function short(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 70 ? `${line.slice(0, 69)}…` : line;
}
