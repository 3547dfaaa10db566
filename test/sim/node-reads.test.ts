/** Reads on whole nodes while the state under them is replaced, or goes away. */
import { expect, test } from 'vitest';
import type { NodeService, QueryStream } from '../../src/node/contract.ts';
import { administer, founded, others } from '../kit/founded.ts';
import type { VirtualCluster } from '../kit/virtual-cluster.ts';

function openStream(cluster: VirtualCluster, service: NodeService): QueryStream {
  let stream: QueryStream | null = null;
  const request = { sql: 'SELECT id FROM t', consistency: 'stale', timeoutMs: 1000 } as const;
  service.stream(request, (error, opened) => {
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

test('a stream ends when a snapshot takes the place of the state that it shows', () => {
  const cluster = founded(1, { checkpoint: { bytes: 2000, ms: 500 } });
  for (let i = 0; i < 10; i++) cluster.execute(1, 'INSERT INTO t (id) VALUES (?)', [i]);
  cluster.converge();
  const leader = cluster.leader()!;
  const away = cluster.member(others(cluster, leader.id)[0]!);
  const stream = openStream(cluster, away.service);
  expect(next(cluster, stream, 4)).toEqual({ rows: 4, done: false });
  cluster.world.network.isolate(away.process.name);
  for (let i = 10; i < 200; i++) {
    cluster.execute(leader.id, 'INSERT INTO t VALUES (?, ?)', [i, 'x'.repeat(300)]);
    if (i % 50 === 49) cluster.world.run(2000);
  }
  cluster.world.network.healAll();
  cluster.converge();
  const received = away.service
    .metrics()
    .find(({ name }) => name === 'quorlite_snapshot_received_bytes_total');
  expect(received?.value).toBeGreaterThan(0);
  expect(next(cluster, stream, 4)).toMatchObject({ code: 'SNAPSHOT_TOO_OLD' });
  expect(next(cluster, openStream(cluster, away.service), 1000)).toEqual({ rows: 200, done: true });
});

test('a stream ends with the node', () => {
  const cluster = founded(2);
  for (let i = 0; i < 10; i++) cluster.execute(1, 'INSERT INTO t (id) VALUES (?)', [i]);
  const stream = openStream(cluster, cluster.member(1).service);
  expect(next(cluster, stream, 4)).toEqual({ rows: 4, done: false });
  let stopped = false;
  cluster.member(1).service.shutdown(() => {
    stopped = true;
  });
  cluster.until(() => stopped, 2000, 'not stopped');
  expect(next(cluster, stream, 4)).toMatchObject({ code: 'SHUTTING_DOWN' });
});

test('a replica that is asked how stale it is at once after a change of leaders does not guess', () => {
  const cluster = founded(3);
  cluster.world.run(1000);
  const to = others(cluster, cluster.leader()!.id)[0]!;
  expect(administer(cluster, 1, { op: 'transfer', to })).toBeNull();
  const answer = cluster.query(to, 'SELECT 1', { maxLagMs: 1 });
  if (answer instanceof Error) expect(answer.code).toBe('NOT_READY');
  else expect(answer.lagMs).toBeLessThanOrEqual(1);
});
