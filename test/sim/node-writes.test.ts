/** Writes on whole nodes: every one is answered once, in time and honestly, whatever happens around it. */
import { describe, expect, test } from 'vitest';
import { writeOperation } from '../../src/wire/operation.ts';
import { founded, others, startWrite } from '../kit/founded.ts';
import { VirtualCluster } from '../kit/virtual-cluster.ts';

describe('before there is a leader', () => {
  test('more writes wait than a session has room for: all are answered, and the node lives', () => {
    const cluster = new VirtualCluster(1, { size: 1 });
    const { service } = cluster.opened(1);
    const writes = Array.from({ length: 1500 }, () => startWrite(cluster, service, 'SELECT 1'));
    cluster.elect();
    cluster.until(() => writes.every(({ answers }) => answers > 0), 10_000, 'not answered');
    expect(writes.every(({ answers }) => answers === 1)).toBe(true);
    const done = writes.filter(({ outcome }) => outcome!.ok).length;
    expect(done).toBeGreaterThanOrEqual(1000);
    const refused = writes.flatMap(({ outcome }) => (outcome!.ok ? [] : [outcome!.error]));
    for (const error of refused) {
      expect(error).toMatchObject({ code: 'OVERLOADED', outcome: 'not-applied' });
    }
    expect(service.live().ok).toBe(true);
  });

  test('each write waits as long as it said, not as long as the first one', () => {
    const cluster = new VirtualCluster(2, { started: [1] });
    const { service } = cluster.opened(1);
    const short = startWrite(cluster, service, 'SELECT 1', { timeoutMs: 200 });
    const long = startWrite(cluster, service, 'CREATE TABLE t (id)', { timeoutMs: 20_000 });
    const middle = startWrite(cluster, service, 'SELECT 1', { timeoutMs: 1000 });
    cluster.world.run(1500);
    expect(short).toMatchObject({
      answers: 1,
      outcome: { error: { code: 'NO_QUORUM', outcome: 'not-applied' } },
    });
    expect(short.at).toBeLessThan(400);
    expect(middle.at).toBeLessThan(1200);
    expect(long.answers).toBe(0);
    cluster.start(2);
    cluster.start(3);
    cluster.elect();
    cluster.until(() => long.answers > 0, 15_000, 'not answered');
    expect(long.outcome).toMatchObject({ ok: true });
  });

  test('a write that is given up while it waits is answered and never done', () => {
    const cluster = new VirtualCluster(3, { started: [1] });
    const write = startWrite(cluster, cluster.opened(1).service, 'CREATE TABLE t (id)');
    write.giveUp();
    expect(write.outcome).toMatchObject({ error: { code: 'ABORTED', outcome: 'not-applied' } });
    cluster.start(2);
    cluster.start(3);
    cluster.elect();
    cluster.world.run(2000);
    expect(cluster.rows(1, "SELECT count(*) FROM sqlite_schema WHERE name = 't'")).toEqual([[0]]);
  });
});

describe('with a leader', () => {
  test('entries that waited for room are proposed as soon as there is some', () => {
    const cluster = founded(10, { size: 1 });
    const { service } = cluster.member(1);
    const from = cluster.world.nowMs;
    const operation = { op: 'execute', sql: 'INSERT INTO t (v) VALUES (1)', slow: true } as const;
    const writes = Array.from({ length: 30 }, () =>
      startWrite(cluster, service, '', { operation: (out) => writeOperation(out, operation) }),
    );
    cluster.until(() => writes.every(({ outcome }) => outcome?.ok), 10_000, 'not answered');
    expect(cluster.world.nowMs - from).toBeLessThan(20);
  });

  test('an answer to an earlier life of a node is no answer to this one', () => {
    const cluster = founded(12, { world: { path: { latencyMs: [2, 3] } } });
    const leader = cluster.leader()!;
    const [forwards, silent] = others(cluster, leader.id).map((id) => cluster.member(id));
    const session = { id: 77, acknowledged: 1 };
    const opened = cluster.write(leader.id, { op: 'openSession', session: session.id });
    expect(opened.ok).toBe(true);
    silent!.process.pause();
    const forward = (sequence: number) =>
      startWrite(
        cluster,
        cluster.opened(forwards!.id).service,
        `INSERT INTO t (id) VALUES (${sequence}) RETURNING id`,
        { session: { ...session, sequence } },
      );
    forward(1);
    cluster.world.run(4);
    forwards!.process.kill();
    forwards!.process.restart();
    cluster.until(() => cluster.status(forwards!.id).leader === leader.id, 900, 'no leader');
    const second = forward(2);
    cluster.until(() => second.answers > 0, 20_000, 'not answered');
    expect(second.outcome).toMatchObject({ ok: true, result: { result: { rows: [[2]] } } });
  });

  test('frames that are lost on the way to the leader and back are made up for', () => {
    const cluster = founded(11);
    const leader = cluster.leader()!;
    const follower = cluster.member(others(cluster, leader.id)[0]!);
    cluster.execute(follower.id, 'INSERT INTO t (id) VALUES (0)');
    const { network } = cluster.world;
    const bad = { lossy: true, loss: 0.3, spared: 0 };
    network.setPath(follower.process.name, leader.process.name, bad);
    network.setPath(leader.process.name, follower.process.name, bad);
    const writes = Array.from({ length: 20 }, (_, i) => {
      cluster.world.run(50);
      const sql = `INSERT INTO t (v) VALUES ('lossy ${i}')`;
      return startWrite(cluster, follower.service, sql, { timeoutMs: 120_000 });
    });
    cluster.until(() => writes.every(({ answers }) => answers > 0), 60_000, 'not answered');
    expect(writes.every(({ outcome }) => outcome!.ok)).toBe(true);
    expect(cluster.rows(leader.id, "SELECT count(*) FROM t WHERE v LIKE 'lossy%'")).toEqual([[20]]);
  });
});
