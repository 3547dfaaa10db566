/** Clusters whose databases are larger than their page memory. */
import { describe, expect, it } from 'vitest';
import type { NodeService, QueryStream } from '../../src/node/contract.ts';
import type { Fault, FileOperationKind } from '../../src/storage/faulty-folder.ts';
import { PAGE_SIZE } from '../../wasm/page-store.ts';
import { founded, others } from '../kit/founded.ts';
import type { VirtualCluster } from '../kit/virtual-cluster.ts';

const CACHE_PAGES = 24;
const PAGES = 10 * CACHE_PAGES;
const OPTIONS = {
  limits: { pageCacheBytes: CACHE_PAGES * PAGE_SIZE },
  checkpoint: { bytes: 256 * 1024, ms: 2000 },
};

function metric(service: NodeService, name: string): number {
  return service.metrics().find((one) => one.name === `quorlite_${name}`)?.value ?? Number.NaN;
}

/** Fills the table with `count` rows of about half a page, from `first` on. */
function fill(cluster: VirtualCluster, id: number, first: number, count: number): void {
  for (let row = first; row < first + count; row += 20) {
    cluster.execute(
      id,
      `WITH RECURSIVE n(i) AS (SELECT ${row} UNION ALL SELECT i + 1 FROM n WHERE i < ${row + 19})
       INSERT INTO t SELECT i, printf('%d:%.*c', i, 1900, 'x') FROM n`,
    );
  }
}

/** Changes rows all over the table, so that most of what is read comes from a disk. */
function stir(cluster: VirtualCluster, id: number, rounds: number): void {
  for (let round = 0; round < rounds; round++) {
    cluster.execute(id, `UPDATE t SET v = v || ${round} WHERE id % 37 = ${round % 37}`);
  }
}

const SUM = 'SELECT count(*), sum(length(v)), sum(id) FROM t';

describe('a database ten times the page memory', () => {
  it('is the same on all nodes, in bounded memory, through restarts from the checkpoint', () => {
    const cluster = founded(11, OPTIONS);
    const { id } = cluster.leader()!;
    fill(cluster, id, 1, 2 * PAGES);
    cluster.world.run(3000);
    stir(cluster, id, 40);
    cluster.world.run(3000);
    stir(cluster, id, 5);
    const { hash } = cluster.converge();
    for (const { service } of cluster.alive) {
      expect(metric(service, 'pages')).toBeGreaterThan(PAGES);
      expect(metric(service, 'page_cache_bytes')).toBeLessThanOrEqual(CACHE_PAGES * PAGE_SIZE);
      expect(metric(service, 'page_image_bytes')).toBeGreaterThan((PAGES / 2) * PAGE_SIZE);
      expect(metric(service, 'page_spills_total')).toBeGreaterThan(0);
    }
    const [answer] = cluster.rows(id, SUM);
    for (const member of cluster.members) member.process.kill();
    for (const member of cluster.members) member.process.restart();
    cluster.elect();
    for (const member of cluster.members) {
      expect(cluster.rows(member.id, SUM)).toEqual([answer]);
      expect(cluster.rows(member.id, 'PRAGMA integrity_check')).toEqual([['ok']]);
    }
    expect(cluster.converge().hash).toBe(hash);
    stir(cluster, cluster.leader()!.id, 10);
    cluster.converge();
  });

  it('comes to a node that needs a snapshot, and to one that lost its disk', () => {
    const cluster = founded(12, OPTIONS);
    const { id } = cluster.leader()!;
    const [late, wiped] = others(cluster, id) as [number, number];
    cluster.member(late).process.kill();
    fill(cluster, id, 1, 2 * PAGES);
    // The log that it misses goes only when nobody who is there needs it, and two checkpoints have it.
    for (let round = 0; round < 4; round++) {
      cluster.world.run(3000);
      stir(cluster, id, 10);
    }
    cluster.member(late).process.restart();
    cluster.opened(late);
    cluster.converge();
    expect(metric(cluster.member(late).service, 'snapshot_received_bytes_total')).toBeGreaterThan(
      0,
    );
    const { process } = cluster.member(wiped);
    process.kill();
    process.wipe();
    process.restart();
    cluster.converge(60_000);
    for (const one of [late, wiped]) {
      const { service } = cluster.member(one);
      expect(metric(service, 'page_cache_bytes')).toBeLessThanOrEqual(CACHE_PAGES * PAGE_SIZE);
      expect(cluster.rows(one, 'PRAGMA integrity_check', 'stale')).toEqual([['ok']]);
    }
  });

  it('scratch that outgrows the cache makes a checkpoint due', () => {
    const cluster = founded(15, { ...OPTIONS, checkpoint: { bytes: 2 ** 30, ms: 1e8 } });
    const { id, service } = cluster.leader()!;
    fill(cluster, id, 1, 2 * PAGES);
    expect(metric(service, 'checkpoint_index')).toBe(0);
    expect(metric(service, 'page_scratch_bytes')).toBeGreaterThan(CACHE_PAGES * PAGE_SIZE);
    cluster.world.run(2000);
    const index = metric(service, 'checkpoint_index');
    expect(index).toBeGreaterThan(0);
    expect(metric(service, 'page_scratch_bytes')).toBe(0);
    cluster.execute(id, 'UPDATE t SET v = 1 WHERE id = 1');
    cluster.world.run(5000);
    expect(metric(service, 'checkpoint_index')).toBe(index);
  });

  it('a power failure leaves scratch that nobody believes', () => {
    const cluster = founded(13, OPTIONS);
    const { id } = cluster.leader()!;
    fill(cluster, id, 1, 2 * PAGES);
    cluster.world.run(3000);
    stir(cluster, id, 40);
    const { hash } = cluster.converge();
    for (const { process } of cluster.members) process.crash();
    for (const { process } of cluster.members) process.restart();
    cluster.elect();
    expect(cluster.converge().hash).toBe(hash);
  });

  it('a reader keeps its snapshot across checkpoints that merge the files it reads', () => {
    const cluster = founded(14, OPTIONS);
    const { id } = cluster.leader()!;
    fill(cluster, id, 1, 2 * PAGES);
    cluster.world.run(3000);
    const expected = cluster.rows(id, 'SELECT id, v FROM t ORDER BY id');
    const rows: unknown[][] = [];
    let stream: QueryStream | null = null;
    const request = { sql: 'SELECT id, v FROM t ORDER BY id', timeoutMs: 1e6 };
    cluster.member(id).service.stream({ ...request, consistency: 'stale' }, (error, opened) => {
      if (error) throw error;
      stream = opened;
    });
    cluster.until(() => stream !== null, 1000, 'no stream');
    let ended = false;
    const pull = (): void =>
      stream!.next(4, (error, some, done) => {
        if (error) throw error;
        rows.push(...some);
        ended = done;
      });
    for (let round = 0; round < 12; round++) {
      pull();
      stir(cluster, id, 8);
      cluster.world.run(2100);
    }
    while (!ended) {
      pull();
      cluster.world.run(1);
    }
    expect(rows).toEqual(expected);
    cluster.world.run(3000);
    // What only the reader needed is gone: the files of the newest checkpoint are all that is open.
    expect(metric(cluster.member(id).service, 'page_image_files')).toBeLessThanOrEqual(9);
    expect(cluster.rows(id, 'PRAGMA integrity_check')).toEqual([['ok']]);
  });
});

