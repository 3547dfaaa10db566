/** A resolved configuration for people's eyes: no secrets. */
import { formatHostPort } from './address.ts';
import { CONFIG_KEY_NAMES, type ConfigKey } from './keys.ts';
import type { NodeConfig } from './node-config.ts';
import type { Origins } from './problem.ts';
import type { ResolvedConfig } from './resolve.ts';

/** One key, its value as JSON would hold it, and where it came from (`default` when nowhere). */
export interface ShownValue {
  readonly key: ConfigKey;
  readonly value: unknown;
  readonly origin: string;
}

/** Every key of a configuration, secrets redacted. */
export function showConfig(resolved: ResolvedConfig, origins: Origins): readonly ShownValue[] {
  return CONFIG_KEY_NAMES.map((key) => ({
    key,
    value: shownValue(key, resolved),
    origin: origins[key] ?? 'default',
  }));
}

function shownValue(key: ConfigKey, resolved: ResolvedConfig): unknown {
  switch (key) {
    case 'nodes':
      return Object.fromEntries(resolved.nodes.map(({ id, url }) => [id, url]));
    case 'listen':
      return resolved.listen === null ? false : formatHostPort(resolved.listen);
    case 'listenRaft':
      return resolved.listenRaft === null ? null : formatHostPort(resolved.listenRaft);
    case 'sync':
      return resolved.sync.mode === 'interval'
        ? `interval:${resolved.sync.ms}ms`
        : resolved.sync.mode;
    case 'secretRaft':
    case 'secretApi':
      return resolved[key] === null ? null : `(set, ${resolved[key].length} characters)`;
    case 'engine':
      return typeof resolved.engine === 'string' ? resolved.engine : resolved.engine.id.name;
    case 'log':
      return typeof resolved.log === 'string' ? resolved.log : '(a logger of the program)';
    default:
      return resolved[key as Exclude<keyof NodeConfig, 'nodes'>];
  }
}
