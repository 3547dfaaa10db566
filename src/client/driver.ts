/**
 * What an embedded and a remote client differ in. Everything above it, from row objects to transactions, is shared
 * (`client.ts`).
 */
import type { ClusterStatus, Consistency, Metric } from '../node/contract.ts';
import type { ByteWriter } from '../wire/bytes.ts';
import type { QuorliteError } from '../wire/error.ts';
import type { Column, CommandOutcome } from '../wire/result.ts';
import type { Params, SqlValue } from '../wire/value.ts';

/** Limits of one call, filled in. */
export interface CallLimits {
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
}

/** A read, filled in. */
export interface DriverQuery {
  readonly sql: string;
  readonly params: Params | undefined;
  readonly consistency: Consistency;
  readonly minIndex: number | undefined;
  /** Asks for the tables that the statement reads. */
  readonly tables: boolean;
}

/** Rows as the driver has them. */
export interface DriverResult {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly SqlValue[])[];
  readonly index: number;
  readonly lagMs: number | null;
  /** Present when the query asked for them. */
  readonly tables?: readonly string[] | undefined;
}

/** Rows in portions; the iterator's `return` stops the read. */
export interface DriverStream {
  readonly columns: readonly Column[];
  /** The next portion (possibly empty), or null at the end. */
  next(): Promise<readonly (readonly SqlValue[])[] | null>;
  close(): void;
}

/** What the cluster is asked to do. */
export type DriverAdmin =
  | { readonly op: 'addMember'; readonly id: number; readonly url: string; readonly voter: boolean }
  | { readonly op: 'removeMember'; readonly id: number }
  | { readonly op: 'promote'; readonly id: number }
  | { readonly op: 'transfer'; readonly to?: number | undefined };

/** A way to a cluster. */
export interface Driver {
  /** Runs a write exactly once; errors come as outcomes, also those that `operation` throws. */
  write(
    operation: (out: ByteWriter) => void,
    limits: CallLimits,
    done: (outcome: CommandOutcome) => void,
  ): void;
  /** Runs a read to its end. May call back before it returns. */
  query(
    query: DriverQuery,
    limits: CallLimits,
    done: (error: QuorliteError | null, result: DriverResult | null) => void,
  ): void;
  stream(query: DriverQuery, limits: CallLimits): Promise<DriverStream>;
  export(limits: CallLimits): AsyncIterable<Uint8Array>;
  ready(limits: CallLimits): Promise<void>;
  status(limits: CallLimits): Promise<ClusterStatus>;
  settings(limits: CallLimits): Promise<{ readonly [name: string]: number }>;
  metrics(limits: CallLimits): Promise<readonly Metric[]>;
  admin(request: DriverAdmin, limits: CallLimits): Promise<ClusterStatus>;
  snapshot(limits: CallLimits): Promise<{ readonly index: number }>;
  /** Waits between two attempts. */
  pause(ms: number, signal: AbortSignal | undefined): Promise<void>;
  /** Milliseconds that never go back. */
  monotonicMs(): number;
  /** A number from 0 (inclusive) to 1 (exclusive), for jitter. */
  random(): number;
  close(): Promise<void>;
}
