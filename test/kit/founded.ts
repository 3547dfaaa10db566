/** Beginnings that many tests of whole nodes share. */
import type { NodeService, WriteRequest } from '../../src/node/contract.ts';
import type { QuorliteError } from '../../src/wire/error.ts';
import { writeOperation } from '../../src/wire/operation.ts';
import type { CommandOutcome } from '../../src/wire/result.ts';
import { VirtualCluster, type VirtualClusterOptions } from './virtual-cluster.ts';

/** A cluster with a leader and the table `t (id, v)`. */
export function founded(
  seed: number | string,
  options: VirtualClusterOptions = {},
): VirtualCluster {
  const cluster = new VirtualCluster(seed, options);
  const leader = cluster.elect();
  cluster.execute(leader.id, 'CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)');
  return cluster;
}

/** Numbers of the living members other than `id`. */
export function others(cluster: VirtualCluster, id: number): number[] {
  return cluster.alive.map((member) => member.id).filter((one) => one !== id);
}

/** A write under way. */
export interface Started {
  outcome: CommandOutcome | null;
  /** Virtual time when it was answered. */
  at: number;
  /** How often it was answered. */
  answers: number;
  giveUp(): void;
}

/** Starts a write without waiting for what becomes of it. */
export function startWrite(
  cluster: VirtualCluster,
  service: NodeService,
  sql: string,
  request: Partial<WriteRequest> = {},
): Started {
  const started: Started = { outcome: null, at: -1, answers: 0, giveUp: () => {} };
  started.giveUp = service.write(
    {
      operation: (out) => writeOperation(out, { op: 'execute', sql }),
      timeoutMs: 10_000,
      ...request,
    },
    (outcome) => {
      started.outcome = outcome;
      started.at = cluster.world.nowMs;
      started.answers++;
    },
  );
  return started;
}

/** Runs an administrative request to its end; null is success. */
export function administer(
  cluster: VirtualCluster,
  id: number,
  request: Parameters<NodeService['admin']>[0],
  timeoutMs = 8000,
): QuorliteError | null {
  let answer: { error: QuorliteError | null } | null = null;
  cluster.opened(id).service.admin(request, timeoutMs, (error) => {
    answer = { error };
  });
  cluster.until(() => answer !== null, timeoutMs * 2, 'no answer to an administrative request');
  return (answer as unknown as { error: QuorliteError | null }).error;
}
