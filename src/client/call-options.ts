/** Filling in and checking what callers pass beside SQL. */
import type { Consistency } from '../node/contract.ts';
import { QuorliteError } from '../wire/error.ts';
import type { Params } from '../wire/value.ts';
import type { CallOptions, ReadOptions, Sql } from './contract.ts';
import type { CallLimits, DriverQuery } from './driver.ts';

/** How long a call waits unless it says otherwise, milliseconds. */
export const DEFAULT_TIMEOUT_MS = 10_000;
/** The longest wait that timers everywhere can do: about 24 days. */
const MAX_TIMEOUT_MS = 2_147_483_647;

/** Fills in the limits of a call. Throws `BAD_REQUEST`. */
export type FillLimits = (options: CallOptions | undefined) => CallLimits;

/** Limits of calls of one client; `defaultMs` is how long they wait unless they say otherwise. */
export function createCallLimits(defaultMs: number): FillLimits {
  const defaults: CallLimits = { signal: undefined, timeoutMs: wholeMs(defaultMs) };
  return (options) => {
    if (options === undefined) return defaults;
    const { signal, timeoutMs } = options;
    return { signal, timeoutMs: timeoutMs === undefined ? defaults.timeoutMs : wholeMs(timeoutMs) };
  };
}

function wholeMs(timeoutMs: number): number {
  if (typeof timeoutMs === 'number' && timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS) {
    return Math.ceil(timeoutMs);
  }
  throw invalid(`timeoutMs must be a number of milliseconds from 1 to ${MAX_TIMEOUT_MS}`);
}

/** A statement with its parameters, from text or from the `sql` tag. Throws `BAD_REQUEST`. */
export function statementText(
  sql: string | Sql,
  params: Params | undefined,
): { readonly sql: string; readonly params: Params | undefined } {
  if (typeof sql === 'string') return { sql, params };
  if (typeof sql !== 'object' || sql === null || typeof sql.sql !== 'string') {
    throw invalid('SQL must be a string or made by the sql tag');
  }
  if (params !== undefined) throw invalid('SQL of the sql tag brings its own parameters');
  return { sql: sql.sql, params: sql.params };
}

/** A read, filled in. Throws `BAD_REQUEST`. */
export function driverQuery(
  text: string | Sql,
  given: Params | undefined,
  options: ReadOptions | undefined,
): DriverQuery {
  const { sql, params } = statementText(text, given);
  if (options === undefined) {
    return { sql, params, consistency: 'linearizable', minIndex: undefined, tables: false };
  }
  const { consistency = 'linearizable', minIndex } = options;
  checkConsistency(consistency);
  if (minIndex !== undefined && !(Number.isSafeInteger(minIndex) && minIndex >= 0)) {
    throw invalid('minIndex must be an index of the log');
  }
  return { sql, params, consistency, minIndex, tables: false };
}

function checkConsistency(consistency: Consistency): void {
  switch (consistency) {
    case 'linearizable':
    case 'session':
    case 'stale':
      return;
  }
  const lag = typeof consistency === 'object' ? consistency?.maxLagMs : undefined;
  if (typeof lag === 'number' && lag >= 0) return;
  throw invalid("consistency is 'linearizable', 'session', 'stale' or { maxLagMs: n }");
}

/** Refuses what is no number of a node: `BAD_REQUEST`. */
export function checkMember(id: number): void {
  if (Number.isSafeInteger(id) && id > 0) return;
  throw invalid('the number of a node is a positive integer');
}

/** Refuses what is no address of a node: `BAD_REQUEST`. */
export function checkAddress(url: string): void {
  if (typeof url === 'string' && /^https?:\/\/[^/\s]+/.test(url)) return;
  throw invalid('a member needs a URL such as http://10.0.0.4:4001');
}

function invalid(message: string): QuorliteError {
  return new QuorliteError('BAD_REQUEST', message);
}
