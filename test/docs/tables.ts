/** The tables of the documents that the code knows better: between `<!-- table: NAME -->` and `<!-- end -->`. */

import {
  CONFIG_KEY_NAMES,
  CONFIG_KEYS,
  type ConfigKey,
  environmentName,
  flagName,
} from '../../src/config/keys.ts';
import { type LimitName, NODE_LIMITS } from '../../src/config/limits.ts';
import { resolveConfig } from '../../src/config/resolve.ts';
import { formatBytes } from '../../src/config/units.ts';
import { SETTINGS, type SettingName } from '../../src/state-machine/settings.ts';
import { ERROR_CODES, ERROR_STATUS, QuorliteError } from '../../src/wire/error.ts';
import {
  COLUMNS_MAX,
  COMPOUND_TERMS_MAX,
  EXPRESSION_DEPTH_MAX,
  GENERATED_COLUMNS_MAX,
  GENERATED_DEPTH_MAX,
  NAMED_PARAMETERS_MAX,
  TRIGGERS_MAX,
} from '../../wasm/limits.ts';

/** Cells of one line. */
export type Row = readonly string[];

/** The tables by name, heading first. */
export const TABLES: { readonly [name: string]: () => readonly Row[] } = {
  configuration: () => [
    ['key', 'flag', 'environment', 'value', 'default', 'meaning'],
    ...CONFIG_KEY_NAMES.map((key) => {
      const { shape, help } = CONFIG_KEYS[key];
      const names = [key, `--${flagName(key)}`, environmentName(key), shape].map(code);
      return [...names, defaultOf(key), help];
    }),
  ],
  limits: () => [
    ['limit', 'default', 'from', 'to', 'bounds'],
    ...(Object.keys(NODE_LIMITS) as LimitName[]).map((name) => {
      const { default: value, min, max, unit, help } = NODE_LIMITS[name];
      return [code(name), ...[value, min, max].map((one) => amount(one, unit)), help];
    }),
  ],
  settings: () => [
    ['setting', 'default', 'from', 'to', 'bounds'],
    ...(Object.keys(SETTINGS) as SettingName[]).map((name) => {
      const { default: value, min, max, help } = SETTINGS[name];
      const unit = unitOf(name);
      return [code(name), ...[value, min, max].map((one) => amount(one, unit)), help];
    }),
  ],
  sql: () => [
    ['in one statement or table', 'at most'],
    ['depth of an expression', plain(EXPRESSION_DEPTH_MAX)],
    ['columns of a table, a result, a GROUP BY', plain(COLUMNS_MAX)],
    ['terms of UNION, EXCEPT, INTERSECT', plain(COMPOUND_TERMS_MAX)],
    ['parameters with a name', plain(NAMED_PARAMETERS_MAX)],
    ['triggers and cascades that one statement sets off', plain(TRIGGERS_MAX)],
    ['generated columns of a table', plain(GENERATED_COLUMNS_MAX)],
    ['depth of an expression beside generated columns', plain(GENERATED_DEPTH_MAX)],
  ],
  errors: () => [
    ['code', 'status', 'the same call may succeed later'],
    ...ERROR_CODES.map((name) => {
      const { retryable } = new QuorliteError(name, '');
      return [code(name), String(ERROR_STATUS[name]), retryable ? 'yes' : 'no'];
    }),
  ],
  short: () => [
    ['in one', 'at most', 'setting'],
    ['log entry', ...setting('entryBytes')],
    ['text or blob', ...setting('valueBytes')],
    ['LIKE or GLOB pattern', ...setting('patternBytes')],
    ['statement', ...setting('sqlBytes')],
    ['result of a write', ...setting('resultBytes', 'resultRows')],
    ['answer to a read (a stream has no limit)', ...nodeLimit('maxReadBytes', 'maxReadRows')],
    ['request body', ...nodeLimit('maxBodyBytes')],
    ['table or result: columns', plain(COLUMNS_MAX), ''],
    ['expression: depth', plain(EXPRESSION_DEPTH_MAX), ''],
    ['statement: triggers and cascades', plain(TRIGGERS_MAX), ''],
  ],
};

/** What a node has that configures nothing; empty when that depends, or is nothing. */
function defaultOf(key: ConfigKey): string {
  if (key === 'sync') return code('durable');
  if (key === 'dataDir') return code('./data/node-<id>');
  const value = resolveConfig({})[key];
  if (typeof value === 'boolean' || value === '') return '';
  return typeof value === 'string' || typeof value === 'number' ? code(String(value)) : '';
}

/** A table as Markdown. */
export function markdown(rows: readonly Row[]): string {
  const [heading, ...rest] = rows;
  const lines = [heading!, heading!.map(() => '---'), ...rest];
  return lines.map((cells) => `| ${cells.map(escaped).join(' | ')} |`).join('\n');
}

function escaped(cell: string): string {
  return cell.replaceAll('|', '\\|');
}

function code(text: string): string {
  return `\`${text}\``;
}

function unitOf(name: string): string {
  if (/Bytes$/.test(name)) return 'bytes';
  return /Ms$/.test(name) ? 'ms' : 'count';
}

function amount(value: number, unit: string): string {
  if (unit === 'bytes') return formatBytes(value);
  return unit === 'ms' ? duration(value) : plain(value);
}

function duration(ms: number): string {
  if (ms >= 3_600_000 && ms % 3_600_000 === 0) return `${ms / 3_600_000} h`;
  if (ms >= 60_000 && ms % 60_000 === 0) return `${ms / 60_000} min`;
  return ms >= 1000 && ms % 1000 === 0 ? `${ms / 1000} s` : `${ms} ms`;
}

function plain(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

function setting(...names: readonly SettingName[]): Row {
  return [
    names.map((name) => sized(SETTINGS[name].default, name)).join(', '),
    names.map(code).join(', '),
  ];
}

function nodeLimit(...names: readonly LimitName[]): Row {
  return [
    names.map((name) => sized(NODE_LIMITS[name].default, name)).join(', '),
    names.map((name) => code(`limits.${name}`)).join(', '),
  ];
}

function sized(value: number, name: string): string {
  return /Rows$/.test(name) ? `${plain(value)} rows` : amount(value, unitOf(name));
}
