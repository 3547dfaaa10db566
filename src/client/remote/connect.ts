/** Connecting to a cluster from outside. */
import { QuorliteError } from '../../wire/error.ts';
import { didYouMean } from '../../wire/nearest.ts';
import { DEFAULT_TIMEOUT_MS } from '../call-options.ts';
import { createClient } from '../client.ts';
import type { Client, IntegerMode } from '../contract.ts';
import type { Driver } from '../driver.ts';
import { createRemoteDriver } from './driver.ts';
import { Credentials } from './handshake.ts';
import { DEFAULT_REMOTE_LIMITS, type RemoteLimits } from './limits.ts';
import { type ClientRuntime, webRuntime } from './runtime.ts';
import type { WebSocketConstructor } from './websocket.ts';

/** How to connect. */
export interface ConnectOptions {
  /** The API secret or a token. With it, a node that cannot prove that it knows the token is refused. */
  readonly token?: string | undefined;
  /** How integers come out; default `auto`. */
  readonly integers?: IntegerMode | undefined;
  /** How long calls wait unless they say otherwise; default 10,000. */
  readonly timeoutMs?: number | undefined;
  /** A WebSocket constructor, where the runtime has none (Node 20) or another one is wanted; false: use none. */
  readonly webSocket?: WebSocketConstructor | false | undefined;
  /** What to use where there is no WebSocket: `overHttp`. */
  readonly http?:
    | ((options: { urls: readonly string[]; token: string | undefined }) => Driver)
    | undefined;
  /** Whether to move to the leader, which saves writes a hop; default true. False stays with the nodes given. */
  readonly followLeader?: boolean | undefined;
  /** What the nodes' logs call this client. */
  readonly agent?: string | undefined;
  readonly limits?: Partial<RemoteLimits> | undefined;
  /** Time, chance and connections of its own, for simulations and tests. */
  readonly runtime?: ClientRuntime | undefined;
}

const OPTIONS: { readonly [N in keyof ConnectOptions]-?: true } = {
  token: true,
  integers: true,
  timeoutMs: true,
  webSocket: true,
  http: true,
  followLeader: true,
  agent: true,
  limits: true,
  runtime: true,
};

/**
 * A client of a cluster, given the URL of at least one node. It returns at once and connects with the first call; calls
 * find the leader, survive failovers and are retried safely until their `timeoutMs`.
 *
 * Throws `BAD_REQUEST` for a URL that is none and for an option that there is not, `NOT_SUPPORTED` where there is no WebSocket.
 *
 * @example
 * const db = connect(['http://127.0.0.1:4001', 'http://127.0.0.1:4002'], { token });
 * const users = await db.query('SELECT * FROM users');
 */
export function connect(urls: string | readonly string[], options: ConnectOptions = {}): Client {
  const nodes = [...new Set((typeof urls === 'string' ? [urls] : urls).map(nodeUrl))];
  if (nodes.length === 0)
    throw new QuorliteError('BAD_REQUEST', 'connect() needs at least one URL');
  checkNames(options, OPTIONS, '');
  checkNames(options.limits ?? {}, DEFAULT_REMOTE_LIMITS, 'limits.');
  checkIntegers(options.integers);
  const { token, integers = 'auto', followLeader = true, agent = 'quorlite' } = options;
  const { http, webSocket = globalThis.WebSocket } = options;
  const driver =
    http && !options.runtime && !webSocket
      ? http({ urls: nodes, token })
      : createRemoteDriver({
          urls: nodes,
          follow: followLeader,
          agent,
          runtime: options.runtime ?? webRuntime(webSocket || undefined),
          limits: { ...DEFAULT_REMOTE_LIMITS, ...options.limits },
          credentials: token === undefined ? null : new Credentials(token),
        });
  const { timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  return createClient(driver, { integers, timeoutMs });
}

/** A mistyped option that silently did nothing would be found out in production. */
function checkNames(given: object, known: object, prefix: string): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new QuorliteError('BAD_REQUEST', 'options are an object, such as { token }');
  }
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(known, name));
  if (unknown === undefined) return;
  const near = didYouMean(unknown, Object.keys(known));
  throw new QuorliteError('BAD_REQUEST', `there is no option '${prefix}${unknown}'${near}`, {
    hint: `known are ${Object.keys(known).join(', ')}`,
  });
}

function checkIntegers(mode: unknown): void {
  if (mode === undefined || mode === 'auto' || mode === 'number' || mode === 'bigint') return;
  throw new QuorliteError('BAD_REQUEST', "integers is 'auto', 'number' or 'bigint'");
}

/** Checks a URL and writes it in one way: no slash at the end. A path is kept, for nodes mounted below one. */
function nodeUrl(text: string): string {
  let url: URL | null = null;
  try {
    url = new URL(text);
  } catch {
    // Said below, with the schemes that are accepted.
  }
  if (!url || !/^(https?|wss?):$/.test(url.protocol)) {
    throw new QuorliteError('BAD_REQUEST', `'${text}' is no URL of a node`, {
      hint: 'write it like http://127.0.0.1:4001',
    });
  }
  const scheme = url.protocol.replace(/^ws/, 'http');
  return `${scheme}//${url.host}${url.pathname.replace(/\/+$/, '')}`;
}
