import { expect, test } from 'vitest';
import { DEFAULT_LIMITS } from '../config/limits.ts';
import type { StateMachine } from '../state-machine/contract.ts';
import type { QuorliteError } from '../wire/error.ts';
import { ApplyWaiters } from './apply-waiters.ts';
import { ReadGate } from './read-gate.ts';

test('who waits for an index that never comes is forgotten when its time is over', () => {
  let now = 0;
  const applyWaiters = new ApplyWaiters(0);
  const gate = new ReadGate({
    limits: DEFAULT_LIMITS,
    electionMs: 1000,
    applyWaiters,
    stateMachine: () => ({}) as StateMachine,
    now: () => now,
    wake: () => {},
    soon: () => {},
    lagMs: () => null,
    history: () => '',
  });
  const errors: (QuorliteError | null)[] = [];
  for (let i = 0; i < 10; i++) {
    const request = { sql: 'SELECT 1', minIndex: 1e9, timeoutMs: 100 } as const;
    const giveUp = gate.query({ ...request, consistency: 'session' }, (error) =>
      errors.push(error),
    );
    if (i % 2 === 0) giveUp();
  }
  now = 200;
  gate.expire(true);
  expect(errors.map((error) => error?.code)).toEqual(Array(5).fill('TIMEOUT'));
  expect(applyWaiters.length).toBe(0);
  expect(gate.pending).toBe(0);
});
