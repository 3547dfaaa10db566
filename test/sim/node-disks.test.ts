/** Failing disks under whole nodes: the node stops and says why, the others go on, a restart is sound (rules D3, S1). */
import { describe, expect, test } from 'vitest';
import type { Fault, FaultPlan } from '../../src/storage/faulty-folder.ts';
import { founded, others, startWrite } from '../kit/founded.ts';
import { VirtualCluster } from '../kit/virtual-cluster.ts';

const EIO: Fault = { type: 'error', kind: 'io' };
const FULL: Fault = { type: 'error', kind: 'no-space' };

function failing(file: RegExp, fault: Fault): FaultPlan {
  return (operation) =>
    (operation.kind === 'write' || operation.kind === 'sync' || operation.kind === 'rename') &&
    file.test(operation.file)
      ? fault
      : null;
}

describe('the log', () => {
  test.each([
    ['a leader', true, EIO],
    ['a leader', true, FULL],
    ['a follower', false, EIO],
    ['a follower', false, FULL],
  ] as const)('of %s (leads: %s) fails with %o', (_, leads, fault) => {
    const cluster = founded(`log ${leads} ${fault.type}`, {});
    const leader = cluster.leader()!.id;
    const id = leads ? leader : others(cluster, leader)[0]!;
    const member = cluster.member(id);
    const { disk } = member.process;
    disk.plan = failing(/log|segment|seg|\d/, fault);
    const writes = [1, 2, 3].map((i) =>
      startWrite(cluster, member.service, `INSERT INTO t (id) VALUES (${i})`),
    );
    cluster.until(() => !member.service.live().ok, 5000, 'does not stop');
    expect(member.service.live().reasons.join()).toContain('stopped');
    cluster.until(() => writes.every(({ answers }) => answers === 1), 1000, 'not answered');
    const other = others(cluster, id)[0]!;
    cluster.execute(other, 'INSERT INTO t (id) VALUES (100)');
    disk.plan = null;
    member.process.kill();
    member.process.restart();
    cluster.converge();
    const rows = cluster.rows(id, 'SELECT id FROM t').map(([row]) => row);
    writes.forEach(({ outcome }, i) => {
      if (outcome!.ok) expect(rows).toContain(i + 1);
      else if (outcome!.error.outcome === 'not-applied') expect(rows).not.toContain(i + 1);
    });
  });
});

describe('the identity', () => {
  test('a node that cannot store its promise stops, and founds with the others when it can', () => {
    const cluster = new VirtualCluster('promise', { started: [1, 2] });
    cluster.world.run(1000);
    const { process, service } = cluster.member(2);
    process.disk.plan = failing(/identity/, EIO);
    cluster.start(3);
    cluster.until(() => !service.live().ok, 5000, 'does not stop');
    cluster.world.run(2000);
    expect(cluster.leader()).toBeNull();
    process.disk.plan = null;
    process.kill();
    process.restart();
    cluster.elect();
  });

  test('a node that cannot remember a peer stops; the others go on', () => {
    const cluster = founded('memory');
    const leader = cluster.leader()!.id;
    const [victim, peer] = others(cluster, leader) as [number, number];
    const { process, service } = cluster.member(victim);
    process.disk.plan = failing(/identity/, EIO);
    cluster.member(peer).process.kill();
    cluster.member(peer).process.restart();
    cluster.until(() => !service.live().ok, 5000, 'does not stop');
    cluster.execute(leader, 'INSERT INTO t (id) VALUES (1)');
  });

  test('a node whose identity cannot be written at the end still ends', () => {
    const cluster = founded('end');
    const { process, service } = cluster.member(others(cluster, cluster.leader()!.id)[0]!);
    process.disk.plan = failing(/identity/, EIO);
    let ended = false;
    service.shutdown(() => {
      ended = true;
    });
    cluster.until(() => ended, 2000, 'does not end');
  });
});

describe('founding', () => {
  test('a founder whose disk is slow founds once', () => {
    const cluster = new VirtualCluster('slow', { world: { disk: { syncMs: [400, 600] } } });
    cluster.elect(60_000);
    cluster.until(
      () => cluster.alive.every(({ service }) => service.readiness().ok),
      60_000,
      'not all ready',
    );
    expect(cluster.alive.every(({ service }) => service.live().ok)).toBe(true);
  });

  test('a founder whose disk hangs while it writes the first entry', () => {
    const cluster = new VirtualCluster('hang', {
      world: { disk: { syncMs: [1, 2] }, path: { latencyMs: [5, 10] } },
    });
    cluster.world.run(60);
    cluster.member(1).process.disk.hang(4000);
    cluster.elect(30_000);
    expect(cluster.alive).toHaveLength(3);
    expect(cluster.alive.every(({ service }) => service.live().ok)).toBe(true);
  });
});

describe('checkpoints', () => {
  test('whoever asked for one hears that it failed; the node serves on and takes the next', () => {
    const cluster = founded('checkpoint', { checkpoint: { bytes: 1e9, ms: 1e9 } });
    const { id, process, service } = cluster.leader()!;
    process.disk.plan = failing(/check|page|section|manifest|part|gen/, FULL);
    const answers: (string | null)[] = [];
    for (let i = 0; i < 3; i++) service.checkpoint((error) => answers.push(error?.code ?? null));
    cluster.until(() => answers.length === 3, 2000, 'not answered');
    expect(answers).toEqual(['STORAGE_FAILED', 'STORAGE_FAILED', 'STORAGE_FAILED']);
    cluster.execute(id, 'INSERT INTO t (id) VALUES (1)');
    expect(service.live().ok).toBe(true);
    process.disk.plan = null;
    service.checkpoint((error) => answers.push(error?.code ?? null));
    cluster.until(() => answers.length === 4, 2000, 'not answered');
    expect(answers[3]).toBeNull();
  });

  test('a node that ends while it writes one', () => {
    const cluster = founded('ends', { checkpoint: { bytes: 1e9, ms: 1e9 } });
    for (let i = 0; i < 20; i++)
      cluster.execute(1, 'INSERT INTO t VALUES (?, ?)', [i, 'x'.repeat(5000)]);
    const { process, service } = cluster.member(others(cluster, cluster.leader()!.id)[0]!);
    const ended: string[] = [];
    service.checkpoint(() => ended.push('checkpoint'));
    service.shutdown(() => ended.push('node'));
    cluster.until(() => ended.length === 2, 2000, 'does not end');
    cluster.world.run(1000);
    process.kill();
    process.restart();
    cluster.converge();
  });
});
