import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdleQueue } from './idle-queue.ts';

/** One step: use a key, drop it, or take what has been idle. */
const step = fc.oneof(
  fc.record({ type: fc.constant('use' as const), key: fc.nat(20), after: fc.nat(5) }),
  fc.record({ type: fc.constant('drop' as const), key: fc.nat(20), after: fc.nat(5) }),
  fc.record({ type: fc.constant('take' as const), key: fc.constant(0), after: fc.nat(30) }),
);

describe('IdleQueue', () => {
  it('takes what a naive search takes, whatever was used, dropped and taken before', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const used = new Map<number, number>();
        const queue = new IdleQueue((key) => used.get(key) ?? -Infinity);
        let now = 0;
        for (const { type, key, after } of steps) {
          now += after;
          if (type === 'use') {
            if (!used.has(key)) queue.add(key, now);
            used.set(key, now);
          } else if (type === 'drop') {
            if (used.delete(key)) queue.removed();
          } else {
            const expected = [...used].filter(([, at]) => at <= now - 10).map(([one]) => one);
            const taken = new Set<number>();
            for (let one = queue.takeIdle(now - 10); one !== undefined; ) {
              taken.add(one);
              used.delete(one);
              one = queue.takeIdle(now - 10);
            }
            expect([...taken].sort((a, b) => a - b)).toEqual(expected.sort((a, b) => a - b));
          }
          expect(queue.oldest()).toBe(Math.min(...used.values(), Infinity));
        }
      }),
    );
  });

  it('does not grow with what is gone', () => {
    const used = new Map<number, number>();
    const queue = new IdleQueue((key) => used.get(key) ?? -Infinity);
    for (let key = 0; key < 5000; key++) {
      used.set(key, key);
      queue.add(key, key);
      used.delete(key);
      queue.removed();
    }
    expect(queue.size).toBeLessThan(2100);
    expect(queue.oldest()).toBe(Infinity);
  });
});
