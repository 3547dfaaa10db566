import { expect, test } from 'vitest';
import { DEFAULT_LIMITS, type NodeLimits } from '../config/limits.ts';
import type { Raft } from '../raft/contract.ts';
import type { ReadCursor, ReadRequest, StateMachine } from '../state-machine/contract.ts';
import { QuorliteError } from '../wire/error.ts';
import { ApplyWaiters } from './apply-waiters.ts';
import type { ReadClient } from './contract.ts';
import { ReadGate } from './read-gate.ts';

/** A gate at the index `applied`, and the clock of its node. */
function gateAt(
  applied: number,
  machine: Partial<StateMachine> = {},
  soon: (run: () => void) => void = () => {},
  clock: { now: number } = { now: 0 },
  limits: Partial<NodeLimits> = {},
): {
  gate: ReadGate;
  applyWaiters: ApplyWaiters;
  clock: { now: number };
} {
  const applyWaiters = new ApplyWaiters(applied);
  const gate = new ReadGate({
    limits: { ...DEFAULT_LIMITS, ...limits },
    electionMs: 1000,
    applyWaiters,
    stateMachine: () => machine as StateMachine,
    now: () => clock.now,
    wake: () => {},
    soon,
    lagMs: () => 1.25,
    history: () => '',
  });
  return { gate, applyWaiters, clock };
}

test('who waits for an index that never comes is forgotten when its time is over', () => {
  const { gate, applyWaiters, clock } = gateAt(0);
  const errors: (QuorliteError | null)[] = [];
  for (let i = 0; i < 10; i++) {
    const request = { sql: 'SELECT 1', minIndex: 1e9, timeoutMs: 100 } as const;
    const giveUp = gate.query({ ...request, consistency: 'session' }, (error) =>
      errors.push(error),
    );
    if (i % 2 === 0) giveUp();
  }
  clock.now = 200;
  gate.expire(true);
  expect(errors.map((error) => error?.code)).toEqual(Array(5).fill('TIMEOUT'));
  expect(applyWaiters.length).toBe(0);
  expect(gate.pending).toBe(0);
});

test('a linearizable read waits for the index that it names, too', () => {
  const { gate, applyWaiters } = gateAt(5);
  let rounds = 0;
  const raft = { leader: 1, role: 'follower', readIndex: () => rounds++ } as unknown as Raft;
  let ends = 0;
  const request = { sql: 'SELECT 1', minIndex: 7, timeoutMs: 100 } as const;
  gate.query({ ...request, consistency: 'linearizable' }, () => ends++);
  gate.flush(raft);
  gate.granted({ context: 1, index: 5 });
  expect([rounds, ends]).toEqual([1, 0]);
  applyWaiters.advance(7);
  expect(ends).toBe(1);
});

test('the lag that an answer carries is a bound in whole milliseconds', () => {
  expect(gateAt(0).gate.lagNow()).toBe(2);
});

test('giving up ends a read between two slices, silently', () => {
  const turns: (() => void)[] = [];
  let slices = 0;
  let closed = 0;
  const cursor: ReadCursor = {
    columns: [],
    index: 1,
    next: () => ++slices === 100,
    close: () => closed++,
  };
  const machine = { readNow: () => null, openRead: () => cursor };
  const { gate } = gateAt(1, machine, (run) => turns.push(run));
  let ends = 0;
  const request = { sql: 'SELECT 1', timeoutMs: 100, consistency: 'stale' } as const;
  const giveUp = gate.query(request, () => ends++);
  while (slices < 3) turns.shift()!();
  giveUp();
  giveUp();
  while (turns.length > 0) turns.shift()!();
  expect([slices, closed, ends]).toEqual([3, 1, 0]);
  expect([gate.places.running, gate.places.waiting]).toEqual([0, 0]);
});

/** A gate whose reads cost engine time: `slices` of 20 ms each, a first look of the first one included. */
class Engine {
  readonly clock = { now: 0 };
  readonly gate: ReadGate;
  readonly turns: (() => void)[] = [];
  open = 0;
  mostOpen = 0;
  /** Longest engine time in one turn of the loop. */
  longestTurn = 0;

