/**
 * Quorlite: a distributed SQL database for JavaScript. This is what `import … from 'quorlite'` gives on Node.js.
 */

export type { NodeConfig } from './config/node-config.ts';
export * from './exports/node.ts';
export { connect } from './runtime/node/connect.ts';
export type { RunningNode } from './runtime/node/running-node.ts';
export { startNode } from './runtime/node/start-node.ts';
