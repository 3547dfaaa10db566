/** The runtime that runs the command. */
import type { NodeConfig } from '../config/node-config.ts';
import type { RunningNode } from '../runtime/node/running-node.ts';

/** `startNode` of this runtime: of Deno, Bun or Node. */
export async function loadStartNode(): Promise<(config?: NodeConfig) => Promise<RunningNode>> {
  if ('Deno' in globalThis) return (await import('../runtime/deno/start-node.ts')).startNode;
  if ('Bun' in globalThis) return (await import('../runtime/bun/start-node.ts')).startNode;
  return (await import('../runtime/node/start-node.ts')).startNode;
}
