/** Kinds of configuration values: how each is read from text and what is wrong with one. */

import { didYouMean } from '../wire/nearest.ts';
import { parseHostPort, parseNodeUrl } from './address.ts';
import { parseAmount } from './units.ts';

/** One kind of value. */
export interface ValueKind {
  /** How the value is written, for help texts. */
  readonly shape: string;
  /** Text of a flag, a variable or a TOML string → value; text that makes no sense is given back for `check` to refuse. */
  read(text: string): unknown;
  /** What is wrong with a value, as the end of a sentence (`must be …`), or null. */
  check(value: unknown): string | null;
}

/** Any text that is not empty. */
export function textValue(shape: string): ValueKind {
  return {
    shape,
    read: (text) => text,
    check: (value) =>
      typeof value === 'string' && value !== '' ? null : `must be a text, not ${show(value)}`,
  };
}

/** One of a few words. */
export function wordValue(words: readonly string[]): ValueKind {
  return {
    shape: words.join('|'),
    read: (text) => text,
    check: (value) => {
      if (typeof value === 'string' && words.includes(value)) return null;
      const near = typeof value === 'string' ? didYouMean(value, words) : '';
      return `must be one of ${words.join(', ')}, not ${show(value)}${near}`;
    },
  };
}

/** Yes or no. */
export const booleanValue: ValueKind = {
  shape: 'true|false',
  read: (text) => {
    if (/^(true|1|yes|on)$/i.test(text)) return true;
    return /^(false|0|no|off)$/i.test(text) ? false : text;
  },
  check: (value) =>
    typeof value === 'boolean' ? null : `must be true or false, not ${show(value)}`,
};

/** A whole number, with a unit where `kind` has some. */
export function integerValue(
  min: number,
  max: number,
  kind: 'bytes' | 'ms' | 'plain' = 'plain',
): ValueKind {
  return {
    shape: kind === 'plain' ? 'N' : kind === 'ms' ? 'MS' : 'BYTES',
    read: (text) => readAmount(text, kind),
    check: (value) =>
      Number.isInteger(value) && (value as number) >= min && (value as number) <= max
        ? null
        : `must be a whole number from ${min} to ${max}${kind === 'plain' ? '' : ` (${kind})`}, not ${show(value)}`,
  };
}

/** `1,2,3`, or a TOML array. */
export function listValue(shape: string, item: ValueKind): ValueKind {
  return {
    shape,
    read: (text) =>
      text
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== '')
        .map((part) => item.read(part)),
    check: (value) => {
      if (!Array.isArray(value)) return `must be a list, not ${show(value)}`;
      if (new Set(value).size !== value.length) return `names something twice: ${value.join(', ')}`;
      for (const entry of value as unknown[]) {
        const problem = item.check(entry);
        if (problem !== null) return problem;
      }
      return null;
    },
  };
}

/** `name=N,name=N`, or a TOML table, of named numbers. */
export function recordValue(
  shape: string,
  items: { readonly [name: string]: ValueKind },
): ValueKind {
  const names = Object.keys(items);
  return {
    shape,
    read: (text) => {
      const record: { [name: string]: unknown } = {};
      for (const part of text.split(',')) {
        const [name, ...rest] = part.split('=');
        if (rest.length === 0) return text;
        const key = name!.trim();
        record[key] = items[key]?.read(rest.join('=').trim()) ?? rest.join('=');
      }
      return record;
    },
    check: (value) => {
      if (!isRecord(value)) return `must be NAME=NUMBER,… or a table, not ${show(value)}`;
      for (const [name, entry] of Object.entries(value)) {
        const item = items[name];
        if (item === undefined) return `has no "${name}"${didYouMean(name, names)}`;
        const problem = item.check(entry);
        if (problem !== null) return `.${name} ${problem}`;
      }
      return null;
    },
  };
}

/** `1=http://…,2=http://…`, or a TOML table: number → URL. */
export const nodesValue: ValueKind = {
  shape: '1=URL,2=URL,…',
  read: (text) => {
    const nodes: { [id: string]: string } = {};
    for (const part of text.split(',')) {
      const cut = part.indexOf('=');
      if (cut < 1) return text;
      const id = part.slice(0, cut).trim();
      if (Object.hasOwn(nodes, id)) return text;
      nodes[id] = part.slice(cut + 1).trim();
    }
    return nodes;
  },
  check: checkNodes,
};

/** `host:port`, and `false` where no socket is an answer. */
export function addressValue(allowFalse: boolean): ValueKind {
  return {
    shape: allowFalse ? 'HOST:PORT|false' : 'HOST:PORT',
    read: (text) => (allowFalse && text === 'false' ? false : text),
    check: (value) => {
      if (allowFalse && value === false) return null;
      if (typeof value === 'string' && parseHostPort(value) !== null) return null;
      return `must be HOST:PORT such as 127.0.0.1:4001 or 0.0.0.0:4001, not ${show(value)}`;
    },
  };
}

/** A value as it appears in messages. */
export function show(value: unknown): string {
  if (typeof value === 'string') return `"${value}"`;
  if (typeof value === 'object' && value !== null) return JSON.stringify(value);
  return String(value);
}

/** True for plain objects. */
export function isRecord(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readAmount(text: string, kind: 'bytes' | 'ms' | 'plain'): unknown {
  const amount = parseAmount(text, kind);
  return Number.isNaN(amount) ? text : amount;
}

function checkNodes(value: unknown): string | null {
  if (!isRecord(value)) return `must be 1=URL,2=URL,… with each number once, not ${show(value)}`;
  const seen = new Map<string, string>();
  for (const [id, url] of Object.entries(value)) {
    if (!/^[1-9]\d{0,8}$/.test(id)) return `must be numbered from 1, not "${id}"`;
    if (typeof url !== 'string') return `.${id} must be a URL, not ${show(url)}`;
    const parsed = parseNodeUrl(url);
    if ('problem' in parsed) return `.${id}: ${parsed.problem}`;
    const other = seen.get(parsed.url);
    if (other !== undefined) return `gives ${other} and ${id} the same URL ${parsed.url}`;
    seen.set(parsed.url, id);
  }
  return seen.size === 0 ? 'must name at least one node' : null;
}
