/**
 * Quorlite: a distributed SQL database for JavaScript. This is what `import … from 'quorlite'` gives on Node.js.
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
export { sql } from './client/sql.ts';
export type { NodeConfig } from './config/node-config.ts';
export type {
  AdminRequest,
  ClusterStatus,
  Consistency,
  MemberStatus,
  Metric,
} from './node/contract.ts';
export { connect } from './runtime/node/connect.ts';
export type { RunningNode } from './runtime/node/running-node.ts';
export { startNode } from './runtime/node/start-node.ts';
export { createLogger, type Logger, type LogLevel } from './telemetry/logger.ts';
export { type ErrorCode, type Outcome, QuorliteError } from './wire/error.ts';
export type { Expectation, Guard, Migration, Statement } from './wire/operation.ts';
export type { Column } from './wire/result.ts';
export type { Params, Ref, SqlInput, SqlValue } from './wire/value.ts';
