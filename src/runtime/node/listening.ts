/** What listening on a port means on every server runtime: the options, the rules, the messages. */
import { problemResponse } from '../../api/problem.ts';
import { isLoopback } from '../../config/address.ts';
import type { NodeLimits } from '../../config/limits.ts';
import { QuorliteError } from '../../wire/error.ts';
import type { UpgradeOptions } from './upgrade-rules.ts';

/** What `listenNode` needs. `onRaft` and `onStream` as for `createUpgradeHandler`. */
export interface ListenOptions extends UpgradeOptions {
  /** Without brackets. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** The API, such as `createApi(…)`; absent on a listener for Raft alone. */
  readonly app?:
    | { fetch(request: Request, env: unknown): Response | Promise<Response> }
    | undefined;
  /** Which secrets are set: beyond loopback both are needed. */
  readonly secrets: { readonly raft: boolean; readonly api: boolean };
  readonly limits?: NodeLimits | undefined;
}

/** A bound port. */
export interface NodeServer {
  /** `http://host:port` as it can be reached from here. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /**
   * Stops accepting, lets requests in flight end within `limits.shutdownMs`, then cuts what is left. WebSockets are
   * asked to close. May be called again.
   */
  close(): Promise<void>;
}

/** Beyond loopback both secrets are needed: throws `CONFIG_INVALID`. */
export function requireSecrets(host: string, secrets: ListenOptions['secrets']): void {
  if (isLoopback(host) || (secrets.raft && secrets.api)) return;
  const missing = [secrets.raft ? '' : 'secretRaft', secrets.api ? '' : 'secretApi'].filter(
    Boolean,
  );
  throw new QuorliteError(
    'CONFIG_INVALID',
    `listening on ${host} needs ${missing.join(' and ')}: set ${missing.length > 1 ? 'them' : 'it'}, or listen on 127.0.0.1`,
  );
}

/** The reason why a port cannot be bound, with the fix, as `CONFIG_INVALID`. */
export function explainBind(
  error: { readonly code?: string | undefined; readonly message: string },
  address: string,
): QuorliteError {
  const reasons: { readonly [code: string]: string } = {
    EADDRINUSE: 'is in use: stop the process that has it, or set listen (--listen) to another port',
    EACCES: 'may not be bound by this user: set listen (--listen) to a port above 1023',
    EADDRNOTAVAIL: 'is no address of this machine: correct listen (--listen)',
    ENOTFOUND: 'names no known host: correct listen (--listen)',
  };
  const reason = reasons[error.code ?? ''] ?? `cannot be bound: ${error.message}`;
  return new QuorliteError('CONFIG_INVALID', `${address} ${reason}`, { cause: error });
}

/** The address under which a listener on every interface is reached from here. */
export function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

/** The answer of a listener for Raft alone to everything else. */
export function nothingHere(): Response {
  return problemResponse(new QuorliteError('NOT_FOUND', 'this port is for peers only'));
}
