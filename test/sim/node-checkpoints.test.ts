/** Damaged checkpoints under whole nodes: what there is to fall back to, and what there is not (rule S6, decision 0012). */
import { describe, expect, test } from 'vitest';
import type { VirtualProcess } from '../../src/runtime/virtual/contract.ts';
import { founded, others } from '../kit/founded.ts';
import type { VirtualCluster, VirtualMember } from '../kit/virtual-cluster.ts';

/** Checkpoints are taken when a test asks for them. */
const ON_DEMAND = { checkpoint: { bytes: 1e9, ms: 1e9 } };

function checkpoint(cluster: VirtualCluster, { service }: VirtualMember): number {
  let index: number | null = null;
  service.checkpoint((error, taken) => {
    if (error) throw error;
    index = taken!.index;
  });
  cluster.until(() => index !== null, 2000, 'no checkpoint');
  return index!;
}

function filesOf({ disk }: VirtualProcess): string[] {
  const number = (name: string): number => Number(/\d+/.exec(name)![0]);
  const names = disk.folder('data').list();
  return names.filter((name) => name.endsWith('.data')).sort((a, b) => number(a) - number(b));
}

function spoil({ disk }: VirtualProcess, file: string): void {
  disk.folder('data').damage(file, (content) => {
    content[content.length >> 1]! ^= 0xff;
  });
}

function insert(cluster: VirtualCluster, from: number, to: number): void {
  const { id } = cluster.elect();
  for (let i = from; i < to; i++) {
    cluster.execute(id, 'INSERT INTO t VALUES (?, ?)', [i, `row ${i}`.padEnd(3000)]);
  }
}

function expectRows(cluster: VirtualCluster, id: number, count: number): void {
  cluster.converge();
  expect(cluster.rows(id, 'SELECT count(*) FROM t', 'stale')).toEqual([[count]]);
}

/** A follower that was away until it needed a snapshot, and got it. */
function installed(seed: number): { cluster: VirtualCluster; member: VirtualMember } {
  const cluster = founded(seed, ON_DEMAND);
  const leader = cluster.leader()!;
  const member = cluster.member(others(cluster, leader.id)[0]!);
  member.process.kill();
  for (let round = 0; round < 3; round++) {
    insert(cluster, round * 10, round * 10 + 10);
    checkpoint(cluster, leader);
    cluster.world.run(3000);
  }
  member.process.restart();
  cluster.converge();
  const received = member.service.metrics().find(({ name }) => name.includes('snapshot_received'));
  expect(received!.value).toBeGreaterThan(0);
  return { cluster, member };
}

describe('a damaged checkpoint', () => {
  test('the only one, and the log is whole: the node starts from the log, and takes a new one', () => {
    const cluster = founded(1, ON_DEMAND);
    const member = cluster.member(others(cluster, cluster.leader()!.id)[0]!);
    insert(cluster, 0, 20);
    cluster.converge();
    checkpoint(cluster, member);
    insert(cluster, 20, 30);
    member.process.kill();
    spoil(member.process, filesOf(member.process)[0]!);
    member.process.restart();
    expectRows(cluster, member.id, 30);
    checkpoint(cluster, member);
    member.process.kill();
    member.process.restart();
    expectRows(cluster, member.id, 30);
    expect(filesOf(member.process)).toHaveLength(1);
  });

  test('the newest one: the node starts from the one before it', () => {
    const cluster = founded(2, ON_DEMAND);
    const member = cluster.member(others(cluster, cluster.leader()!.id)[0]!);
    for (let round = 0; round < 3; round++) {
      insert(cluster, round * 10, round * 10 + 10);
      cluster.converge();
      checkpoint(cluster, member);
    }
    member.process.kill();
    spoil(member.process, filesOf(member.process).at(-1)!);
    member.process.restart();
    expectRows(cluster, member.id, 30);
  });

  test('behind a snapshot from a peer: the node starts from the snapshot and the log behind it', () => {
    const { cluster, member } = installed(3);
    insert(cluster, 30, 40);
    cluster.converge();
    checkpoint(cluster, member);
    insert(cluster, 40, 50);
    cluster.converge();
    member.process.kill();
    spoil(member.process, filesOf(member.process).at(-1)!);
    member.process.restart();
    expectRows(cluster, member.id, 50);
  });

  test('a snapshot from a peer, and nothing behind it: refused; its peers fill it again', () => {
    const { cluster, member } = installed(4);
    member.process.kill();
    for (const file of filesOf(member.process)) spoil(member.process, file);
    member.process.restart();
    expect(() => cluster.world.run(10)).toThrow(/CORRUPT|damaged|checksum/);
    member.process.kill();
    member.process.wipe();
    member.process.restart();
    expectRows(cluster, member.id, 30);
  });
});
