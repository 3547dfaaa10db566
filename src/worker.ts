/**
 * `quorlite/worker`: a node as a Durable Object, and the Worker in front of it.
 *
 *     import { createWorker } from 'quorlite/worker';
 *     export { QuorliteNode } from 'quorlite/worker';
 *     export default createWorker();
 */
export type { NodeConfig } from './config/node-config.ts';
export type {
  ObjectContext,
  ObjectNamespace,
  ObjectStorage,
  WorkerEnvironment,
} from './runtime/workerd/contract.ts';
export { QuorliteNode } from './runtime/workerd/quorlite-node.ts';
export { createWorker, type WorkerHandler } from './runtime/workerd/router.ts';
export { type ErrorCode, type Outcome, QuorliteError } from './wire/error.ts';
