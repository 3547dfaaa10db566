/** Sources of configuration, and how one goes over another: flags > environment > TOML > defaults. */
import { parse, TomlError } from 'smol-toml';
import { QuorliteError } from '../wire/error.ts';
import { didYouMean } from '../wire/nearest.ts';
import {
  CONFIG_KEY_NAMES,
  CONFIG_KEYS,
  type ConfigKey,
  environmentName,
  flagName,
  isConfigKey,
} from './keys.ts';
import type { NodeConfig } from './node-config.ts';
import { configError, type Origins } from './problem.ts';
import { isRecord } from './values.ts';

/** The values of one source. */
export interface ConfigLayer {
  readonly values: { readonly [key: string]: unknown };
  readonly origins: Origins;
}

/** Variables beside the node's own keys that commands read. */
const OTHER_VARIABLES = ['QUORLITE_CONFIG', 'QUORLITE_URL', 'QUORLITE_TOKEN', 'QUORLITE_HISTORY'];

/** What Kubernetes puts into the environment of its own when a service is called quorlite. */
const SERVICE_LINK =
  /_(SERVICE_(HOST|PORT(_.+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/;

/** Reads a TOML text. Throws `CONFIG_INVALID` for bad syntax and for unknown keys, naming the nearest known one. */
export function tomlLayer(text: string, file: string): ConfigLayer {
  const values = parseToml(text, file);
  const lines = keyLines(text);
  const origins: { [key: string]: string } = {};
  for (const key of Object.keys(values)) {
    const line = lines.get(key);
    const origin = line === undefined ? file : `${file}:${line}`;
    if (!isConfigKey(key)) {
      throw new QuorliteError(
        'CONFIG_INVALID',
        `unknown key "${key}" in ${origin}${didYouMean(key, CONFIG_KEY_NAMES)}`,
        { hint: 'quorlite config init --stdout shows every key' },
      );
    }
    origins[key] = origin;
  }
  return { values: normalize(values, origins), origins };
}

/** Reads `QUORLITE_*` variables; empty ones count as unset. Throws `CONFIG_INVALID` for unknown ones. */
export function environmentLayer(env: {
  readonly [name: string]: string | undefined;
}): ConfigLayer {
  const keys = new Map<string, ConfigKey>(CONFIG_KEY_NAMES.map((k) => [environmentName(k), k]));
  keys.set('QUORLITE_ID', 'id');
  const values: { [key: string]: unknown } = {};
  const origins: { [key: string]: string } = {};
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith('QUORLITE_') || value === undefined || value === '') continue;
    const key = keys.get(name);
    if (key !== undefined) {
      values[key] = value;
      origins[key] = `environment ${name}`;
    } else if (!OTHER_VARIABLES.includes(name) && !SERVICE_LINK.test(name)) {
      throw new QuorliteError(
        'CONFIG_INVALID',
        `unknown environment variable ${name}${didYouMean(name, [...keys.keys(), ...OTHER_VARIABLES])}`,
      );
    }
  }
  return { values: normalize(values, origins), origins };
}

/** The flags of a command line, by key; undefined ones were not given. */
export function flagLayer(
  flags: {
    readonly [key in ConfigKey]?: string | boolean | undefined;
  },
): ConfigLayer {
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  const origins = Object.fromEntries(given.map(([key]) => [key, `flag --${flagName(key)}`]));
  return { values: normalize(Object.fromEntries(given), origins), origins };
}

/** The first layer goes over the second and so on; tables of named numbers are merged name by name. */
export function mergeLayers(layers: readonly ConfigLayer[]): {
  readonly config: NodeConfig;
  readonly origins: Origins;
} {
  const values: { [key: string]: unknown } = {};
  const origins: { [key: string]: string } = {};
  for (const layer of layers) {
    for (const [key, value] of Object.entries(layer.values)) {
      const over = values[key];
      if (over === undefined) {
        values[key] = value;
        origins[key] = layer.origins[key]!;
      } else if ((key === 'limits' || key === 'checkpoint') && isRecord(over) && isRecord(value)) {
        values[key] = { ...value, ...over };
        if (origins[key] !== layer.origins[key]) origins[key] += `, ${layer.origins[key]}`;
      }
    }
  }
  return { config: values as NodeConfig, origins };
}

/** Texts become values of their kind; every value is checked where it is still known where it came from. */
function normalize(
  values: { readonly [key: string]: unknown },
  origins: { [key: string]: string },
): { readonly [key: string]: unknown } {
  const normal: { [key: string]: unknown } = {};
  for (const [name, given] of Object.entries(values)) {
    const key = name as ConfigKey;
    if (key === 'log' && typeof given === 'string') {
      // One flag says both: level and format.
      for (const word of given.split(',')) {
        const target = CONFIG_KEYS.logFormat.check(word) === null ? 'logFormat' : 'log';
        normal[target] = word;
        origins[target] ??= origins['log']!;
      }
      continue;
    }
    normal[key] = readDeep(CONFIG_KEYS[key].read, given);
  }
  for (const [key, value] of Object.entries(normal)) {
    const problem = CONFIG_KEYS[key as ConfigKey].check(value);
    if (problem !== null) throw configError(key, problem, { origins });
  }
  return normal;
}

/** Amounts such as "8MiB" may stand in a TOML table too. */
function readDeep(read: (text: string) => unknown, given: unknown): unknown {
  if (typeof given === 'string') return read(given);
  if (!isRecord(given)) return given;
  const entries = Object.entries(given).map(([name, value]) => {
    if (typeof value !== 'string' || value.includes(',')) return [name, value] as const;
    const parsed = read(`${name}=${value}`);
    return [name, isRecord(parsed) ? parsed[name] : value] as const;
  });
  return Object.fromEntries(entries);
}

function parseToml(text: string, file: string): { readonly [key: string]: unknown } {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const reason = error.message.split('\n')[0]!.replace(/^Invalid TOML document: /, '');
    throw new QuorliteError('CONFIG_INVALID', `${file}:${error.line}: ${reason}`, { cause: error });
  }
}

/** Line of the first mention of each top-level key; good enough for messages. */
function keyLines(text: string): ReadonlyMap<string, number> {
  const lines = new Map<string, number>();
  let inTable = false;
  for (const [i, line] of text.split('\n').entries()) {
    const table = /^\s*\[+\s*"?([\w-]+)/.exec(line);
    const key = inTable ? null : /^\s*"?([\w-]+)"?\s*[.=]/.exec(line);
    if (table !== null) inTable = true;
    const name = table?.[1] ?? key?.[1];
    if (name !== undefined && !lines.has(name)) lines.set(name, i + 1);
  }
  return lines;
}
