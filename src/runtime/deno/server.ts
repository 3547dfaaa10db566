/** One port for everything on Deno: `Deno.serve` with the API and the WebSockets of clients and peers. */
import { problemResponse } from '../../api/problem.ts';
import { formatHostPort } from '../../config/address.ts';
import { DEFAULT_LIMITS } from '../../config/limits.ts';
import { asQuorliteError, QuorliteError } from '../../wire/error.ts';
import {
  explainBind,
  type ListenOptions,
  type NodeServer,
  nothingHere,
  reachable,
  requireSecrets,
} from '../node/listening.ts';
import { noSocketHere } from '../node/upgrade-rules.ts';
import { type DenoAddress, type DenoServer, denoApi } from './api.ts';
import { createDenoMount, type DenoMount } from './upgrade.ts';

/** What Node calls the errors of Deno that are told apart. */
const CODES: { readonly [name: string]: string } = {
  AddrInUse: 'EADDRINUSE',
  AddrNotAvailable: 'EADDRNOTAVAIL',
  PermissionDenied: 'EACCES',
};

/**
 * Binds the port. Rejects with `CONFIG_INVALID` when it is taken or not allowed, with the fix in the message.
 *
 * @example
 * const server = await listenDeno({ host: '127.0.0.1', port: 4001, app, origins, secrets, onRaft, onStream });
 */
export async function listenDeno(options: ListenOptions): Promise<NodeServer> {
  const { host, port, app, secrets, limits = DEFAULT_LIMITS } = options;
  requireSecrets(host, secrets);
  const mount = createDenoMount(options);
  const cut = new AbortController();

  function handle(
    request: Request,
    info: { readonly remoteAddr: DenoAddress },
  ): Response | Promise<Response> {
    const upgraded = mount.upgrade(request, info);
    if (upgraded !== null) return upgraded;
    if (request.headers.has('upgrade')) return noSocketHere();
    return app ? app.fetch(request, {}) : nothingHere();
  }

  const server = bind(options, handle, cut.signal);
  let closed: Promise<void> | null = null;
  const bound = server.addr.port ?? port;
  return {
    url: `http://${formatHostPort({ host: reachable(host), port: bound })}`,
    host,
    port: bound,
    close() {
      closed ??= closeServer(server, mount, cut, limits.shutdownMs);
      return closed;
    },
  };
}

function bind(
  { host, port }: ListenOptions,
  handle: Parameters<ReturnType<typeof denoApi>['serve']>[1],
  signal: AbortSignal,
): DenoServer {
  const settings = {
    hostname: host,
    port,
    signal,
    automaticCompression: false,
    onListen: () => {},
    onError: explain,
  };
  try {
    return denoApi().serve(settings, handle);
  } catch (error) {
    const { name, message, code } = error as Error & { readonly code?: string };
    throw explainBind({ code: CODES[name] ?? code, message }, formatHostPort({ host, port }));
  }
}

/** What the API itself could not answer. */
function explain(error: unknown): Response {
  if (error instanceof TypeError) {
    return problemResponse(new QuorliteError('BAD_REQUEST', `malformed: ${error.message}`));
  }
  return problemResponse(asQuorliteError(error, 'unknown'));
}

async function closeServer(
  server: DenoServer,
  mount: DenoMount,
  cut: AbortController,
  graceMs: number,
): Promise<void> {
  const deadline = setTimeout(() => {
    mount.terminate();
    cut.abort();
  }, graceMs);
  mount.close();
  try {
    await Promise.race([server.shutdown(), server.finished]);
  } finally {
    clearTimeout(deadline);
  }
}
