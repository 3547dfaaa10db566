/** A node that runs in a process that is a server: what its owner has of it. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Client } from '../../client/contract.ts';
import type { NodeService } from '../../node/contract.ts';
import type { QuorliteError } from '../../wire/error.ts';
import type { BunWebSockets } from './driver.ts';

/** A node that runs in this process. */
export interface RunningNode {
  /** Its number in `nodes`. */
  readonly id: number;
  /** Where it can be reached; '' without a socket. */
  readonly url: string;
  /** The client inside this node. */
  readonly client: Client;
  /** The node itself, below the client. */
  readonly service: NodeService;
  /**
   * The HTTP API, to be mounted in an existing server: at its root, or below a path. Requests arrive with that path when
   * the node's own URL (in `nodes`, or `advertise`) has it, or stripped of it, as by `mount` of Hono. On Deno and Bun it takes
   * WebSocket upgrades as well; Bun's server comes with the request, and serves `node.websocket`.
   *
   * @example
   * const node = await startNode({ advertise: 'http://127.0.0.1:3000/db', listen: false });
   * app.mount('/db', node.fetch); // or: app.all('/db/*', (c) => node.fetch(c.req.raw))
   *
   * @example
   * Bun.serve({ fetch: (request, server) => node.fetch(request, server), websocket: node.websocket });
   */
  fetch(request: Request, server?: unknown): Response | Promise<Response>;
  /** On Bun, what `Bun.serve` is given to serve WebSockets. */
  readonly websocket?: BunWebSockets | undefined;
  /**
   * On Node, WebSocket upgrades for an existing `http.Server`: of clients and, unless `listenRaft` has a port of its own, of peers,
   * below the path of the node's own URL. False, with the socket untouched, when the path is none of the node's.
   * Elsewhere `NOT_SUPPORTED` is thrown: there `fetch` takes them.
   *
   * @example
   * server.on('upgrade', (request, socket, head) => {
   *   if (!node.handleUpgrade(request, socket, head)) socket.destroy();
   * });
   */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array): boolean;
  /**
   * Settles when the node has stopped: with null after `shutdown`, or with the reason when it stopped by itself, because
   * its disk failed or an invariant was broken (`STORAGE_FAILED`, the reason as its `cause`). Never rejects. A node that
   * stopped by itself answers everything with an error until `shutdown` closes its port and releases its folder; then
   * it may be started again.
   */
  readonly stopped: Promise<QuorliteError | null>;
  /** Hands leadership over, drains, flushes and closes. May be called again. */
  shutdown(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
