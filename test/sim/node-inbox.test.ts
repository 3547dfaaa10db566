/** The bound on what a node has received from its peers and not taken in yet: what finds no room is lost, as on a network. */
import { expect, test } from 'vitest';
import type { NodeService } from '../../src/node/contract.ts';
import type { VirtualProcess } from '../../src/runtime/virtual/contract.ts';
import { founded, others, startWrite } from '../kit/founded.ts';

const INBOX_BYTES = 4096;

function metric(service: NodeService, name: string): number {
  return service.metrics().find((one) => one.name === `quorlite_${name}`)!.value;
}

/** Keeps a node busy for a while again and again, as a long statement would, so that its inbox fills. */
function keepBusy(process: VirtualProcess, times: number): void {
  if (times === 0) return;
  process.platform.timers.after(20, () => {
    process.work(200);
    keepBusy(process, times - 1);
  });
}

test.each([1, 2, 3])('what finds no room is dropped, counted and sent again (seed %d)', (seed) => {
  const cluster = founded(seed, { limits: { maxInboxBytes: INBOX_BYTES } });
  const leader = cluster.leader()!;
  const slow = cluster.member(others(cluster, leader.id)[0]!);
  keepBusy(slow.process, 10);
  const text = 'x'.repeat(INBOX_BYTES / 4);
  for (let i = 0; i < 100; i++) {
    cluster.world.after(i * 20, () => {
      startWrite(cluster, leader.service, `INSERT INTO t VALUES (${i}, '${text}')`);
    });
  }
  cluster.world.run(3000);
  expect(metric(slow.service, 'inbox_dropped_total')).toBeGreaterThan(0);
  cluster.converge();
  expect(cluster.rows(slow.id, 'SELECT count(*) FROM t')).toEqual([[100]]);
  expect(cluster.alive.every(({ service }) => service.live().ok)).toBe(true);
});

test('a message larger than the inbox has room in an empty one', () => {
  const cluster = founded(4, { limits: { maxInboxBytes: INBOX_BYTES } });
  const text = 'x'.repeat(10 * INBOX_BYTES);
  cluster.execute(1, 'INSERT INTO t VALUES (1, ?)', [text]);
  cluster.converge();
  expect(cluster.rows(3, 'SELECT length(v) FROM t')).toEqual([[text.length]]);
});
