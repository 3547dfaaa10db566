import { expect, test } from 'vitest';
import type { CommandOutcome } from '../wire/result.ts';
import { outcomesFrames, readFrame } from './frames.ts';

function outcome(index: number, bytes: number): CommandOutcome {
  const rows = [['x'.repeat(bytes)]];
  const columns = [{ name: 'v', decltype: null }];
  const result = { rowsAffected: 0, lastInsertRowid: 0, columns, rows };
  return { ok: true, index, result: { type: 'statement', result } };
}

test('results that are too large for one frame go in several, in order', () => {
  const outcomes = Array.from({ length: 50 }, (_, i) => ({ id: i + 1, outcome: outcome(i, 1e5) }));
  const frames = outcomesFrames(outcomes);
  expect(frames.length).toBeGreaterThan(3);
  const read = frames.flatMap((frame) => {
    const decoded = readFrame(frame);
    return decoded.kind === 'outcomes' ? decoded.outcomes : [];
  });
  expect(read.map(({ id }) => id)).toEqual(outcomes.map(({ id }) => id));
  expect(Math.max(...frames.map((frame) => frame.length))).toBeLessThan(1.5 * 1024 * 1024);
  expect(outcomesFrames([])).toEqual([]);
});
