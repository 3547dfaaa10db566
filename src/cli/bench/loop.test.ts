import fc from 'fast-check';
import { expect, test } from 'vitest';
import { closedLoop, percentile } from './loop.ts';

test('percentiles are those of a naive count', () => {
  const share = fc.double({ min: 0.01, max: 1, noNaN: true });
  const values = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(values, share, (list, wanted) => {
      const sorted = Float64Array.from(list).sort();
      const found = percentile(sorted, wanted);
      const atMost = list.filter((value) => value <= found).length;
      const below = list.filter((value) => value < found).length;
      expect(atMost).toBeGreaterThanOrEqual(wanted * list.length - 1e-9);
      expect(below).toBeLessThan(wanted * list.length + 1e-9);
    }),
  );
  expect(percentile(new Float64Array(0), 0.5)).toBe(0);
});

test('never more outstanding than asked for, and errors are counted', async () => {
  let outstanding = 0;
  let most = 0;
  let calls = 0;
  const result = await closedLoop(4, 30, async () => {
    const call = ++calls;
    most = Math.max(most, ++outstanding);
    await new Promise((resolve) => setImmediate(resolve));
    outstanding--;
    if (call === 3) throw new Error('third');
  });
  expect(most).toBe(4);
  expect(outstanding).toBe(0);
  expect(result.errors).toBe(1);
  expect(result.operations).toBe(calls - 1);
  expect(result.firstError).toEqual(new Error('third'));
  expect(result.maxMs).toBeGreaterThanOrEqual(result.p99Ms);
});

test('a cluster that only fails ends the loop', async () => {
  const result = await closedLoop(2, 60_000, () => Promise.reject(new Error('no')));
  expect(result.errors).toBeGreaterThanOrEqual(100);
  expect(result.errors).toBeLessThan(103);
});
