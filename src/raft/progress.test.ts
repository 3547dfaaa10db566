import { expect, test } from 'vitest';
import { Progress } from './progress.ts';

const LIMITS = {
  electionTicks: 10,
  heartbeatTicks: 1,
  maxAppendBytes: 100,
  maxInflightMessages: 2,
  maxInflightBytes: 100,
  maxUncommittedBytes: 100,
  maxApplyBytes: 100,
  maxPendingReads: 1,
};

function replicating(match: number): Progress {
  const progress = new Progress(2, match + 1, 1, LIMITS);
  progress.acknowledged(match);
  progress.becomeReplicate();
  return progress;
}

test('R4: match only moves forward, and stays below next', () => {
  const progress = replicating(5);
  expect(progress.acknowledged(9)).toBe(true);
  expect(progress.acknowledged(7)).toBe(false);
  expect([progress.match, progress.next]).toEqual([9, 10]);
});

test('R6: while replicating, refusals of what is acknowledged are stale', () => {
  const progress = replicating(5);
  progress.sent(8, 10);
  expect(progress.rejected(5, 3)).toBe(false);
  expect(progress.state).toBe('replicate');
  expect(progress.rejected(8, 2)).toBe(true);
  expect([progress.state, progress.next]).toEqual(['probe', 6]);
});

test('R6: while probing, only the refusal of the probe itself counts', () => {
  const progress = new Progress(2, 20, 1, LIMITS);
  progress.sent(20, 10);
  expect(progress.blocked).toBe(true);
  expect(progress.rejected(18, 3)).toBe(false);
  expect(progress.rejected(19, 7)).toBe(true);
  expect([progress.next, progress.blocked]).toEqual([8, false]);
});

test('R7: a full window blocks, an empty append passes beside it', () => {
  const progress = replicating(0);
  progress.sent(1, 10);
  progress.sent(2, 10);
  expect(progress.blocked).toBe(true);
  progress.sent(2, 0);
  expect(progress.inflights.count).toBe(2);
});

test('R8: a new session forgets what was acknowledged, and asks where it was', () => {
  const progress = replicating(5);
  progress.restart(2, true);
  expect([progress.match, progress.next, progress.state]).toEqual([0, 6, 'probe']);
  expect(progress.counted).toBe(0);
  progress.acknowledged(6);
  expect([progress.match, progress.counted]).toEqual([6, 0]);
});
