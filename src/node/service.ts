/** A node as the API and clients use it. */
import type { StateMachine } from '../state-machine/contract.ts';
import { asQuorliteError, QuorliteError } from '../wire/error.ts';
import type { CommandOutcome } from '../wire/result.ts';
import type {
  AdminRequest,
  Callback,
  ClusterStatus,
  ClusterSummary,
  Health,
  Metric,
  NodeService,
  QueryRequest,
  QueryResult,
  QueryStream,
  WriteRequest,
} from './contract.ts';
import { idText } from './id-text.ts';
import type { NodeInside } from './inside.ts';
import { nodeMetrics } from './metrics.ts';
import { Node } from './node.ts';
import type { NodeOptions } from './node-options.ts';
import { shutdownNode } from './shutdown.ts';
import { clusterStatus, liveness, readiness } from './status.ts';

/** Opens the storage, recovers and starts. Throws `CORRUPT`, `STORAGE_FAILED`, `CONFIG_INVALID`. */
export function openNode(options: NodeOptions): NodeService {
  return openInspectedNode(options).service;
}

/** The same, with a view of the insides: for whoever shows or checks what a node does. */
export function openInspectedNode(options: NodeOptions): {
  readonly service: NodeService;
  readonly inside: NodeInside;
} {
  const node = new Node(options);
  const service = new Service(node);
  node.status = () => service.status();
  node.start();
  return { service, inside: node };
}

class Service implements NodeService {
  readonly #node: Node;
  /** Whoever waits for the end of a shutdown. */
  readonly #ending: ((error: Error | null) => void)[] = [];
  /** How the shutdown ended; undefined before. */
  #ended: Error | null | undefined;

  constructor(node: Node) {
    this.#node = node;
  }

  get id(): number {
    return this.#node.options.node;
  }

  get url(): string {
    return this.#node.options.url;
  }

  get replica(): number {
    return this.#node.self;
  }

  get #machine(): StateMachine {
    return this.#node.replica.stateMachine;
  }

  write(request: WriteRequest, done: (outcome: CommandOutcome) => void): () => void {
    try {
      this.#refuseWhenClosing();
      return this.#submit(request, done);
    } catch (error) {
      done({ ok: false, index: 0, error: asQuorliteError(error, 'not-applied') });
      return () => {};
    }
  }

  #refuseWhenClosing(): void {
    if (this.#node.shuttingDown) {
      throw new QuorliteError('SHUTTING_DOWN', 'this node is shutting down');
    }
    if (this.#node.removedAt !== null) {
      throw new QuorliteError('NOT_READY', 'this node was removed from the cluster');
    }
  }

  #submit(request: WriteRequest, done: (outcome: CommandOutcome) => void): () => void {
    const { session, key } = request;
    if (!session && !key) {
      const handle = this.#node.session.write(request, done);
      return () => this.#node.session.abandon(handle, gaveUp);
    }
    const { proposals } = this.#node.replica;
    const header = session
      ? { session: session.id, sequence: session.sequence, acknowledged: session.acknowledged, key }
      : { session: 0, sequence: 0, acknowledged: 0, key };
    const write = proposals.submit(request, header, false, done);
    return () => proposals.abandon(write, gaveUp);
  }

  query(request: QueryRequest, done: Callback<QueryResult>): () => void {
    const refusal = this.#refuseRead(request);
    if (refusal) {
      done(refusal, null);
      return () => {};
    }
    return this.#node.replica.reads.query(request, done);
  }

  /** A removed node shows what it had, and says no more than that. */
  #refuseRead({ consistency }: QueryRequest): QuorliteError | null {
    if (this.#node.removedAt === null || consistency === 'stale') return null;
    return new QuorliteError('NOT_READY', 'this node was removed from the cluster');
  }

  stream(request: QueryRequest, done: Callback<QueryStream>): () => void {
    const refusal = this.#refuseRead(request);
    if (refusal) {
      done(refusal, null);
      return () => {};
    }
    return this.#node.replica.reads.stream(request, done);
  }

  ready(timeoutMs: number, done: (error: QuorliteError | null) => void): () => void {
    let open = true;
    const finish = (error: QuorliteError | null): void => {
      if (!open) return;
      open = false;
      stop();
      timers.cancel(timer);
      done(error);
    };
    const { timers } = this.#node.options.platform;
    const check = (): void => {
      const { failure } = this.#node;
      if (failure) finish(new QuorliteError('STORAGE_FAILED', `stopped: ${failure.message}`));
      else if (this.readiness().ok) finish(null);
    };
    const stop = this.#node.watch(check);
    const timer = timers.after(timeoutMs, () => {
      finish(new QuorliteError('NO_QUORUM', this.readiness().reasons.join('; ')));
    });
    check();
    return () => {
      open = false;
      stop();
      timers.cancel(timer);
    };
  }

  status(): ClusterStatus {
    return clusterStatus(this.#node);
  }

  summary(): ClusterSummary {
    const { raft } = this.#node.replica;
    const leader = raft.membership.members.find(({ replica }) => replica === raft.leader);
    return { clusterId: idText(this.#node.identity.cluster), leader: leader?.node ?? null };
  }

  settings(): { readonly [name: string]: number } {
    return this.#machine.settings();
  }

  admin(request: AdminRequest, timeoutMs: number, done: Callback<ClusterStatus>): void {
    this.#node.admin.run(request, timeoutMs, done);
  }

  checkpoint(done: Callback<{ index: number; bytes: number }>, timeoutMs?: number): void {
    this.#node.checkpointer.take(done, timeoutMs);
  }

  openExport(): ReturnType<StateMachine['openExport']> {
    return this.#machine.openExport();
  }

  tablesRead(sql: string): readonly string[] {
    return this.#machine.tablesRead(sql);
  }

  databaseHash(): { readonly index: number; readonly hash: string } {
    return { index: this.#machine.applied.index, hash: this.#machine.databaseHash() };
  }

  live(): Health {
    return liveness(this.#node);
  }

  readiness(): Health {
    return readiness(this.#node);
  }

  metrics(): readonly Metric[] {
    return nodeMetrics(this.#node);
  }

  whenFailed(run: (error: QuorliteError) => void): () => void {
    let open = true;
    const check = (): void => {
      const { failure } = this.#node;
      if (!failure || !open) return;
      withdraw();
      const message = `this node has stopped: ${failure.message}`;
      run(new QuorliteError('STORAGE_FAILED', message, { outcome: 'unknown', cause: failure }));
    };
    const stop = this.#node.watch(check);
    const withdraw = (): void => {
      open = false;
      stop();
    };
    check();
    return withdraw;
  }

  shutdown(done: (error: Error | null) => void): void {
    if (this.#ended !== undefined) {
      done(this.#ended);
      return;
    }
    this.#ending.push(done);
    if (this.#ending.length > 1) return;
    shutdownNode(this.#node, (error) => {
      this.#ended = error;
      for (const each of this.#ending.splice(0)) each(error);
    });
  }
}

function gaveUp(outcome: 'unknown' | 'not-applied'): QuorliteError {
  return new QuorliteError('ABORTED', 'the caller gave up', { outcome });
}
