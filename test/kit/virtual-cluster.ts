/** Clusters of the real node in a virtual world: real consensus, log, checkpoints, state machine and SQLite; virtual time. */

import { DEFAULT_LIMITS, type NodeLimits } from '../../src/config/limits.ts';
import type { ClusterStatus, NodeService, QueryResult } from '../../src/node/contract.ts';
import { openNode } from '../../src/node/service.ts';
import type {
  VirtualProcess,
  VirtualWorld,
  VirtualWorldOptions,
} from '../../src/runtime/virtual/contract.ts';
import { createVirtualWorld } from '../../src/runtime/virtual/world.ts';
import { createSnapshotStore } from '../../src/storage/checkpoint/snapshot-store.ts';
import type { SyncMode } from '../../src/storage/contract.ts';
import { createFileLogStore } from '../../src/storage/file-log/file-log.ts';
import { createIdentityStore } from '../../src/storage/identity.ts';
import { openFileBacking } from '../../src/storage/page-backing/file.ts';
import { silentLogger } from '../../src/telemetry/logger.ts';
import type { Transport } from '../../src/transport/contract.ts';
import { createLinkTransport } from '../../src/transport/link-transport.ts';
import type { QuorliteError } from '../../src/wire/error.ts';
import { type Operation, writeOperation } from '../../src/wire/operation.ts';
import type { CommandOutcome } from '../../src/wire/result.ts';
import type { Engine } from '../../wasm/engine.ts';
import { engineUnderTest } from './engine.ts';

export interface VirtualClusterOptions {
  readonly size?: number;
  /** Nodes that are started at once; default all. */
  readonly started?: readonly number[];
  readonly world?: VirtualWorldOptions;
  readonly sync?: SyncMode;
  /** Sync mode by node, as of each start; default `sync`. */
  readonly syncOf?: { readonly [node: number]: SyncMode };
  readonly checkpoint?: { readonly bytes: number; readonly ms: number };
  readonly limits?: Partial<NodeLimits>;
  readonly foundWith?: readonly number[];
  /** Secret by node; default the same for all. */
  readonly secrets?: { readonly [node: number]: string };
  /** Numbers that each node is configured with; default 1 to `size`. */
  readonly configured?: { readonly [node: number]: readonly number[] };
  readonly roles?: { readonly [node: number]: 'voter' | 'learner' };
  readonly expectExisting?: { readonly [node: number]: boolean };
  /** URLs that nodes advertise instead of their own, as of each start. */
  readonly advertised?: { readonly [node: number]: string };
  /** What a node has in the place of its engine and its transport: they wrap the real ones. */
  readonly engine?: (engine: Engine, id: number, runtime: VirtualProcess) => Engine;
  readonly transport?: (transport: Transport, id: number) => Transport;
  /** Called with each life of a node, after it was opened. */
  readonly opened?: (id: number, service: NodeService, runtime: VirtualProcess) => void;
}

/** One node and its process. */
export interface VirtualMember {
  readonly id: number;
  readonly process: VirtualProcess;
  /** The service of the newest life that got so far. */
  service: NodeService;
  /** The life it belongs to. */
  life: number;
}

const MEMORY_SEGMENT_BYTES = 256 * 1024;

export class VirtualCluster {
  readonly world: VirtualWorld;
  readonly members: VirtualMember[] = [];
  readonly #options: VirtualClusterOptions;
  readonly #size: number;

