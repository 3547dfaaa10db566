/** Whole nodes in virtual time: founding, failover, forwarding, reads, wiped disks, membership, snapshots. */
import { describe, expect, test } from 'vitest';
import type { QueryStream } from '../../src/node/contract.ts';
import { writeOperation } from '../../src/wire/operation.ts';
import { VirtualCluster } from '../kit/virtual-cluster.ts';

function founded(seed: number, options = {}): VirtualCluster {
  const cluster = new VirtualCluster(seed, options);
  const leader = cluster.elect();
  cluster.execute(leader.id, 'CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)');
  return cluster;
}

function others(cluster: VirtualCluster, id: number): number[] {
  return cluster.alive.map((member) => member.id).filter((one) => one !== id);
}

describe('founding', () => {
  test('three pristine nodes become one cluster', () => {
    const cluster = new VirtualCluster(1);
    cluster.elect(2000);
    cluster.until(
      () => cluster.alive.every((m) => m.service.readiness().ok),
      2000,
      'not all ready',
    );
    const ids = cluster.members.map(({ service }) => service.status().clusterId);
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).toMatch(/^[0-9a-f]{14}$/);
    expect(cluster.status(1).members.map(({ id, voter }) => [id, voter])).toEqual([
      [1, true],
      [2, true],
      [3, true],
    ]);
  });

  test('node 1 started alone founds nothing, says whom it waits for, and founds when all are there', () => {
    const cluster = new VirtualCluster(2, { started: [1] });
    cluster.world.run(20_000);
    expect(cluster.leader()).toBeNull();
    expect(cluster.status(1).waiting).toContain('node 2, 3');
    expect(cluster.status(1).waiting).toContain('--found-with 1');
    cluster.start(2);
    cluster.world.run(5_000);
    expect(cluster.leader()).toBeNull();
    cluster.start(3);
    cluster.elect();
  });

  test.each([5, 20, 60, 120, 200, 400])(
    'a founder that dies after %d ms founds the same cluster later',
    (ms) => {
      const cluster = new VirtualCluster(`founder ${ms}`, {
        world: { path: { latencyMs: [5, 20] } },
      });
      cluster.world.run(ms);
      cluster.member(1).process.crash();
      cluster.world.run(5000);
      cluster.member(1).process.restart();
      cluster.elect();
      cluster.until(
        () => cluster.alive.every((m) => m.service.readiness().ok),
        10_000,
        'not all ready',
      );
      expect(new Set(cluster.alive.map(({ service }) => service.status().clusterId)).size).toBe(1);
    },
  );

  test('a founder whose disk is lost before it founded starts over', () => {
    const cluster = new VirtualCluster(3, { world: { path: { latencyMs: [20, 40] } } });
    cluster.world.run(150);
    cluster.member(1).process.kill();
    cluster.member(1).process.wipe();
    cluster.member(1).process.restart();
    cluster.elect();
  });

  test('one configured node founds at once', () => {
    const cluster = new VirtualCluster(4, { size: 1 });
    cluster.elect(500);
    cluster.execute(1, 'CREATE TABLE t (x)');
    cluster.member(1).process.crash();
    cluster.member(1).process.restart();
    cluster.elect(500);
    expect(cluster.rows(1, 'SELECT count(*) FROM t')).toEqual([[0]]);
  });

  test('fewer nodes found only when told to', () => {
    const cluster = new VirtualCluster(5, { started: [1, 2], foundWith: [1, 2] });
    cluster.elect();
    expect(cluster.status(1).members).toHaveLength(2);
    cluster.start(3);
    cluster.until(
      () => cluster.status(1).members.filter((m) => m.voter).length === 3,
      10_000,
      'not joined',
    );
  });

  test('nodes with another secret never meet', () => {
    const cluster = new VirtualCluster(6, { secrets: { 3: 'another secret altogether' } });
    cluster.world.run(10_000);
    expect(cluster.leader()).toBeNull();
    expect(cluster.status(1).waiting).toContain('node 3');
  });
});