  constructor(limits: Partial<NodeLimits> = {}) {
    const { clock } = this;
    const machine = {
      readNow: ({ sql }: ReadRequest) => {
        if (Number(sql) > 1) clock.now += 20;
        return Number(sql) > 1 ? null : { columns: [], rows: [], index: 1 };
      },
      openRead: ({ sql }: ReadRequest): ReadCursor => {
        let left = Number(sql);
        this.mostOpen = Math.max(this.mostOpen, ++this.open);
        return {
          columns: [],
          index: 1,
          next: () => {
            clock.now += 20;
            return --left === 0;
          },
          close: () => this.open--,
        };
      },
    };
    const soon = (run: () => void): void => void this.turns.push(run);
    this.gate = gateAt(1, machine, soon, clock, limits).gate;
  }

  read(slices: number, client: ReadClient | undefined, done: (code: string) => void): () => void {
    const request = { sql: String(slices), timeoutMs: 1e6, consistency: 'stale', client } as const;
    return this.gate.query(request, (error) => done(error?.code ?? 'ok'));
  }

  turn(): void {
    const began = this.clock.now;
    for (const run of this.turns.splice(0)) run();
    this.longestTurn = Math.max(this.longestTurn, this.clock.now - began);
  }

  runAll(): void {
    while (this.turns.length > 0) this.turn();
  }
}

test('many long reads of one client take places one by one, and hold no other client up', () => {
  const engine = new Engine();
  const [greedy, modest] = [{ bufferedBytes: 0 }, { bufferedBytes: 0 }];
  const ended: string[] = [];
  for (let i = 0; i < 200; i++) engine.read(10, greedy, () => ended.push('greedy'));
  // What arrived at once cost one look.
  expect(engine.clock.now).toBe(20);
  engine.read(1, modest, () => ended.push('short'));
  engine.read(10, modest, () => ended.push('long'));
  // The greedy one's turn, then the modest one's.
  engine.turn();
  engine.turn();
  expect(ended).toEqual(['short']);
  for (let i = 0; i < 50; i++) {
    engine.turn();
    const before = ended.length;
    engine.read(1, modest, () => ended.push('short'));
    expect(ended.length).toBe(before + 1);
  }
  expect(ended).toContain('long');
  expect(ended.filter((who) => who === 'greedy').length).toBeLessThan(20);
  engine.runAll();
  expect(ended.filter((who) => who === 'greedy').length).toBe(200);
  expect(engine.mostOpen).toBeLessThanOrEqual(DEFAULT_LIMITS.maxClientReads + 1);
  // A look and a slice: the loop serves others in between.
  expect(engine.longestTurn).toBeLessThanOrEqual(40);
  expect([engine.open, engine.gate.places.running, engine.gate.pending]).toEqual([0, 0, 0]);
});

test('a client that does not take its answers gets no further place until it does', () => {
  const engine = new Engine();
  const client = { bufferedBytes: 0 };
  const ended: string[] = [];
  for (let i = 0; i < 20; i++) {
    engine.read(3, client, () => {
      ended.push('ok');
      client.bufferedBytes += 20 * 1024 * 1024;
    });
  }
  engine.runAll();
  const { maxClientReads } = DEFAULT_LIMITS;
  expect(ended.length).toBeLessThanOrEqual(maxClientReads + 2);
  const stalled = ended.length;
  engine.gate.expire(true);
  engine.runAll();
  expect(ended.length).toBe(stalled);
  for (let i = 0; i < 20; i++) {
    client.bufferedBytes = 0;
    engine.gate.expire(true);
    engine.runAll();
  }
  expect(ended.length).toBe(20);
});

test('places are bounded for all clients together, waiting ones too, and end with the node', () => {
  const engine = new Engine({ maxRunningReads: 3, maxPendingReads: 10 });
  const codes: string[] = [];
  const giveUps = Array.from({ length: 30 }, (_, i) => {
    return engine.read(5, { bufferedBytes: i }, (code) => codes.push(code));
  });
  expect(codes.every((code) => code === 'OVERLOADED')).toBe(true);
  expect(codes.length).toBe(30 - 10 - 1);
  for (let i = 0; i < 8; i++) engine.turn();
  expect(engine.mostOpen).toBe(3);
  for (const giveUp of giveUps.slice(0, 5)) giveUp();
  const refused = codes.length;
  engine.gate.close(new QuorliteError('SHUTTING_DOWN', 'the node stops'));
  engine.runAll();
  expect(codes.slice(refused)).toEqual(Array(6).fill('SHUTTING_DOWN'));
  expect([engine.open, engine.gate.places.running, engine.gate.places.waiting]).toEqual([0, 0, 0]);
});
