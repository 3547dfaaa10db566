/** Starts a node on Node.js: configuration, folder, engine, transport, port, API, client. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Engine } from '../../../wasm/engine.ts';
import { createApi } from '../../api/app.ts';
import { createSecretAuth } from '../../api/auth.ts';
import { createOriginPolicy } from '../../api/origins.ts';
import { problemResponse } from '../../api/problem.ts';
import { streamLimits } from '../../api/stream/limits.ts';
import { createStreamServer, type StreamServer } from '../../api/stream/server.ts';
import type { Client } from '../../client/contract.ts';
import { createEmbeddedClient } from '../../client/embedded.ts';
import { basePathOf } from '../../config/address.ts';
import type { NodeConfig } from '../../config/node-config.ts';
import type { ResolvedConfig } from '../../config/resolve.ts';
import type { NodeService } from '../../node/contract.ts';
import type { NodeStorage } from '../../node/recover.ts';
import { openNode } from '../../node/service.ts';
import { withStatementLog } from '../../node/statement-log.ts';
import type { Platform } from '../../platform/contract.ts';
import { FileError, type FileFolder } from '../../platform/files.ts';
import type { Link, LinkEvents } from '../../platform/links.ts';
import { createSnapshotStore } from '../../storage/checkpoint/snapshot-store.ts';
import { createFileLogStore } from '../../storage/file-log/file-log.ts';
import { createIdentityStore } from '../../storage/identity.ts';
import { createMemoryFolder } from '../../storage/memory-folder.ts';
import { openFileBacking, removeFileBacking } from '../../storage/page-backing/file.ts';
import { createLogger, type Logger } from '../../telemetry/logger.ts';
import type { Transport } from '../../transport/contract.ts';
import { transportLimits } from '../../transport/limits.ts';
import { createLinkTransport } from '../../transport/link-transport.ts';
import { QuorliteError } from '../../wire/error.ts';
import { createTokenVerifier } from '../../wire/token-proof.ts';
import { VERSION } from '../version.ts';
import { resolveNodeConfig } from './config.ts';
import { loadEngine } from './engine.ts';
import { openNodeFolder } from './files.ts';
import { createWebSocketDialer } from './links.ts';
import { createNodePlatform } from './platform.ts';
import { listenNode, type NodeServer } from './server.ts';
import { createUpgradeHandler, type UpgradeHandler } from './upgrade.ts';

/** A node that runs in this process. */
export interface RunningNode {
  /** Its number in `nodes`. */
  readonly id: number;
  /** Where it can be reached; '' without a socket. */
  readonly url: string;
  /** The client inside this node. */
  readonly client: Client;
  /** The node itself, below the client. */
  readonly service: NodeService;
  /**
   * The HTTP API, to be mounted in an existing server: at its root, or below a path. Requests arrive with that path when
   * the node's own URL (in `nodes`, or `advertise`) has it, or stripped of it, as by `mount` of Hono.
   *
   * @example
   * const node = await startNode({ advertise: 'http://127.0.0.1:3000/db', listen: false });
   * app.mount('/db', node.fetch); // or: app.all('/db/*', (c) => node.fetch(c.req.raw))
   */
  fetch(request: Request): Response | Promise<Response>;
  /**
   * WebSocket upgrades for an existing `http.Server`: of clients and, unless `listenRaft` has a port of its own, of peers,
   * below the path of the node's own URL. False, with the socket untouched, when the path is none of the node's.
   *
   * @example
   * server.on('upgrade', (request, socket, head) => {
   *   if (!node.handleUpgrade(request, socket, head)) socket.destroy();
   * });
   */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array): boolean;
  /**
   * Settles when the node has stopped: with null after `shutdown`, or with the reason when it stopped by itself, because
   * its disk failed or an invariant was broken (`STORAGE_FAILED`, the reason as its `cause`). Never rejects. A node that
   * stopped by itself answers everything with an error until `shutdown` closes its port and releases its folder; then
   * it may be started again.
   */
  readonly stopped: Promise<QuorliteError | null>;
  /** Hands leadership over, drains, flushes and closes. May be called again. */
  shutdown(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts a node. Resolves when its storage is recovered and its port is bound; calls wait for a leader. Rejects with
 * `CONFIG_INVALID`, `CORRUPT` or `STORAGE_FAILED`.
 *
 * @example
 * const node = await startNode({ dataDir: './data' });
 * await node.client.execute('CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT)');
 * await node.shutdown();
 */
export async function startNode(config: NodeConfig = {}): Promise<RunningNode> {
  const resolved = resolveNodeConfig(config);
  const platform = createNodePlatform();
  const logger = createNodeLogger(resolved, platform);
  for (const warning of resolved.warnings) logger.warn(warning);
  const engine = await loadEngine(resolved.engine);
  const storage = openStorage(resolved, platform);
  const servers: NodeServer[] = [];
  try {
    return await compose({ resolved, platform, logger, engine, storage, servers });
  } catch (error) {
    await Promise.all(servers.map((server) => server.close()));
    storage.close();
    throw error;
  }
}

interface Parts {
  readonly resolved: ResolvedConfig;
  readonly platform: Platform;
  readonly logger: Logger;
  readonly engine: Engine;
  readonly storage: OpenStorage;
  readonly servers: NodeServer[];
}

async function compose(parts: Parts): Promise<RunningNode> {
  const { resolved, platform, logger, engine, storage, servers } = parts;
  const entrance = new Entrance();
  const originPolicy = createOriginPolicy({
    origins: resolved.origins,
    url: resolved.advertise || 'http://127.0.0.1',
    authenticated: resolved.secretApi !== null,
  });
  const upgrade = {
    origins: originPolicy,
    onRaft: (link: Link, remote: string) => entrance.raft(link, remote),
    onStream: (link: Link, remote: string) => entrance.stream(link, remote),
    raftMessageBytes: resolved.limits.maxFrameBytes,
    streamMessageBytes: resolved.limits.maxBodyBytes,
  };
  const basePath = basePathOf(resolved.advertise);
  // A proxy in front of our own port may pass the path of our URL on, or strip it.
  await bindAll(
    resolved,
    entrance,
    { ...upgrade, basePaths: [...new Set(['', basePath])] },
    servers,
  );
  // Port 0 is known only now.
  const bound = servers[0]?.url ?? '';
  const url = resolved.listen?.port === 0 ? bound : resolved.advertise || bound;
  const transport = createLinkTransport({
    dialer: createWebSocketDialer({ maxPayload: resolved.limits.maxFrameBytes }),
    platform,
    secret: resolved.secretRaft,
    logger,
    limits: transportLimits(resolved.limits),
  });
  const core = openNode({
    node: resolved.id,
    url,
    nodes: new Map(
      resolved.nodes.map((node) => [node.id, node.id === resolved.id ? url : node.url]),
    ),
    role: resolved.role,
    expectExisting: resolved.expectExisting,
    foundWith: resolved.foundWith,
    heartbeatMs: resolved.heartbeatMs,
    electionMs: resolved.electionMs,
    checkpoint: resolved.checkpoint,
    limits: resolved.limits,
    platform,
    logger,
    engine,
    storage,
    transport,
  });
  const service = withStatementLog(core, {
    logger,
    logStatements: resolved.logStatements,
    slowQueryMs: resolved.slowQueryMs,
    monotonicMs: () => platform.clock.monotonicMs(),
  });
  const app = createNodeApi({
    resolved,
    platform,
    logger,
    engine,
    service,
    originPolicy,
    basePath,
  });
  const stream = createNodeStream(resolved, platform, logger, service);
  entrance.open({ app, transport, stream });
  const upgrades = createUpgradeHandler({
    ...upgrade,
    onRaft: resolved.listenRaft ? undefined : upgrade.onRaft,
    // Other paths of an existing server are not ours, whatever they end with.
    basePaths: [basePath],
  });
  return runningNode({ url, service, platform, app, upgrades, stream, servers, storage });
}

/** Serves from the moment that the port is bound; says so until the node is there. */
class Entrance {
  #app: { fetch(request: Request, env: unknown): Response | Promise<Response> } | null = null;
  #transport: Transport | null = null;
  #stream: StreamServer | null = null;

  open(parts: {
    app: { fetch(request: Request, env: unknown): Response | Promise<Response> };
    transport: Transport;
    stream: StreamServer;
  }): void {
    this.#app = parts.app;
    this.#transport = parts.transport;
    this.#stream = parts.stream;
  }

  fetch(request: Request, env: unknown): Response | Promise<Response> {
    if (this.#app) return this.#app.fetch(request, env);
    return problemResponse(new QuorliteError('NOT_READY', 'the node is starting'));
  }

  raft(link: Link, remote: string): LinkEvents {
    return this.#transport?.accept(link, remote) ?? refuse(link);
  }

  stream(link: Link, remote: string): LinkEvents {
    return this.#stream?.accept(link, remote) ?? refuse(link);
  }
}

function refuse(link: Link): LinkEvents {
  link.close('the node is starting');
  return { opened: () => {}, message: () => {}, closed: () => {} };
}

async function bindAll(
  resolved: ResolvedConfig,
  entrance: Entrance,
  upgrade: Parameters<typeof createUpgradeHandler>[0],
  servers: NodeServer[],
): Promise<void> {
  const { listen, listenRaft, limits } = resolved;
  const secrets = { raft: resolved.secretRaft !== null, api: resolved.secretApi !== null };
  const app = { fetch: (request: Request, env: unknown) => entrance.fetch(request, env) };
  if (listen) {
    const onRaft = listenRaft ? undefined : upgrade.onRaft;
    const options = { ...listen, ...upgrade, onRaft, app, secrets, limits };
    servers.push(await listenNode(options));
  }
  if (listenRaft) {
    const options = { ...listenRaft, ...upgrade, onStream: undefined, secrets, limits };
    servers.push(await listenNode(options));
  }
}

function createNodeLogger(resolved: ResolvedConfig, platform: Platform): Logger {
  const { log, logFormat } = resolved;
  if (typeof log === 'object') return log;
  return createLogger({
    level: log,
    format: logFormat ?? (process.stderr.isTTY ? 'pretty' : 'json'),
    wallMs: () => platform.clock.wallMs(),
    write: (line) => process.stderr.write(`${line}\n`),
  });
}

/** What a node keeps, and how to give the folder back. */
export interface OpenStorage extends NodeStorage {
  close(): void;
}

/** Locks the folder of a node. Throws `CONFIG_INVALID` when it is in use, `STORAGE_FAILED` when it cannot be. */
export function openStorage(resolved: ResolvedConfig, platform: Platform): OpenStorage {
  const folder = lockedFolder(resolved);
  const { clock, timers, entropy } = platform;
  // A process that was killed leaves its scratch.
  removeFileBacking(folder);
  return {
    identity: createIdentityStore(folder),
    log: createFileLogStore({ folder, sync: resolved.sync, clock, timers, entropy }),
    snapshots: createSnapshotStore({ folder }),
    sync: resolved.sync,
    // In a folder in memory scratch would be memory, too.
    openPages: resolved.storage === 'memory' ? undefined : () => openFileBacking(folder),
    close: () => folder.unlock(),
  };
}

/** The folder, which is this node's from now on. */
function lockedFolder(resolved: ResolvedConfig): FileFolder {
  try {
    const folder = openFolder(resolved);
    folder.lock();
    return folder;
  } catch (error) {
    // A folder that somebody else uses is a mistake of the configuration, not of the disk.
    if (error instanceof FileError && error.kind === 'locked') {
      throw new QuorliteError('CONFIG_INVALID', error.message, { cause: error });
    }
    const message = error instanceof Error ? error.message : String(error);
    throw new QuorliteError('STORAGE_FAILED', `the data folder cannot be used: ${message}`, {
      cause: error,
      hint: `correct dataDir (${resolved.dataDir}), or its disk and permissions; quorlite doctor checks them`,
    });
  }
}

function openFolder(resolved: ResolvedConfig): FileFolder {
  if (resolved.storage === 'memory') return createMemoryFolder({ crashable: false });
  return openNodeFolder(resolved.dataDir);
}

function createNodeApi(options: {
  resolved: ResolvedConfig;
  platform: Platform;
  logger: Logger;
  engine: Engine;
  service: NodeService;
  originPolicy: ReturnType<typeof createOriginPolicy>;
  basePath: string;
}): ReturnType<typeof createApi> {
  const { resolved, platform, logger, engine, service, originPolicy, basePath } = options;
  const { name, version, hash } = engine.id;
  const monotonicMs = (): number => platform.clock.monotonicMs();
  const auth =
    resolved.secretApi === null
      ? undefined
      : createSecretAuth({
          secret: resolved.secretApi,
          monotonicMs,
          failed: () => logger.warn('a request with a bad token was refused'),
        });
  return createApi({
    service,
    about: { version: VERSION, engine: `${name}/${version}/${hash}`, runtime: platform.runtime },
    auth,
    origins: originPolicy,
    basePath,
    limits: resolved.limits,
    logger,
    monotonicMs,
  });
}

function createNodeStream(
  resolved: ResolvedConfig,
  platform: Platform,
  logger: Logger,
  service: NodeService,
): StreamServer {
  const { secretApi } = resolved;
  const salt = new Uint8Array(16);
  platform.entropy.fill(salt);
  const verifier = secretApi === null ? null : createTokenVerifier(secretApi, salt);
  const findVerifier = verifier && ((identity: string) => (identity === '' ? verifier : null));
  const limits = streamLimits(resolved.limits);
  return createStreamServer({ service, platform, logger, findVerifier, limits });
}

function runningNode(parts: {
  url: string;
  service: NodeService;
  platform: Platform;
  app: { fetch(request: Request): Response | Promise<Response> };
  upgrades: UpgradeHandler;
  stream: StreamServer;
  servers: readonly NodeServer[];
  storage: OpenStorage;
}): RunningNode {
  const { url, service, platform, app, upgrades, stream, servers, storage } = parts;
  const client = createEmbeddedClient(service, { platform });
  let stopping: Promise<void> | null = null;
  let settle: (failure: QuorliteError | null) => void = () => {};
  const stopped = new Promise<QuorliteError | null>((resolve) => {
    settle = resolve;
  });
  service.whenFailed?.(settle);
  async function stop(): Promise<void> {
    upgrades.close();
    await new Promise<void>((resolve) => stream.close(resolve));
    const closing = Promise.all(servers.map((server) => server.close()));
    const error = await new Promise<Error | null>((resolve) => service.shutdown(resolve));
    upgrades.terminate();
    await closing;
    storage.close();
    settle(null);
    if (error) throw error;
  }
  const shutdown = (): Promise<void> => {
    stopping ??= stop();
    return stopping;
  };
  return {
    id: service.id,
    url,
    client,
    service,
    fetch: (request) => app.fetch(request),
    handleUpgrade: (request, socket, head) => upgrades.handle(request, socket, head),
    stopped,
    shutdown,
    [Symbol.asyncDispose]: shutdown,
  };
}
