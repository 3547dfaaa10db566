/** Relaxed sync modes: replicas whose machine went down recover before they count (architecture, section 4). */
import { describe, expect, test } from 'vitest';
import type { SyncMode } from '../../src/storage/contract.ts';
import { founded, others } from '../kit/founded.ts';
import type { VirtualCluster, VirtualMember } from '../kit/virtual-cluster.ts';

const RELAXED = { sync: { mode: 'os' } } as const;

/** A cluster whose third node has missed what the other two acknowledged in a relaxed mode. */
function twoOfThree(seed: number): {
  cluster: VirtualCluster;
  sync: { [node: number]: SyncMode };
  leader: VirtualMember;
  lost: VirtualMember;
  away: VirtualMember;
} {
  const sync: { [node: number]: SyncMode } = {};
  const cluster = founded(seed, { ...RELAXED, syncOf: sync });
  const leader = cluster.leader()!;
  const [lost, away] = others(cluster, leader.id).map((id) => cluster.member(id)) as [
    VirtualMember,
    VirtualMember,
  ];
  cluster.world.run(1000);
  away.process.kill();
  cluster.execute(leader.id, 'INSERT INTO t (id) VALUES (1)');
  return { cluster, sync, leader, lost, away };
}

describe('a relaxed mode that was left', () => {
  test('a replica that lost power in it recovers in durable mode, too, over any number of boots', () => {
    const { cluster, sync, leader, lost, away } = twoOfThree(10);
    lost.process.crash({ survives: () => false });
    leader.process.kill();
    sync[lost.id] = { mode: 'durable' };
    for (let boots = 0; boots < 2; boots++) {
      lost.process.restart();
      if (!away.process.alive) away.process.restart();
      // These two together have not got what was acknowledged, so they must not elect anybody.
      cluster.world.run(8000);
      expect(cluster.leader()).toBeNull();
      lost.process.kill();
    }
    lost.process.restart();
    leader.process.restart();
    cluster.elect();
    cluster.converge();
    expect(cluster.rows(lost.id, 'SELECT id FROM t')).toEqual([[1]]);
    // It counts again, now and after another loss of power: in durable mode nothing is lost.
    cluster.world.run(3000);
    lost.process.crash({ survives: () => false });
    cluster.world.run(500);
    lost.process.restart();
    cluster.elect();
    away.process.kill();
    cluster.execute(cluster.elect().id, 'INSERT INTO t (id) VALUES (2)');
  });

  test('a replica whose machine stayed up is whole: opening the log synced it', () => {
    const { cluster, sync, leader, lost, away } = twoOfThree(11);
    lost.process.kill();
    sync[lost.id] = { mode: 'durable' };
    lost.process.restart();
    cluster.opened(lost.id);
    lost.process.crash({ survives: () => false });
    leader.process.kill();
    lost.process.restart();
    away.process.restart();
    // No recovery: it lost nothing, so it may vote with the one that was away.
    cluster.elect();
    expect(cluster.rows(lost.id, 'SELECT id FROM t')).toEqual([[1]]);
  });

  test('a durable replica that loses power before it is started in a relaxed mode lost nothing', () => {
    const sync: { [node: number]: SyncMode } = {};
    const cluster = founded(12, { syncOf: sync });
    const leader = cluster.leader()!;
    const [one, two] = others(cluster, leader.id).map((id) => cluster.member(id));
    cluster.execute(leader.id, 'INSERT INTO t (id) VALUES (1)');
    leader.process.kill();
    one!.process.crash({ survives: () => false });
    sync[one!.id] = { mode: 'os' };
    one!.process.restart();
    cluster.elect();
    expect(cluster.rows(two!.id, 'SELECT id FROM t')).toEqual([[1]]);
  });
});

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

  test.each(Array.from({ length: 12 }, (_, i) => 20 + i))(
    'a majority lost power: the whole replica is waited for, and its log wins (seed %d)',
    (seed) => {
      const cluster = founded(seed, RELAXED);
      const leader = cluster.leader()!.id;
      // Whether it led or followed: what it holds is all that is left of what was acknowledged.
      const whole = seed % 2 === 0 ? leader : others(cluster, leader)[0]!;
      const lost = others(cluster, whole);
      cluster.execute(whole, 'INSERT INTO t (id) VALUES (1)');
      for (const id of lost) cluster.member(id).process.crash({ survives: () => false });
      if (seed % 3 === 0) cluster.member(whole).process.kill();
      cluster.world.run(seed % 4 === 0 ? 5000 : 500);
      for (const { process } of cluster.members) if (!process.alive) process.restart();
      cluster.elect(20_000);
      cluster.converge();
      expect(cluster.rows(whole, 'SELECT count(*) FROM t')).toEqual([[1]]);
    },
  );

  test('a whole replica that comes back too late stops and says so, and joins anew when it is wiped (R3)', () => {
    const cluster = founded(40, { sync: { mode: 'interval', ms: 500 } });
    // The founding is synced everywhere, the next write nowhere.
    cluster.world.run(2000);
    const whole = cluster.leader()!;
    cluster.execute(whole.id, 'INSERT INTO t (id) VALUES (1)');
    const lost = others(cluster, whole.id);
    for (const id of lost) {
      cluster.member(id).process.crash({ survives: () => false });
    }
    cluster.world.network.isolate(whole.process.name);
    for (const { process } of cluster.members) if (process !== whole.process) process.restart();
    cluster.opened(lost[0]!);
    cluster.execute(lost[0]!, 'CREATE TABLE IF NOT EXISTS after (x)');
    cluster.world.network.healAll();
    cluster.until(() => !cluster.member(whole.id).service.live().ok, 5000, 'does not stop');
    expect(whole.service.live().reasons.join()).toContain('wipe its data folder');
    whole.process.kill();
    whole.process.wipe();
    whole.process.restart();
    cluster.converge();
    expect(cluster.rows(whole.id, 'SELECT count(*) FROM after')).toEqual([[0]]);
  });
});
