import { expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../config/limits.ts';
import type { Raft } from '../raft/contract.ts';
import type { ReadCursor, StateMachine } from '../state-machine/contract.ts';
import type { QuorliteError } from '../wire/error.ts';
import { ApplyWaiters } from './apply-waiters.ts';
import { ReadGate } from './read-gate.ts';

/** A gate at the index `applied`, and the clock of its node. */
function gateAt(
  applied: number,
  machine: Partial<StateMachine> = {},
  soon: (run: () => void) => void = () => {},
): {
  gate: ReadGate;
  applyWaiters: ApplyWaiters;
  clock: { now: number };
} {
  const clock = { now: 0 };
  const applyWaiters = new ApplyWaiters(applied);
  const gate = new ReadGate({
    limits: DEFAULT_LIMITS,
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
  for (let i = 0; i < 3; i++) turns.shift()!();
  giveUp();
  giveUp();
  for (const turn of turns) turn();
  expect([slices, closed, ends]).toEqual([3, 1, 0]);
});