describe('writes', () => {
  test('are accepted at every node and seen there at once', () => {
    const cluster = founded(10);
    for (const id of [1, 2, 3]) {
      cluster.execute(id, 'INSERT INTO t (id, v) VALUES (?, ?)', [id, `from ${id}`]);
      expect(cluster.rows(id, `SELECT v FROM t WHERE id = ${id}`, 'stale')).toEqual([
        [`from ${id}`],
      ]);
    }
    cluster.converge();
  });

  test('survive the crash of the leader', () => {
    const cluster = founded(11);
    const { id } = cluster.leader()!;
    for (let i = 0; i < 20; i++) cluster.execute(id, 'INSERT INTO t (id) VALUES (?)', [i]);
    cluster.member(id).process.crash();
    const next = cluster.elect();
    expect(next.id).not.toBe(id);
    expect(cluster.rows(next.id, 'SELECT count(*) FROM t')).toEqual([[20]]);
    cluster.member(id).process.restart();
    cluster.converge();
  });

  test('go on within a second after kill -9 of the leader, within five when it falls silent', () => {
    const cluster = founded(12);
    const first = cluster.leader()!;
    first.process.kill();
    let from = cluster.world.nowMs;
    cluster.execute(others(cluster, first.id)[0]!, 'INSERT INTO t (id) VALUES (1)');
    expect(cluster.world.nowMs - from).toBeLessThan(1000);
    first.process.restart();
    cluster.converge();
    const second = cluster.elect();
    cluster.world.network.isolate(second.process.name);
    from = cluster.world.nowMs;
    const asked = cluster.alive.find((member) => member.id !== second.id)!;
    cluster.execute(asked.id, 'INSERT INTO t (id) VALUES (2)');
    expect(cluster.world.nowMs - from).toBeLessThan(5000);
  });

  test('a minority refuses honestly', () => {
    const cluster = founded(13);
    const { id } = cluster.leader()!;
    cluster.world.network.isolate(cluster.member(id).process.name);
    cluster.world.run(5000);
    const outcome = cluster.write(
      id,
      { op: 'execute', sql: 'INSERT INTO t (id) VALUES (1)' },
      2000,
    );
    expect(outcome).toMatchObject({
      ok: false,
      error: { code: 'NO_QUORUM', outcome: 'not-applied' },
    });
    const read = cluster.query(id, 'SELECT 1', 'linearizable', 2000);
    expect(read).toMatchObject({ code: 'NO_QUORUM' });
    expect(cluster.rows(id, 'SELECT count(*) FROM t', 'stale')).toEqual([[0]]);
    cluster.world.network.healAll();
    cluster.converge();
  });

  test('the outcome of a write in flight when its leader is cut off is never a guess', () => {
    const cluster = founded(14);
    const { id, process, service } = cluster.leader()!;
    cluster.world.network.isolate(process.name);
    let outcome: unknown = null;
    const operation = { op: 'execute', sql: 'INSERT INTO t (id) VALUES (7)' } as const;
    cluster
      .member(id)
      .service.write(
        { operation: (out) => writeOperation(out, operation), timeoutMs: 1000 },
        (result) => {
          outcome = result;
        },
      );
    cluster.until(() => outcome !== null, 5000, 'no outcome');
    expect(outcome).toMatchObject({ ok: false, error: { outcome: 'unknown' } });
    cluster.world.run(5000);
    expect(service.status().role).not.toBe('leader');
    cluster.world.network.healAll();
    cluster.elect();
    cluster.converge();
    // It was replicated to nobody, so whoever was elected without it has overwritten it.
    expect(cluster.rows(id, 'SELECT count(*) FROM t')).toEqual([[0]]);
  });
});

