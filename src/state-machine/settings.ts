/**
 * Cluster settings: everything that can influence a result, replicated through the log so that it is equal everywhere.
 */

/** One setting: its default and the range that is accepted. */
export interface SettingSpec {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  /** What it bounds, with its unit. */
  readonly help: string;
}

const MIB = 1024 * 1024;

/** Name of a setting. */
export type SettingName =
  | 'entryBytes'
  | 'valueBytes'
  | 'patternBytes'
  | 'sqlBytes'
  | 'resultRows'
  | 'resultBytes'
  | 'keptResultBytes'
  | 'softSteps'
  | 'hardSteps'
  | 'slowSteps'
  | 'softMemoryBytes'
  | 'hardMemoryBytes'
  | 'maxPageCount'
  | 'cachePages'
  | 'keptBytes'
  | 'sessions'
  | 'sessionWindow'
  | 'sessionMs'
  | 'keys'
  | 'keysPerToken'
  | 'keyMs';

/** All settings by name. */
export const SETTINGS: { readonly [N in SettingName]: SettingSpec } = {
  entryBytes: { default: 16 * MIB, min: 64 * 1024, max: 64 * MIB, help: 'bytes of one log entry' },
  valueBytes: { default: 2 * MIB, min: 1024, max: 64 * MIB, help: 'bytes of one text or blob' },
  patternBytes: { default: 256, min: 16, max: 50_000, help: 'bytes of a LIKE or GLOB pattern' },
  sqlBytes: { default: MIB, min: 1024, max: 16 * MIB, help: 'bytes of one statement' },
  resultRows: { default: 100_000, min: 1, max: 10_000_000, help: 'rows returned by one write' },
  resultBytes: {
    default: 16 * MIB,
    min: 1024,
    max: 256 * MIB,
    help: 'bytes returned by one write',
  },
  keptResultBytes: {
    default: 64 * 1024,
    min: 0,
    max: 16 * MIB,
    help: 'bytes of a result kept for retries',
  },
  softSteps: { default: 2_000, min: 100, max: 1e12, help: 'steps of the first attempt' },
  hardSteps: { default: 4_000, min: 1000, max: 1e12, help: 'steps of the canonical attempt' },
  slowSteps: { default: 500_000, min: 1000, max: 1e12, help: 'steps of a command marked slow' },
  softMemoryBytes: {
    default: 192 * MIB,
    min: 4 * MIB,
    max: 1536 * MIB,
    help: 'engine memory of the first attempt',
  },
  hardMemoryBytes: {
    default: 256 * MIB,
    min: 8 * MIB,
    max: 1792 * MIB,
    help: 'engine memory of the canonical attempt',
  },
  maxPageCount: {
    default: 262_144,
    min: 64,
    max: 4_294_967_294,
    help: 'pages of 4096 bytes in the database',
  },
  cachePages: { default: 1000, min: 16, max: 100_000, help: "pages in the writer's cache" },
  keptBytes: {
    default: 256 * MIB,
    min: 1024,
    max: 4096 * MIB,
    help: 'bytes of all results kept for retries; beyond it new results with rows are not kept',
  },
  sessions: { default: 10_000, min: 16, max: 1_000_000, help: 'open sessions' },
  sessionWindow: {
    default: 4096,
    min: 16,
    max: 65_536,
    help: 'unacknowledged results per session',
  },
  sessionMs: { default: 3_600_000, min: 60_000, max: 604_800_000, help: 'idle life of a session' },
  keys: { default: 100_000, min: 16, max: 10_000_000, help: 'idempotency keys kept' },
  keysPerToken: { default: 50_000, min: 16, max: 10_000_000, help: 'idempotency keys per token' },
  keyMs: { default: 86_400_000, min: 60_000, max: 604_800_000, help: 'life of an idempotency key' },
};

/** Values of all settings. */
export type ClusterSettings = { readonly [N in SettingName]: number };

/** The settings of a new cluster. */
export const DEFAULT_SETTINGS: ClusterSettings = Object.fromEntries(
  Object.entries(SETTINGS).map(([name, spec]) => [name, spec.default]),
) as ClusterSettings;
