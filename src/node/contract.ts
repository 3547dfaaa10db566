/**
 * What a running node offers to the API and to clients, embedded or remote. Everything completes by callback; promises
 * begin at the client.
 */
import type { ByteWriter } from '../wire/bytes.ts';
import type { IdempotencyKey } from '../wire/command.ts';
import type { LogIndex, ReplicaId, Term } from '../wire/entry.ts';
import type { QuorliteError } from '../wire/error.ts';
import type { Column, CommandOutcome } from '../wire/result.ts';
import type { Params, SqlInput, SqlValue } from '../wire/value.ts';

/** How fresh a read must be. */
export type Consistency = 'linearizable' | 'session' | 'stale' | { readonly maxLagMs: number };

/** A write. Without `session` and `key` it takes a sequence of the node's own session. */
export interface WriteRequest {
  /** The operation, encoded, or a function that encodes it (it may throw `BAD_REQUEST`). */
  readonly operation: Uint8Array | ((out: ByteWriter) => void);
  /** The client's own session (opened before with `openSession`). */
  readonly session?:
    | { readonly id: number; readonly sequence: number; readonly acknowledged: number }
    | undefined;
  readonly key?: IdempotencyKey | undefined;
  /** How long to wait for an answer; afterwards `TIMEOUT` with an honest outcome. */
  readonly timeoutMs: number;
}

/** Who asks for reads, such as a connection: the same object for all that it asks. */
export interface ReadClient {
  /** Bytes of answers that it has not taken yet. */
  readonly bufferedBytes: number;
}

/** A read. */
export interface QueryRequest {
  readonly sql: string;
  readonly params?: Params<SqlInput> | undefined;
  readonly consistency: Consistency;
  /** Not before this index is applied here (with `session`: the floor). */
  readonly minIndex?: LogIndex | undefined;
  /** The history (cluster id) that `minIndex` belongs to; another one is `CLUSTER_MISMATCH`. */
  readonly history?: string | undefined;
  readonly timeoutMs: number;
  /** Defaults from the node's limits; `Infinity` for streams. */
  readonly maxRows?: number | undefined;
  readonly maxBytes?: number | undefined;
  /** Clients share a node evenly, whatever each of them asks for at once. */
  readonly client?: ReadClient | undefined;
}

/** What a read gave. */
export interface QueryResult {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly SqlValue[])[];
  readonly index: LogIndex;
  /** How far behind the leader the rows may be, milliseconds; null when unknown. */
  readonly lagMs: number | null;
}

/** Rows as they come. `next` is called again only after the callback. */
export interface QueryStream {
  readonly columns: readonly Column[];
  readonly index: LogIndex;
  /** At most `maxRows` rows; `done` true at the end (the stream is closed then, also after an error). */
  next(
    maxRows: number,
    callback: (error: QuorliteError | null, rows: SqlValue[][], done: boolean) => void,
  ): void;
  close(): void;
}

/** One member as `GET /v1/cluster` shows it. */
export interface MemberStatus {
  readonly id: number;
  /** Replica ids are shown as strings of 14 hexadecimal digits. */
  readonly replica: string;
  readonly url: string;
  readonly role: 'leader' | 'follower' | 'learner' | 'candidate' | 'unknown';
  readonly voter: boolean;
  /** Known to the leader only; null elsewhere. */
  readonly matchIndex: LogIndex | null;
  readonly lagMs: number | null;
  readonly reachable: boolean;
}

/** The cluster as this node sees it. */
export interface ClusterStatus {
  /** 14 hexadecimal digits, '' before founding. */
  readonly clusterId: string;
  /** Number of the leader, null when unknown. */
  readonly leader: number | null;
  readonly leaderUrl: string | null;
  readonly term: Term;
  readonly index: LogIndex;
  readonly node: number;
  readonly replica: string;
  readonly role: 'leader' | 'follower' | 'learner' | 'candidate' | 'unknown';
  readonly members: readonly MemberStatus[];
  /** A sentence about what the node waits for, '' when it serves. */
  readonly waiting: string;
}

/** The part of the status that every answer carries. */
export interface ClusterSummary {
  readonly clusterId: string;
  /** Number of the leader, null when unknown. */
  readonly leader: number | null;
}

/** Health with reasons. */
export interface Health {
  readonly ok: boolean;
  readonly reasons: readonly string[];
}

/** What the leader is asked to do to the cluster; any node forwards it. */
export type AdminRequest =
  | { readonly op: 'addMember'; readonly id: number; readonly url: string; readonly voter: boolean }
  | { readonly op: 'removeMember'; readonly id: number }
  | { readonly op: 'promote'; readonly id: number }
  | { readonly op: 'transfer'; readonly to?: number | undefined };

/** Called once. */
export type Callback<T> = (error: QuorliteError | null, value: T | null) => void;

/** A running node. */
export interface NodeService {
  readonly id: number;
  readonly url: string;
  readonly replica: ReplicaId;
  /** Runs a write; returns a function that gives up waiting (the write may still happen). */
  write(request: WriteRequest, done: (outcome: CommandOutcome) => void): () => void;
  /** Runs a read to its end; `stale` reads that fit one slice call back before this returns. */
  query(request: QueryRequest, done: Callback<QueryResult>): () => void;
  /** Opens a stream of rows. */
  stream(request: QueryRequest, done: Callback<QueryStream>): () => void;
  /** Waits until a leader is known and this node can serve. */
  ready(timeoutMs: number, done: (error: QuorliteError | null) => void): () => void;
  status(): ClusterStatus;
  /** The same as in `status()`, at no cost: the API asks once per request. Absent: `status()` is asked. */
  summary?(): ClusterSummary;
  settings(): { readonly [name: string]: number };
  /** Answers within `timeoutMs`, at the latest with `TIMEOUT`: what was begun may still be finished. */
  admin(request: AdminRequest, timeoutMs: number, done: Callback<ClusterStatus>): void;
  /**
   * Takes a checkpoint now; answers its index. After `timeoutMs`, when it is given, the answer is `TIMEOUT`: the
   * checkpoint may still be finished.
   */
  checkpoint(done: Callback<{ index: LogIndex; bytes: number }>, timeoutMs?: number): void;
  /** The database as a plain SQLite file, chunk by chunk; null at the end. */
  openExport(): {
    readonly index: LogIndex;
    readonly bytes: number;
    read(maxBytes: number): Uint8Array | null;
    close(): void;
  };
  /** Tables that a read touches, lower-case, for guarded transactions. */
  tablesRead(sql: string): readonly string[];
  databaseHash(): { readonly index: LogIndex; readonly hash: string };
  live(): Health;
  readiness(): Health;
  /** All metrics by name: numbers, in the units that the names say. */
  metrics(): readonly Metric[];
  /**
   * Calls back once when the node has stopped by itself (a failed disk, a broken invariant), at once when it has
   * already. Returns a function that withdraws it. Absent: `live()` says so.
   */
  whenFailed?(run: (error: QuorliteError) => void): () => void;
  /** Hands leadership over, drains, flushes and stops. Whoever asks again hears how it ended. */
  shutdown(done: (error: Error | null) => void): void;
}

/** One sample for Prometheus. */
export interface Metric {
  /** Such as `quorlite_raft_commit_index`. */
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly value: number;
  readonly labels?: { readonly [name: string]: string } | undefined;
}
