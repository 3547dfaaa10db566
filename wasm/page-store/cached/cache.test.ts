/** The parts of the cache: frames, places. */
import { describe, expect, test } from 'vitest';
import { Frames } from './frames.ts';
import { Places } from './places.ts';

describe('frames', () => {
  test('free ones go first, then those not used since the hand came by', () => {
    const frames = new Frames(4);
    expect([1, 2, 3, 4].map(() => frames.takeFree())).toEqual([1, 2, 3, 4]);
    expect(frames.takeFree()).toBe(0);
    frames.used.fill(1, 1);
    frames.used[3] = 0;
    expect(frames.victim()).toBe(3);
    // The hand took their second chance from 1 and 2 on its way, not yet from 4.
    frames.used[1] = 1;
    expect(frames.victim()).toBe(2);
    frames.give(4);
    expect(frames.takeFree()).toBe(4);
  });

  test('a scan does not take away what is used again and again', () => {
    const frames = new Frames(8);
    for (let i = 0; i < 8; i++) frames.takeFree();
    const evicted = new Set<number>();
    for (let scanned = 0; scanned < 100; scanned++) {
      frames.used[5] = 1;
      const frame = frames.victim();
      frames.used[frame] = 0;
      evicted.add(frame);
    }
    expect([...evicted].sort()).toEqual([1, 2, 3, 4, 6, 7, 8]);
  });

  test('memory is taken as it is needed, and no more than asked for', () => {
    const frames = new Frames(300);
    expect(frames.bytes).toBe(0);
    frames.view(1);
    expect(frames.bytes).toBe(256 * 4096);
    frames.view(300);
    expect(frames.bytes).toBe(300 * 4096);
    expect(frames.view(1)).not.toBe(frames.view(2));
    expect(frames.view(300)).toHaveLength(4096);
  });
});

describe('places', () => {
  test('agree with a set: the lowest free one is taken, the end is behind the last', () => {
    const places = new Places();
    const model = new Set<number>();
    let state = 7;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return (state >>> 8) % below;
    };
    for (let step = 0; step < 20_000; step++) {
      if (model.size === 0 || random(100) < (step % 4000 < 2500 ? 70 : 20)) {
        let lowest = 0;
        while (model.has(lowest)) lowest++;
        expect(places.take()).toBe(lowest);
        model.add(lowest);
      } else {
        const given = [...model][random(model.size)]!;
        model.delete(given);
        places.give(given);
      }
      expect(places.taken).toBe(model.size);
      if (random(50) === 0) expect(places.trim()).toBe(Math.max(-1, ...model) + 1);
      expect(places.end).toBeGreaterThanOrEqual(Math.max(-1, ...model) + 1);
    }
  });
});
