/** What every entry gives that can run a node. */

export type {
  AdminRequest,
  ClusterStatus,
  Consistency,
  MemberStatus,
  Metric,
} from '../node/contract.ts';
export { createLogger, type Logger, type LogLevel } from '../telemetry/logger.ts';
export * from './client.ts';
