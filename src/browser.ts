/**
 * Quorlite in browsers: what `import … from 'quorlite'` gives there, and `quorlite/browser` everywhere.
 */

export { type ConnectOptions, connect } from './client/remote/connect.ts';
export * from './exports/node.ts';
export type { BrowserNodeConfig } from './runtime/browser/config.ts';
export {
  type BrowserStorage,
  indexedDb,
  memory,
  opfs,
  removeBrowserStorage,
} from './runtime/browser/places.ts';
export { type BrowserNode, startNode } from './runtime/browser/start-node.ts';
export type { DatabaseHash } from './runtime/browser/worker-messages.ts';
