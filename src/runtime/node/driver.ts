/** What differs between the runtimes that are servers: Node, Deno and Bun. Files, which all of them have as Node does, do not. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Platform } from '../../platform/contract.ts';
import type { Dialer } from '../../platform/links.ts';
import type { ListenOptions, NodeServer } from './listening.ts';
import type { UpgradeOptions } from './upgrade-rules.ts';

/** A runtime that is a server. */
export interface ServerDriver {
  readonly platform: Platform;
  /** Opens links to peers; `maxPayload` is the bytes of one message. */
  createDialer(options: { readonly maxPayload: number }): Dialer;
  /** Binds a port. Rejects with `CONFIG_INVALID` when it is taken or not allowed. */
  listen(options: ListenOptions): Promise<NodeServer>;
  /** WebSocket upgrades for a server that somebody else runs. */
  mount(options: UpgradeOptions): Mount;
}

/** The upgrades of a node in somebody else's server, in the way of the runtime. */
export interface Mount {
  /** Of Node's servers. */
  handle?(request: IncomingMessage, socket: Duplex, head: Uint8Array): boolean;
  /** Of servers that speak `fetch`: null when the request is no upgrade of ours. */
  upgrade?(request: Request, server: unknown): Response | null;
  /** What Bun wants beside. */
  readonly websocket?: BunWebSockets | undefined;
  /** Refuses new upgrades and asks open sockets to close. */
  close(): void;
  /** Cuts what is still open. */
  terminate(): void;
}

/** The handlers of `Bun.serve({ websocket })`, typed as loosely as they are handed on. */
export type BunWebSockets = object;
