/** `connect` on Node.js: Node 20 has no `WebSocket` of its own. */
import { WebSocket } from 'ws';
import type { Client } from '../../client/contract.ts';
import { type ConnectOptions, connect as connectAnywhere } from '../../client/remote/connect.ts';

/**
 * A client of a cluster; see `connect` of the client. Uses Node's own WebSocket where there is one.
 *
 * @example
 * const db = connect('http://127.0.0.1:4001');
 */
export function connect(urls: string | readonly string[], options: ConnectOptions = {}): Client {
  return connectAnywhere(urls, { webSocket: globalThis.WebSocket ?? WebSocket, ...options });
}
