/**
 * Quorlite: a distributed SQL database for JavaScript. This is what `import … from 'quorlite'` gives on Bun.
 */

export { connect } from './client/remote/connect.ts';
export type { NodeConfig } from './config/node-config.ts';
export * from './exports/node.ts';
export { startNode } from './runtime/bun/start-node.ts';
export type { RunningNode } from './runtime/node/running-node.ts';
