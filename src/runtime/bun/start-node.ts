/** Starts a node on Bun: its own server and WebSockets, files as on Node. */
import type { NodeConfig } from '../../config/node-config.ts';
import { createNodePlatform } from '../node/platform.ts';
import { runNode } from '../node/run-node.ts';
import type { RunningNode } from '../node/running-node.ts';
import { createWebDialer } from '../node/web-links.ts';
import { listenBun } from './server.ts';
import { createBunMount } from './upgrade.ts';

/**
 * Starts a node. Resolves when its storage is recovered and its port is bound; calls wait for a leader. Rejects with
 * `CONFIG_INVALID`, `CORRUPT` or `STORAGE_FAILED`.
 *
 * @example
 * const node = await startNode({ dataDir: './data' });
 * Bun.serve({ fetch: (request, server) => node.fetch(request, server), websocket: node.websocket });
 */
export function startNode(config: NodeConfig = {}): Promise<RunningNode> {
  return runNode(config, {
    platform: createNodePlatform(),
    createDialer: createWebDialer,
    listen: listenBun,
    mount: createBunMount,
  });
}
