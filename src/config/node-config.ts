/** The configuration of a node: the same names in code, TOML, environment and flags. */
import type { Engine } from '../../wasm/engine.ts';
import type { Logger, LogLevel } from '../telemetry/logger.ts';

/** What a user writes; everything is optional. */
export interface NodeConfig {
  /** This node's number in `nodes`, or `'hostname'`: the ordinal at the end of the host name plus 1. */
  readonly id?: number | 'hostname' | undefined;
  /** Every configured member: number → URL of its single port. */
  readonly nodes?: { readonly [id: number]: string } | undefined;
  /** `host:port`, or false for no socket (the default in code without `nodes`). */
  readonly listen?: string | false | undefined;
  readonly listenRaft?: string | undefined;
  readonly advertise?: string | undefined;
  readonly dataDir?: string | undefined;
  /** `'memory'` keeps everything in memory (tests, demos; such a node must not be a voter that matters). */
  readonly storage?: 'file' | 'memory' | undefined;
  readonly sync?: 'durable' | 'os' | `interval:${number}ms` | undefined;
  readonly engine?: 'sqlite' | 'sqljs' | Engine | undefined;
  /** At least 16 characters; `file:PATH` and `env:NAME` are resolved by the runtime. */
  readonly secretRaft?: string | undefined;
  readonly secretApi?: string | undefined;
  readonly role?: 'voter' | 'learner' | undefined;
  readonly origins?: readonly string[] | undefined;
  readonly expectExisting?: boolean | undefined;
  readonly foundWith?: readonly number[] | undefined;
  readonly heartbeatMs?: number | undefined;
  readonly electionMs?: number | undefined;
  readonly checkpoint?: { readonly bytes?: number; readonly ms?: number } | undefined;
  readonly limits?: { readonly [name: string]: number } | undefined;
  readonly log?: LogLevel | Logger | undefined;
  /** How the runtime's own logger writes: `'pretty'` on a terminal, else `'json'`, unless said here. */
  readonly logFormat?: 'json' | 'pretty' | undefined;
  readonly logStatements?: boolean | undefined;
  readonly slowQueryMs?: number | undefined;
}
