/** What a node is made of: its place in the cluster, its runtime, engine, storage and transport. */
import type { Engine } from '../../wasm/engine.ts';
import type { NodeLimits } from '../config/limits.ts';
import type { Platform } from '../platform/contract.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Transport } from '../transport/contract.ts';
import type { NodeStorage } from './recover.ts';

/** What a node is opened with. */
export interface NodeOptions {
  readonly node: number;
  /** The URL under which others reach this node. */
  readonly url: string;
  /** Configured members: number → URL, this node included. */
  readonly nodes: ReadonlyMap<number, string>;
  readonly role: 'voter' | 'learner';
  readonly expectExisting: boolean;
  readonly foundWith: readonly number[] | null;
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly checkpoint: { readonly bytes: number; readonly ms: number };
  readonly limits: NodeLimits;
  readonly platform: Platform;
  readonly logger: Logger;
  readonly engine: Engine;
  readonly storage: NodeStorage;
  readonly transport: Transport;
}
