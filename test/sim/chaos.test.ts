/**
 * Seeded chaos over whole nodes in virtual time: crashes, power cuts, partitions, lossy paths, pauses, wiped, slow and
 * broken disks, jumping clocks, members that come and go, while clients write and read. `CHAOS_SEEDS` sets how many
 * seeds, `CHAOS_FROM` the first of them, `CHAOS_SEED` runs one.
 */
import { describe, expect, test } from 'vitest';
import { createRandom } from '../../src/runtime/virtual/random.ts';
import type { SyncMode } from '../../src/storage/contract.ts';
import { VirtualCluster } from '../kit/virtual-cluster.ts';
import { ChaosClients } from './chaos-clients.ts';
import { ChaosFaults, WITH_FOURTH } from './chaos-faults.ts';

const SEEDS = Number(process.env['CHAOS_SEEDS'] ?? 8);
const FROM = Number(process.env['CHAOS_FROM'] ?? 1);
const ONE = process.env['CHAOS_SEED'];
const FAULTS = 12;
const SYNC: readonly SyncMode[] = [
  { mode: 'durable' },
  { mode: 'durable' },
  { mode: 'interval', ms: 200 },
  { mode: 'os' },
];

function chaos(seed: string): void {
  const random = createRandom(`chaos ${seed}`);
  const sync = SYNC[random.below(SYNC.length)]!;
  const cluster = new VirtualCluster(seed, {
    world: {
      path: { latencyMs: [0.1, random.between(1, 40)] },
      disk: { syncMs: [0.05, random.between(1, 50) / 10] },
      driftPpm: 200,
    },
    checkpoint: { bytes: 4000, ms: 2000 },
    configured: WITH_FOURTH,
    sync,
  });
  const leader = cluster.elect(30_000);
  cluster.execute(leader.id, 'CREATE TABLE written (client, sequence)');
  cluster.execute(leader.id, 'CREATE TABLE counter (n INTEGER)');
  cluster.execute(leader.id, 'INSERT INTO counter VALUES (0)');
  const clients = new ChaosClients(cluster, random);
  const killOnly = sync.mode !== 'durable';
  const faults = new ChaosFaults(cluster, random, killOnly, () => clients.interrupted());
  clients.start();
  for (let i = 0; i < FAULTS; i++) faults.next();
  faults.heal();
  clients.stopped = true;
  cluster.elect(60_000);
  cluster.until(() => clients.settled, 60_000, 'calls hang');
  cluster.converge(60_000);
  const { history } = clients;
  history.checkRows(cluster.rows(1, 'SELECT client, sequence FROM written') as [number, number][]);
  const [[final]] = cluster.rows(1, 'SELECT n FROM counter') as [[number]];
  history.checkCounter(final);
  expect(history.acknowledged.size).toBeGreaterThan(0);
}

describe('chaos', () => {
  const seeds =
    ONE === undefined ? Array.from({ length: SEEDS }, (_, i) => String(FROM + i)) : [ONE];
  // Virtual time is bounded in every step; the limit here is only for a machine that is busy otherwise.
  test.each(seeds)('seed %s', { timeout: 180_000 }, (seed) => {
    chaos(seed);
  });
});
