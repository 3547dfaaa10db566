/** One port for everything on Bun: `Bun.serve` with the API and the WebSockets of clients and peers. */
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
import { type BunServer, bunApi } from './api.ts';
import { type BunMount, createBunMount } from './upgrade.ts';

/** An idle connection is kept a little longer than proxies usually do, so that they never meet a closed one; seconds. */
const KEEP_ALIVE_S = 65;

/**
 * Binds the port. Rejects with `CONFIG_INVALID` when it is taken or not allowed, with the fix in the message.
 *
 * @example
 * const server = await listenBun({ host: '127.0.0.1', port: 4001, app, origins, secrets, onRaft, onStream });
 */
export async function listenBun(options: ListenOptions): Promise<NodeServer> {
  const { host, secrets, limits = DEFAULT_LIMITS } = options;
  requireSecrets(host, secrets);
  const mount = createBunMount(options);
  const server = bind(options, mount);
  let closed: Promise<void> | null = null;
  return {
    url: `http://${formatHostPort({ host: reachable(host), port: server.port })}`,
    host,
    port: server.port,
    close() {
      closed ??= closeServer(server, mount, limits.shutdownMs);
      return closed;
    },
  };
}

function bind(options: ListenOptions, mount: BunMount): BunServer {
  const { host, port, app } = options;

  function handle(request: Request, server: BunServer): Response | Promise<Response> {
    const upgraded = mount.upgrade(request, server);
    if (upgraded !== null) return upgraded;
    if (request.headers.has('upgrade')) return noSocketHere();
    if (app === undefined) return nothingHere();
    // An answer may take as long as its own deadline says: only a connection without a request is idle.
    server.timeout(request, 0);
    return app.fetch(request, {});
  }

  try {
    return bunApi().serve({
      hostname: host,
      port,
      development: false,
      idleTimeout: KEEP_ALIVE_S,
      // The API bounds bodies itself and says so in its own words.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      fetch: handle,
      error: (error) => problemResponse(asQuorliteError(error, 'unknown')),
      websocket: mount.websocket,
    });
  } catch (error) {
    if (error instanceof QuorliteError) throw error;
    const { code, message } = error as Error & { readonly code?: string };
    throw explainBind({ code, message }, formatHostPort({ host, port }));
  }
}

async function closeServer(server: BunServer, mount: BunMount, graceMs: number): Promise<void> {
  const deadline = setTimeout(() => {
    mount.terminate();
    void server.stop(true);
  }, graceMs);
  mount.close();
  try {
    await server.stop(false);
  } finally {
    clearTimeout(deadline);
  }
}
