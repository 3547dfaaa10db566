/**
 * Quorlite in browsers: what `import … from 'quorlite'` gives there, and `quorlite/browser` everywhere.
 */

export type {
  BatchResult,
  CallOptions,
  Client,
  ExecuteResult,
  IntegerMode,
  ReadOptions,
  Row,
  Sql,
  Transaction,
  WriteOptions,
} from './client/contract.ts';
export { ref } from './client/ref.ts';
export { type ConnectOptions, connect } from './client/remote/connect.ts';
export { sql } from './client/sql.ts';
export type {
  AdminRequest,
  ClusterStatus,
  Consistency,
  MemberStatus,
  Metric,
} from './node/contract.ts';
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
export { createLogger, type Logger, type LogLevel } from './telemetry/logger.ts';
export { type ErrorCode, type Outcome, QuorliteError } from './wire/error.ts';
export type { Expectation, Guard, Migration, Statement } from './wire/operation.ts';
export type { Column } from './wire/result.ts';
export type { Params, Ref, SqlInput, SqlValue } from './wire/value.ts';
