/** The flags that describe a node, and how a command line becomes a checked configuration. */
import { readFileSync } from 'node:fs';
import { CONFIG_KEY_NAMES, CONFIG_KEYS, type ConfigKey, flagName } from '../config/keys.ts';
import { environmentLayer, flagLayer, mergeLayers, tomlLayer } from '../config/layers.ts';
import type { NodeConfig } from '../config/node-config.ts';
import type { Origins } from '../config/problem.ts';
import type { ResolvedConfig } from '../config/resolve.ts';
import { resolveNodeConfig } from '../runtime/node/config.ts';
import { QuorliteError } from '../wire/error.ts';
import type { FlagSpec, FlagSpecs, Flags } from './command.ts';

/** A configuration as given and as resolved. */
export interface LoadedConfig {
  readonly config: NodeConfig;
  readonly resolved: ResolvedConfig;
  readonly origins: Origins;
  /** The TOML file that was read, or null. */
  readonly file: string | null;
}

/** One flag per configuration key, and `--config`. */
export const NODE_FLAGS: FlagSpecs = {
  config: {
    type: 'text',
    shape: 'FILE',
    help: 'TOML file (environment QUORLITE_CONFIG); see quorlite config init',
  },
  ...Object.fromEntries(CONFIG_KEY_NAMES.map((key) => [flagName(key), nodeFlag(key)])),
};

/**
 * Reads flags, environment and the TOML file, in this order of precedence. Throws `CONFIG_INVALID`.
 */
export function loadConfig(
  flags: Flags,
  env: { readonly [name: string]: string | undefined },
): LoadedConfig {
  const file = flags.text('config') ?? env['QUORLITE_CONFIG'] ?? null;
  const given: { [key in ConfigKey]?: string | undefined } = {};
  for (const key of CONFIG_KEY_NAMES) given[key] = flags.text(flagName(key));
  const layers = [flagLayer(given), environmentLayer(env)];
  if (file !== null) layers.push(tomlLayer(readConfigFile(file), file));
  const { config, origins } = mergeLayers(layers);
  return { config, origins, file, resolved: resolveNodeConfig(config, { origins, server: true }) };
}

function nodeFlag(key: ConfigKey): FlagSpec {
  const spec = CONFIG_KEYS[key];
  if (spec.shape === 'true|false') return { type: 'boolean', help: spec.help };
  return { type: 'text', shape: spec.shape, help: spec.help };
}

function readConfigFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new QuorliteError('CONFIG_INVALID', `the configuration cannot be read: ${reason}`, {
      hint: `quorlite config init ${file} writes one`,
      cause: error,
    });
  }
}