describe('a disk that fails under pages', () => {
  const EIO: Fault = { type: 'error', kind: 'io' };
  const FULL: Fault = { type: 'error', kind: 'no-space' };
  const SHORT: Fault = { type: 'short', bytes: 0 };
  const FLIP: Fault = { type: 'flip', bit: 12_345 };
  const SCRATCH = /^pages\.scratch$/;
  const IMAGES = /\.data$/;

  it.each([
    ['scratch', 'write', SCRATCH, EIO],
    ['scratch', 'write', SCRATCH, FULL],
    ['scratch', 'write', SCRATCH, SHORT],
    ['scratch', 'write', SCRATCH, FLIP],
    ['scratch', 'read', SCRATCH, EIO],
    ['scratch', 'read', SCRATCH, FLIP],
    ['a checkpoint', 'read', IMAGES, EIO],
    ['a checkpoint', 'read', IMAGES, FLIP],
  ] as const)(
    '%s, %s, %s, %j: the node stops and says so, and comes back whole',
    (_, kind, file, fault) => {
      const cluster = founded(`${kind} ${file} ${JSON.stringify(fault)}`, {
        ...OPTIONS,
        checkpoint: { bytes: 64 * 1024 * 1024, ms: 4000 },
      });
      const { id } = cluster.leader()!;
      fill(cluster, id, 1, 2 * PAGES);
      cluster.world.run(5000);
      stir(cluster, id, 15);
      cluster.converge();
      const victim = cluster.member(others(cluster, id)[0]!);
      const { service, process } = victim;
      process.disk.plan = (operation) =>
        operation.kind === (kind as FileOperationKind) && file.test(operation.file) ? fault : null;
      const wrong: unknown[] = [];
      for (let row = 1; row <= 2 * PAGES && service.live().ok; row++) {
        if (row % 20 === 0) stir(cluster, id, 3);
        service.query(
          {
            sql: `SELECT length(v) > 1900, v FROM t WHERE id = ${row}`,
            consistency: 'stale',
            timeoutMs: 100,
          },
          (error, result) => {
            const bad = error
              ? error.code !== 'STORAGE_FAILED' && error.code !== 'NOT_READY'
              : !String(result!.rows[0]![1]).startsWith(`${row}:`);
            if (bad) wrong.push(error ?? result);
          },
        );
      }
      cluster.until(() => !service.live().ok, 5000, 'does not stop');
      expect(wrong).toEqual([]);
      const [reason] = service.live().reasons;
      expect(reason).toMatch(/stopped/);
      expect(reason).toMatch(fault.type === 'flip' ? /damaged/ : /pages\.scratch|\.data/);
      process.disk.plan = null;
      process.kill();
      process.restart();
      cluster.opened(victim.id);
      cluster.converge();
      expect(cluster.rows(victim.id, 'PRAGMA integrity_check', 'stale')).toEqual([['ok']]);
    },
  );
});