describe('disks', () => {
  test('a wiped node comes back as a new replica and takes its old place', () => {
    const cluster = founded(20);
    cluster.execute(1, 'INSERT INTO t (id) VALUES (1)');
    const victim = cluster.member(others(cluster, cluster.leader()!.id)[0]!);
    const old = victim.service.status().replica;
    victim.process.kill();
    victim.process.wipe();
    cluster.execute(cluster.leader()!.id, 'INSERT INTO t (id) VALUES (2)');
    victim.process.restart();
    cluster.until(
      () => {
        const { members } = cluster.leader()?.service.status() ?? { members: [] };
        const now = members.filter((member) => member.id === victim.id);
        return members.length === 3 && now.length === 1 && now[0]!.voter && now[0]!.replica !== old;
      },
      20_000,
      'not replaced',
    );
    cluster.converge();
    expect(cluster.rows(victim.id, 'SELECT count(*) FROM t', 'stale')).toEqual([[2]]);
  });

  test('all nodes lose power at once: every acknowledged write is there', () => {
    const cluster = founded(21, { world: { disk: { syncMs: [0.1, 2] } } });
    for (let i = 0; i < 50; i++) cluster.execute((i % 3) + 1, 'INSERT INTO t (id) VALUES (?)', [i]);
    for (const { process } of cluster.members) process.crash();
    cluster.world.run(1000);
    for (const { process } of cluster.members) process.restart();
    cluster.elect();
    expect(cluster.rows(1, 'SELECT count(*) FROM t')).toEqual([[50]]);
    cluster.converge();
  });

  test('a leader whose disk hangs loses leadership', () => {
    const cluster = founded(22);
    const { id, process } = cluster.leader()!;
    process.disk.hang(60_000);
    const other = others(cluster, id)[0]!;
    cluster.execute(other, 'INSERT INTO t (id) VALUES (1)');
    expect(cluster.leader()?.id).not.toBe(id);
  });

  test('a node that restarts from a checkpoint and the log behind it', () => {
    const cluster = founded(23, { checkpoint: { bytes: 2000, ms: 1000 } });
    for (let i = 0; i < 100; i++)
      cluster.execute(1, 'INSERT INTO t VALUES (?, ?)', [i, 'x'.repeat(200)]);
    cluster.world.run(3000);
    for (let i = 100; i < 120; i++) cluster.execute(1, 'INSERT INTO t VALUES (?, ?)', [i, 'y']);
    const { process, service } = cluster.member(2);
    process.crash();
    process.restart();
    cluster.converge();
    expect(cluster.rows(2, 'SELECT count(*) FROM t', 'stale')).toEqual([[120]]);
    expect(service).not.toBe(cluster.member(2).service);
  });

  test('a node that was away so long that the log is gone gets a snapshot', () => {
    const cluster = founded(24, { checkpoint: { bytes: 2000, ms: 500 } });
    const away = cluster.member(others(cluster, cluster.leader()!.id)[0]!);
    away.process.kill();
    for (let i = 0; i < 200; i++) {
      cluster.execute(cluster.leader()!.id, 'INSERT INTO t VALUES (?, ?)', [i, 'x'.repeat(300)]);
      if (i % 50 === 49) cluster.world.run(2000);
    }
    away.process.restart();
    cluster.converge();
    const metric = away.service
      .metrics()
      .find(({ name }) => name === 'quorlite_snapshot_received_bytes_total');
    expect(metric?.value).toBeGreaterThan(0);
    expect(cluster.rows(away.id, 'SELECT count(*) FROM t', 'stale')).toEqual([[200]]);
  });
});

describe('membership', () => {
  test('a fourth node is added, promoted, and one is removed', () => {
    const cluster = founded(30, { configured: { 4: [1, 2, 3, 4] } });
    cluster.start(4);
    cluster.until(
      () => cluster.status(4).members.filter((m) => m.voter).length === 4,
      20_000,
      'not joined',
    );
    cluster.converge();
    const gone = others(cluster, cluster.leader()!.id)[0]!;
    let done: unknown = null;
    cluster
      .member(gone === 4 ? 1 : 4)
      .service.admin({ op: 'removeMember', id: gone }, 5000, (error) => {
        done = error ?? 'removed';
      });
    cluster.until(() => done !== null, 10_000, 'not removed');
    expect(done).toBe('removed');
    cluster.until(() => cluster.status(gone).waiting.includes('removed'), 10_000, 'was not told');
  });

  test('the leader itself can be removed: it hands leadership over first', () => {
    const cluster = founded(31);
    const { id, service } = cluster.leader()!;
    let done: unknown = null;
    service.admin({ op: 'removeMember', id }, 8000, (error) => {
      done = error ?? 'removed';
    });
    cluster.until(() => done !== null, 10_000, 'no answer');
    expect(done).toBe('removed');
    expect(cluster.elect().service.status().members).toHaveLength(2);
  });

  test('leadership is handed to the node that is named', () => {
    const cluster = founded(32);
    const to = others(cluster, cluster.leader()!.id)[1]!;
    let done: unknown = null;
    cluster.member(to).service.admin({ op: 'transfer', to }, 5000, (error) => {
      done = error ?? 'handed over';
    });
    cluster.until(() => done !== null, 10_000, 'no answer');
    expect(done).toBe('handed over');
    expect(cluster.leader()?.id).toBe(to);
  });
});

