/** The graceful end of nodes, and commands that keep a leader busy. */
import { describe, expect, test } from 'vitest';
import { writeOperation } from '../../src/wire/operation.ts';
import { founded, others, startWrite } from '../kit/founded.ts';

describe('shutdown', () => {
  test.each([0, 37, 150, 400, 700, 900])(
    'an idle leader hands over, whenever (after %d ms)',
    (ms) => {
      const cluster = founded(`idle ${ms}`);
      cluster.world.run(2000 + ms);
      const { service, process, id } = cluster.leader()!;
      const { term } = service.status();
      let ended = -1;
      const from = cluster.world.nowMs;
      service.shutdown(() => {
        ended = cluster.world.nowMs;
      });
      cluster.until(() => ended >= 0, 2000, 'does not end');
      expect(ended - from).toBeLessThan(900);
      process.kill();
      const next = cluster.elect(500);
      expect(next.id).not.toBe(id);
      expect(next.service.status().term).toBe(term + 1);
    },
  );

  test('writes under way at a follower are answered before it ends', () => {
    const cluster = founded('follower', { world: { path: { latencyMs: [5, 10] } } });
    const follower = cluster.member(others(cluster, cluster.leader()!.id)[0]!);
    cluster.execute(follower.id, 'INSERT INTO t (id) VALUES (0)');
    const write = startWrite(cluster, follower.service, 'INSERT INTO t (id) VALUES (1)');
    cluster.world.run(2);
    follower.service.shutdown(() => {});
    cluster.until(() => write.answers > 0, 2000, 'not answered');
    expect(write.outcome).toMatchObject({ ok: true });
  });

  test('writes under way at a leader are answered before it ends', () => {
    const cluster = founded('leader', { world: { path: { latencyMs: [5, 10] } } });
    const { service } = cluster.leader()!;
    const writes = [1, 2, 3].map((i) =>
      startWrite(cluster, service, `INSERT INTO t (id) VALUES (${i})`),
    );
    service.shutdown(() => {});
    cluster.until(() => writes.every(({ answers }) => answers === 1), 2000, 'not answered');
    expect(writes.every(({ outcome }) => outcome!.ok)).toBe(true);
  });

  test('asked for by several, before and after its end, is one', () => {
    const cluster = founded('several');
    const { service } = cluster.leader()!;
    const ends: (string | null)[] = [];
    for (let i = 0; i < 3; i++) service.shutdown((error) => ends.push(error?.message ?? null));
    cluster.until(() => ends.length === 3, 2000, 'does not end');
    service.shutdown((error) => ends.push(error?.message ?? null));
    expect(ends).toEqual([null, null, null, null]);
  });

  test('all nodes at once, twice over', () => {
    const cluster = founded('all');
    const { alive } = cluster;
    for (let round = 0; round < 2; round++) {
      let ended = 0;
      for (const { service } of cluster.alive) service.shutdown(() => ended++);
      cluster.until(() => ended === alive.length, 2000, 'not all end');
      for (const { process } of cluster.members) {
        process.kill();
        process.restart();
      }
      const leader = cluster.elect();
      cluster.execute(leader.id, 'INSERT INTO t (v) VALUES (1)');
      cluster.converge();
    }
  });

  test('without a quorum', () => {
    const cluster = founded('alone');
    const { id, service } = cluster.leader()!;
    for (const other of others(cluster, id)) cluster.member(other).process.kill();
    const write = startWrite(cluster, service, 'INSERT INTO t (id) VALUES (1)');
    cluster.world.run(5);
    let ended = false;
    service.shutdown(() => {
      ended = true;
    });
    cluster.until(() => ended, 1000, 'does not end');
    expect(write).toMatchObject({ answers: 1, outcome: { error: { outcome: 'unknown' } } });
  });
});

describe('slow commands', () => {
  test('hold elections back while the leader is silent, but not when its connection is lost', () => {
    const cluster = founded('slow');
    const leader = cluster.leader()!;
    const operation = { op: 'execute', sql: 'INSERT INTO t (id) VALUES (1)', slow: true } as const;
    const followers = others(cluster, leader.id);
    const before = cluster.status(leader.id).index;
    startWrite(cluster, leader.service, '', { operation: (out) => writeOperation(out, operation) });
    cluster.until(
      () => followers.every((id) => cluster.status(id).index > before),
      1000,
      'not committed',
    );
    // As if the leader were still applying it, which takes a moment of virtual time at most.
    cluster.world.network.isolate(leader.process.name);
    const terms = followers.map((id) => cluster.status(id).term);
    cluster.world.run(1500);
    expect(followers.map((id) => cluster.status(id).term)).toEqual(terms);
    leader.process.kill();
    for (const id of followers) cluster.world.network.reset(leader.process.name, `n${id}`);
    const next = cluster.elect(5000);
    expect(next.id).not.toBe(leader.id);
  });
});
