import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Inflights } from './inflights.ts';

test('R7: the window is a queue bounded in messages and bytes', () => {
  const step = fc.oneof(
    fc.record({ add: fc.integer({ min: 0, max: 50 }) }),
    fc.record({ free: fc.integer({ min: 0, max: 30 }) }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step), (size, steps) => {
      const window = new Inflights(size, 100);
      let model: { last: number; bytes: number }[] = [];
      let last = 0;
      for (const each of steps) {
        if ('free' in each) {
          window.freeTo(each.free);
          model = model.filter((sent) => sent.last > each.free);
        } else if (!window.full) {
          window.add(++last, each.add);
          model.push({ last, bytes: each.add });
        }
        const bytes = model.reduce((sum, sent) => sum + sent.bytes, 0);
        expect(window.count).toBe(model.length);
        expect(window.bytes).toBe(bytes);
        expect(window.full).toBe(model.length >= size || bytes >= 100);
      }
    }),
  );
});

test('one append may be larger than the window', () => {
  const window = new Inflights(8, 100);
  window.add(1, 5000);
  expect(window.full).toBe(true);
  expect(() => window.add(2, 1)).toThrow('beyond the window');
  window.freeTo(1);
  expect(window.full).toBe(false);
});
