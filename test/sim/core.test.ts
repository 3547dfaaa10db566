/** Random clusters of cores. `CORE_SEEDS` sets how many, `CORE_SEED` runs one, `CORE_STEPS` how long each is. */
import { expect, test } from 'vitest';
import { CoreWorld } from './core-world.ts';

const STEPS = Number(process.env['CORE_STEPS'] ?? 1500);
const ONE = process.env['CORE_SEED'];
const SEEDS = Number(process.env['CORE_SEEDS'] ?? 150);
const FIRST = Number(process.env['CORE_FIRST'] ?? 1);

test('any schedule keeps a cluster of cores safe, and a healed one goes on', {
  timeout: 3_600_000,
}, () => {
  const seeds =
    ONE === undefined ? Array.from({ length: SEEDS }, (_, at) => FIRST + at) : [Number(ONE)];
  let committed = 0;
  let reads = 0;
  for (const seed of seeds) {
    const world = new CoreWorld(seed);
    try {
      world.run(STEPS);
    } catch (cause) {
      throw new Error(`seed ${seed} ${JSON.stringify(world.swarm)}: ${cause}`, { cause });
    }
    committed += world.checker.lastCommitted;
    reads += world.readsServed;
  }
  // The schedules must get somewhere, or they prove nothing.
  expect(committed).toBeGreaterThan(seeds.length * 20);
  expect(reads).toBeGreaterThan(seeds.length * 5);
});