describe('reads', () => {
  test('linearizable reads at a follower see every acknowledged write', () => {
    const cluster = founded(40, { world: { path: { latencyMs: [1, 30] } } });
    const { id } = cluster.leader()!;
    const follower = others(cluster, id)[0]!;
    for (let i = 0; i < 20; i++) {
      cluster.execute(id, 'INSERT INTO t (id) VALUES (?)', [i]);
      expect(cluster.rows(follower, 'SELECT count(*) FROM t')).toEqual([[i + 1]]);
    }
  });

  test('a lagging replica says how stale it is, and refuses when that is too much', () => {
    const cluster = founded(41);
    const follower = others(cluster, cluster.leader()!.id)[0]!;
    cluster.world.run(1000);
    expect(cluster.query(follower, 'SELECT 1', { maxLagMs: 500 })).toMatchObject({ rows: [[1]] });
    cluster.world.network.isolate(cluster.member(follower).process.name);
    cluster.world.run(3000);
    expect(cluster.query(follower, 'SELECT 1', { maxLagMs: 500 })).toMatchObject({
      code: 'NOT_READY',
    });
  });
});

test('the same seed gives the same run', () => {
  function run(): string {
    const cluster = founded(50);
    cluster.execute(1, 'INSERT INTO t (v) VALUES (hex(randomblob(8)))');
    cluster.world.run(2000);
    return cluster.world.traceHash();
  }
  expect(run()).toBe(run());
});

describe('streams', () => {
  function openStream(cluster: VirtualCluster, id: number): QueryStream {
    let stream: QueryStream | null = null;
    const request = { sql: 'SELECT id FROM t', consistency: 'stale', timeoutMs: 1000 } as const;
    cluster.opened(id).service.stream(request, (error, opened) => {
      if (error) throw error;
      stream = opened;
    });
    cluster.until(() => stream !== null, 1000, 'not opened');
    return stream!;
  }

  function next(cluster: VirtualCluster, stream: QueryStream, rows: number): unknown {
    let answer: unknown = null;
    stream.next(rows, (error, values, done) => {
      answer = error ?? { rows: values.length, done };
    });
    cluster.until(() => answer !== null, 1000, 'no rows');
    return answer;
  }

  test('a stream keeps its snapshot, and ends when it was idle too long', () => {
    const cluster = founded(60, { limits: { pinIdleMs: 5000 } });
    for (let i = 0; i < 10; i++) cluster.execute(1, 'INSERT INTO t (id) VALUES (?)', [i]);
    const stream = openStream(cluster, 1);
    expect(next(cluster, stream, 4)).toEqual({ rows: 4, done: false });
    cluster.execute(1, 'DELETE FROM t');
    expect(next(cluster, stream, 4)).toEqual({ rows: 4, done: false });
    cluster.world.run(6000);
    expect(next(cluster, stream, 4)).toMatchObject({ code: 'SNAPSHOT_TOO_OLD' });
  });

  test('the oldest stream ends when readers hold too many old pages', () => {
    const cluster = founded(61, { limits: { maxPinBytes: 64 * 1024 } });
    for (let i = 0; i < 50; i++)
      cluster.execute(1, 'INSERT INTO t VALUES (?, ?)', [i, 'x'.repeat(2000)]);
    const oldest = openStream(cluster, 1);
    expect(next(cluster, oldest, 1)).toEqual({ rows: 1, done: false });
    cluster.execute(1, "UPDATE t SET v = v || 'y'");
    cluster.world.run(200);
    expect(next(cluster, oldest, 1)).toMatchObject({ code: 'SNAPSHOT_TOO_OLD' });
    expect(next(cluster, openStream(cluster, 1), 100)).toEqual({ rows: 50, done: true });
  });
});
