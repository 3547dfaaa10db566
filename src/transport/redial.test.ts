import { expect, test } from 'vitest';
import type { VirtualWorld } from '../runtime/virtual/contract.ts';
import { createVirtualWorld } from '../runtime/virtual/world.ts';
import { TRANSPORT_LIMITS } from './limits.ts';
import { RedialTarget, redialPause } from './redial.ts';

/** A target whose dials are written down. */
function target(seed = 1): {
  world: VirtualWorld;
  target: RedialTarget;
  dials: number[];
  state: { connected: boolean };
} {
  const world = createVirtualWorld(seed);
  const { platform } = world.createProcess('one');
  const dials: number[] = [];
  const state = { connected: false };
  const owner = {
    limits: TRANSPORT_LIMITS,
    platform,
    connected: () => state.connected,
    dial: () => void dials.push(world.nowMs),
  };
  return { world, dials, state, target: new RedialTarget(owner, 2, 'http://two') };
}

/** The pauses between failing dials. */
function pauses(seed: number): number[] {
  const { world, dials, target: redial } = target(seed);
  redial.dial();
  for (let i = 0; i < 10; i++) {
    redial.failed(false);
    world.run(2_000);
  }
  return dials.slice(1).map((at, i) => at - i * 2_000);
}

test('pauses double up to a bound', () => {
  const steps = [1, 2, 3, 4, 5, 6, 7, 8, 1e9].map((n) => redialPause(n, TRANSPORT_LIMITS));
  expect(steps).toEqual([50, 100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000]);
});

test('each pause is a random one between half and all of it', () => {
  const seen = [1, 2, 3].map(pauses);
  for (const list of seen) {
    for (const [i, pause] of list.entries()) {
      const longest = redialPause(i + 1, TRANSPORT_LIMITS);
      expect(pause).toBeGreaterThanOrEqual(longest / 2);
      expect(pause).toBeLessThanOrEqual(longest + 1);
    }
  }
  expect(new Set(seen.map((list) => list.join())).size).toBe(3);
});

test('a connection that lasted is dialled again at once, one that did not is waited for', () => {
  const { world, dials, target: redial } = target();
  redial.dial();
  redial.settled();
  redial.up();
  world.run(5_000);
  redial.down(false);
  expect(dials).toEqual([0, 5_000]);
  redial.settled();
  redial.up();
  world.run(10);
  redial.down(false);
  expect(dials.length).toBe(2);
  world.run(200);
  expect(dials.length).toBe(3);
});

test('a goodbye and a refusal are waited for; a stopped target dials no more', () => {
  const { world, dials, target: redial } = target();
  redial.up();
  world.run(5_000);
  redial.down(true);
  expect(dials).toEqual([]);
  world.run(100);
  expect(dials.length).toBe(1);
  redial.failed(true);
  world.run(999);
  expect(dials.length).toBe(1);
  world.run(1_002);
  expect(dials.length).toBe(2);
  redial.failed(false);
  redial.stop();
  world.run(10_000);
  expect(dials.length).toBe(2);
});

test('nothing is dialled while a connection exists, or twice', () => {
  const { dials, state, target: redial } = target();
  state.connected = true;
  redial.dial();
  expect(dials).toEqual([]);
  state.connected = false;
  redial.dial();
  redial.dial();
  expect(dials.length).toBe(1);
});
