/** The client: one interface, embedded in a node or remote. */
import type { ClusterStatus, Consistency, Metric } from '../node/contract.ts';
import type { Guard, Migration, Statement } from '../wire/operation.ts';
import type { Column } from '../wire/result.ts';
import type { Params, SqlInput, SqlValue } from '../wire/value.ts';

/** How integers come out: `auto` gives a bigint only when a number would lose digits. */
export type IntegerMode = 'number' | 'bigint' | 'auto';

/** Options of every call. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Default 10,000. */
  readonly timeoutMs?: number | undefined;
}

/** Options of writes. */
export interface WriteOptions extends CallOptions {
  /** Meant to run long (an index on a big table): raises the step limit. */
  readonly slow?: boolean | undefined;
}

/** Options of reads. */
export interface ReadOptions extends CallOptions {
  /** Default `linearizable`. */
  readonly consistency?: Consistency | undefined;
  readonly minIndex?: number | undefined;
  readonly integers?: IntegerMode | undefined;
}

/**
 * A row as an object, keyed by column name. A result in which two columns have one name is refused with `BAD_REQUEST`:
 * name them apart with AS, or take `queryRaw`.
 */
export type Row = { readonly [column: string]: SqlValue };

/** What a write did. */
export interface ExecuteResult<T = Row> {
  readonly rowsAffected: number;
  readonly lastInsertRowid: number | bigint;
  /** Rows of RETURNING, empty without. */
  readonly rows: T[];
  readonly columns: readonly Column[];
  /** Index of the log entry. */
  readonly index: number;
}

/** SQL text with its parameters, made by the `sql` tag. */
export interface Sql {
  readonly sql: string;
  readonly params: readonly SqlInput[];
}

/** What became of each statement of a batch; errors stand among the results only with `atomic: false`. */
export interface BatchResult {
  readonly results: readonly (ExecuteResult | { readonly error: Error })[];
  readonly index: number;
}

/** Reads and buffered writes inside `transaction`. */
export interface Transaction {
  query<T = Row>(sql: string | Sql, params?: Params): Promise<T[]>;
  queryOne<T = Row>(sql: string | Sql, params?: Params): Promise<T>;
  queryOptional<T = Row>(sql: string | Sql, params?: Params): Promise<T | undefined>;
  /** Buffered; runs at commit. */
  execute(sql: string | Sql, params?: Params): void;
}

/**
 * A cluster as an application sees it; the same inside a node (`node.client`) and outside (`connect`). Calls reject with
 * `QuorliteError`, whose `outcome` says what is known of a write that failed.
 *
 * People who come from hiqlite find `query_map` and `query_as` as `query`, and `execute_returning` as `execute`.
 *
 * @example
 * await db.execute('INSERT INTO users (name) VALUES (?)', ['ada']);
 * const users = await db.query<User>('SELECT * FROM users');
 */
export interface Client {
  execute<T = Row>(
    sql: string | Sql,
    params?: Params,
    options?: WriteOptions,
  ): Promise<ExecuteResult<T>>;
  query<T = Row>(sql: string | Sql, params?: Params, options?: ReadOptions): Promise<T[]>;
  /** Exactly one row, else `NO_ROWS` or `TOO_MANY_ROWS`. */
  queryOne<T = Row>(sql: string | Sql, params?: Params, options?: ReadOptions): Promise<T>;
  /** One row or none, else `TOO_MANY_ROWS`. */
  queryOptional<T = Row>(
    sql: string | Sql,
    params?: Params,
    options?: ReadOptions,
  ): Promise<T | undefined>;
  /** Columns, rows as arrays and the index, as they came. */
  queryRaw(
    sql: string | Sql,
    params?: Params,
    options?: ReadOptions,
  ): Promise<{
    columns: readonly Column[];
    rows: SqlValue[][];
    index: number;
    lagMs: number | null;
  }>;
  /** Rows as they come; stops the read when the loop is left. */
  stream<T = Row>(sql: string | Sql, params?: Params, options?: ReadOptions): AsyncIterable<T>;
  /** All or nothing; results in the order of the statements. */
  txn(
    statements: readonly (Statement | Sql)[],
    options?: WriteOptions & { readonly guard?: Guard | undefined },
  ): Promise<ExecuteResult[]>;
  /** Reads one snapshot, buffers writes, commits with a guard; a `CONFLICT` runs `body` again, a bounded number of times. */
  transaction<T>(body: (tx: Transaction) => Promise<T>, options?: WriteOptions): Promise<T>;
  batch(sql: string, options?: WriteOptions & { readonly atomic?: boolean }): Promise<BatchResult>;
  migrate(
    migrations: readonly Migration[],
    options?: CallOptions,
  ): Promise<{ applied: readonly { id: number; name: string }[]; current: number }>;
  readonly settings: {
    get(options?: CallOptions): Promise<{ [name: string]: number }>;
    set(
      patch: { readonly [name: string]: number },
      options?: CallOptions,
    ): Promise<{ [name: string]: number }>;
  };
  readonly cluster: {
    status(options?: CallOptions): Promise<ClusterStatus>;
    add(
      member: { id: number; url: string; voter?: boolean },
      options?: CallOptions,
    ): Promise<ClusterStatus>;
    remove(id: number, options?: CallOptions): Promise<ClusterStatus>;
    promote(id: number, options?: CallOptions): Promise<ClusterStatus>;
    transfer(to?: number, options?: CallOptions): Promise<ClusterStatus>;
  };
  /** Takes a checkpoint on the node that answers. */
  snapshot(options?: CallOptions): Promise<{ index: number }>;
  /** The database as a plain SQLite file, consistent at one index. */
  export(options?: CallOptions): AsyncIterable<Uint8Array>;
  status(options?: CallOptions): Promise<ClusterStatus>;
  metrics(options?: CallOptions): Promise<readonly Metric[]>;
  /** Resolves when the cluster can serve. */
  ready(options?: CallOptions): Promise<void>;
  close(): Promise<void>;
}