  constructor(seed: number | string, options: VirtualClusterOptions = {}) {
    this.#options = options;
    this.#size = options.size ?? 3;
    this.world = createVirtualWorld(seed, options.world);
    const started = options.started ?? Array.from({ length: this.#size }, (_, i) => i + 1);
    for (const id of started) this.start(id);
  }

  /** Starts a node for the first time. */
  start(id: number): VirtualMember {
    const member = { id } as { -readonly [K in keyof VirtualMember]: VirtualMember[K] };
    this.members.push(member);
    member.process = this.world.createProcess(`n${id}`, (runtime) => {
      member.service = this.#open(id, runtime);
      member.life = runtime.starts;
      this.#options.opened?.(id, member.service, runtime);
    });
    return member;
  }

  #open(id: number, runtime: VirtualProcess): NodeService {
    const { configured, roles, secrets } = this.#options;
    const sync = this.#options.syncOf?.[id] ?? this.#options.sync ?? { mode: 'durable' };
    const { platform } = runtime;
    const folder = runtime.folder('data');
    folder.lock();
    const link = createLinkTransport({
      dialer: runtime.dialer,
      platform,
      secret: secrets?.[id] ?? 'a secret that all nodes share',
      logger: silentLogger,
    });
    runtime.listen(urlOf(id), (socket, remote) => link.accept(socket, remote));
    const engine = engineUnderTest();
    const numbers = configured?.[id] ?? Array.from({ length: this.#size }, (_, i) => i + 1);
    return openNode({
      node: id,
      url: this.#options.advertised?.[id] ?? urlOf(id),
      nodes: new Map(numbers.map((number) => [number, urlOf(number)])),
      role: roles?.[id] ?? 'voter',
      expectExisting: this.#options.expectExisting?.[id] ?? false,
      foundWith: this.#options.foundWith ?? null,
      heartbeatMs: 150,
      electionMs: 1000,
      checkpoint: this.#options.checkpoint ?? { bytes: 8 * 1024 * 1024, ms: 60_000 },
      limits: { ...DEFAULT_LIMITS, ...this.#options.limits },
      platform,
      logger: silentLogger,
      engine: this.#options.engine?.(engine, id, runtime) ?? engine,
      transport: this.#options.transport?.(link, id) ?? link,
      storage: {
        identity: createIdentityStore(folder),
        log: createFileLogStore({
          folder,
          sync,
          clock: platform.clock,
          timers: platform.timers,
          entropy: platform.entropy,
          segmentBytes: MEMORY_SEGMENT_BYTES,
        }),
        snapshots: createSnapshotStore({ folder }),
        sync,
        openPages: () => openFileBacking(folder),
      },
    });
  }

  member(id: number): VirtualMember {
    const member = this.members.find((one) => one.id === id);
    if (!member) throw new Error(`there is no node ${id}`);
    return member;
  }

  get alive(): VirtualMember[] {
    return this.members.filter(
      ({ process, life }) => process.alive && !process.paused && process.starts === life,
    );
  }

  /** The member that leads in the highest term, among the living. */
  leader(): VirtualMember | null {
    const leaders = this.alive.filter(({ service }) => service.status().role === 'leader');
    leaders.sort((a, b) => b.service.status().term - a.service.status().term);
    return leaders[0] ?? null;
  }

  /** Runs until somebody leads and is ready; throws after `maxMs`. */
  elect(maxMs = 10_000): VirtualMember {
    this.until(() => this.leader()?.service.readiness().ok === true, maxMs, 'no leader');
    return this.leader()!;
  }

  until(condition: () => boolean, maxMs: number, what: string): void {
    if (this.world.runUntil(condition, maxMs)) return;
    const statuses = this.alive.map(({ service }) => JSON.stringify(service.status()));
    throw new Error(`seed ${this.world.seed}: ${what} within ${maxMs} ms\n${statuses.join('\n')}`);
  }

  /** Runs an operation on a node and waits for what became of it. */
  write(id: number, operation: Operation, timeoutMs = 10_000): CommandOutcome {
    let outcome: CommandOutcome | null = null;
    this.opened(id).service.write(
      { operation: (out) => writeOperation(out, operation), timeoutMs },
      (result) => {
        outcome = result;
      },
    );
    this.until(() => outcome !== null, timeoutMs * 2, 'no outcome of a write');
    return outcome!;
  }

  /** Executes a statement that must succeed. */
  execute(id: number, sql: string, params: (string | number | null)[] = []): CommandOutcome {
    const outcome = this.write(id, { op: 'execute', sql, params });
    if (!outcome.ok) throw outcome.error;
    return outcome;
  }

  query(
    id: number,
    sql: string,
    consistency: 'linearizable' | 'stale' | { maxLagMs: number } = 'linearizable',
    timeoutMs = 10_000,
  ): QueryResult | QuorliteError {
    let answer: QueryResult | QuorliteError | null = null;
    this.opened(id).service.query({ sql, consistency, timeoutMs }, (error, result) => {
      answer = error ?? result;
    });
    this.until(() => answer !== null, timeoutMs * 2, 'no answer to a read');
    return answer!;
  }

  rows(
    id: number,
    sql: string,
    consistency: 'linearizable' | 'stale' = 'linearizable',
  ): unknown[][] {
    const answer = this.query(id, sql, consistency);
    if (answer instanceof Error) throw answer;
    return answer.rows as unknown[][];
  }

  /** Runs until all living members have applied the same index and hold the same database. */
  converge(maxMs = 20_000): { index: number; hash: string } {
    for (const { id, process } of this.members) if (process.alive) this.opened(id);
    const same = (): boolean => {
      const states = this.alive.map(({ service }) => service.databaseHash());
      return states.every(
        (state) => state.index === states[0]!.index && state.hash === states[0]!.hash,
      );
    };
    this.until(same, maxMs, 'replicas do not converge');
    return this.alive[0]!.service.databaseHash();
  }

  /** Runs until a node that was started or restarted is there. */
  opened(id: number): VirtualMember {
    this.until(() => this.alive.some((one) => one.id === id), 1000, `node ${id} is not open`);
    return this.member(id);
  }

  status(id: number): ClusterStatus {
    return this.opened(id).service.status();
  }
}

/** Where a node of a virtual cluster listens. */
export function urlOf(id: number): string {
  return `http://n${id}:4001`;
}
