/** As much of the Workers platform as is used here; its own types fit. */
import type { RowParam } from '../../storage/page-backing/rows.ts';

/** `ctx` of a Durable Object with SQLite storage. */
export interface ObjectContext {
  readonly storage: ObjectStorage;
}

/** `ctx.storage`. */
export interface ObjectStorage {
  readonly sql: {
    exec(sql: string, ...params: RowParam[]): Iterable<{ readonly [column: string]: unknown }>;
    /** Bytes on the disk. */
    readonly databaseSize: number;
  };
  /** Resolves when everything written before is safe. */
  sync(): Promise<void>;
  setAlarm(time: number): Promise<void>;
  deleteAlarm(): Promise<void>;
}

/** A Durable Object's stub: requests go in, its answers come out. */
export interface Fetcher {
  fetch(input: string | Request, init?: RequestInit): Promise<Response>;
}

/** A binding to a class of Durable Objects. */
export interface ObjectNamespace {
  idFromName(name: string): unknown;
  get(id: never): Fetcher;
}

/** A WebSocket of this platform: it must be accepted before it does anything. */
export interface WorkerSocket {
  binaryType?: string;
  accept(): void;
  send(data: Uint8Array): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: string, listener: (event: never) => void): void;
}

/** Text variables and bindings. */
export interface WorkerEnvironment {
  readonly [name: string]: unknown;
}

/** Name of the binding to the nodes' objects. */
export const BINDING = 'QUORLITE';

/** Path below which node `id` is reached on its Worker. */
export function nodePath(id: number): string {
  return `/nodes/${id}`;
}

/** The node that a path names, or null. */
export function nodeOfPath(path: string): number | null {
  const match = /^\/nodes\/([1-9]\d{0,8})(?:\/|$)/.exec(path);
  return match === null ? null : Number(match[1]);
}

/** The object that is node `id`. */
export function objectOf(namespace: ObjectNamespace, id: number): Fetcher {
  return namespace.get(namespace.idFromName(`node-${id}`) as never);
}
