/** Starts a node on Node.js. */
import type { NodeConfig } from '../../config/node-config.ts';
import type { ServerDriver } from './driver.ts';
import { createWebSocketDialer } from './links.ts';
import { createNodePlatform } from './platform.ts';
import { runNode } from './run-node.ts';
import type { RunningNode } from './running-node.ts';
import { listenNode } from './server.ts';
import { createUpgradeHandler } from './upgrade.ts';

/**
 * Starts a node. Resolves when its storage is recovered and its port is bound; calls wait for a leader. Rejects with
 * `CONFIG_INVALID`, `CORRUPT` or `STORAGE_FAILED`.
 *
 * @example
 * const node = await startNode({ dataDir: './data' });
 * await node.client.execute('CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT)');
 * await node.shutdown();
 */
export function startNode(config: NodeConfig = {}): Promise<RunningNode> {
  return runNode(config, createNodeDriver());
}

function createNodeDriver(): ServerDriver {
  return {
    platform: createNodePlatform(),
    createDialer: createWebSocketDialer,
    listen: listenNode,
    mount: createUpgradeHandler,
  };
}
