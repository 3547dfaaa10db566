/** Starts a node on Deno: its own server and WebSockets, files as on Node. */
import type { NodeConfig } from '../../config/node-config.ts';
import { createNodePlatform } from '../node/platform.ts';
import { runNode } from '../node/run-node.ts';
import type { RunningNode } from '../node/running-node.ts';
import { createWebDialer } from '../node/web-links.ts';
import { listenDeno } from './server.ts';
import { createDenoMount } from './upgrade.ts';

/**
 * Starts a node. Resolves when its storage is recovered and its port is bound; calls wait for a leader. Rejects with
 * `CONFIG_INVALID`, `CORRUPT` or `STORAGE_FAILED`.
 *
 * @example
 * const node = await startNode({ dataDir: './data' });
 * Deno.serve((request, info) => node.fetch(request, info));
 */
export function startNode(config: NodeConfig = {}): Promise<RunningNode> {
  return runNode(config, {
    platform: createNodePlatform(),
    createDialer: createWebDialer,
    listen: listenDeno,
    mount: createDenoMount,
  });
}
