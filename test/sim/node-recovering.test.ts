/** Relaxed sync modes: replicas whose machine went down recover before they count (architecture, section 4). */
import { describe, expect, test } from 'vitest';
import { founded, others } from '../kit/founded.ts';

const RELAXED = { sync: { mode: 'os' } } as const;

describe('recovering', () => {
  test('one machine that lost power recovers, then counts again', () => {
    const cluster = founded(1, RELAXED);
    const lost = others(cluster, cluster.leader()!.id)[0]!;
    cluster.execute(1, 'INSERT INTO t (id) VALUES (1)');
    cluster.member(lost).process.crash();
    cluster.execute(cluster.elect().id, 'INSERT INTO t (id) VALUES (2)');
    cluster.member(lost).process.restart();
    cluster.converge();
    // It counts: with one of the others gone, writes still find a quorum.
    const other = others(cluster, cluster.elect().id).find((id) => id !== lost)!;
    cluster.world.run(3000);
    cluster.member(other).process.kill();
    cluster.execute(cluster.elect().id, 'INSERT INTO t (id) VALUES (3)');
  });

  test('a single voter has nobody to recover from', () => {
    const cluster = founded(2, { ...RELAXED, size: 1 });
    cluster.execute(1, 'INSERT INTO t (id) VALUES (1)');
    cluster.world.run(1000);
    cluster.member(1).process.crash();
    cluster.member(1).process.restart();
    cluster.elect();
    cluster.execute(1, 'CREATE TABLE IF NOT EXISTS after (x)');
  });

  test.each([3, 4, 5])(
    'all machines lose power at once (seed %d): the cluster serves again',
    (seed) => {
      const cluster = founded(seed, RELAXED);
      cluster.execute(1, 'INSERT INTO t (id) VALUES (1)');
      cluster.world.run(3000);
      for (const { process } of cluster.members) process.crash();
      cluster.world.run(500);
      for (const { process } of cluster.members) process.restart();
      const leader = cluster.elect(20_000);
      cluster.execute(leader.id, 'CREATE TABLE IF NOT EXISTS after (x)');
      cluster.converge();
    },
  );

  test('a majority lost power: the whole replica is waited for, and its log wins', () => {
    const cluster = founded(6, RELAXED);
    const whole = cluster.leader()!.id;
    cluster.execute(whole, 'INSERT INTO t (id) VALUES (1)');
    for (const id of others(cluster, whole)) {
      cluster.member(id).process.crash({ survives: () => false });
    }
    cluster.world.run(500);
    for (const { process } of cluster.members) if (!process.alive) process.restart();
    cluster.elect(20_000);
    cluster.converge();
    expect(cluster.rows(whole, 'SELECT count(*) FROM t')).toEqual([[1]]);
  });
});
