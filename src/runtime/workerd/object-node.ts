/** A node inside a Durable Object: storage in its rows, peers and clients over its sockets, the API behind its `fetch`. */
import type { Engine } from '../../../wasm/engine.ts';
import { loadModuleEngine } from '../../../wasm/load/worker.ts';
import { createApi } from '../../api/app.ts';
import { createSecretAuth } from '../../api/auth.ts';
import { createOriginPolicy, type OriginPolicy } from '../../api/origins.ts';
import { problemResponse } from '../../api/problem.ts';
import { streamLimits } from '../../api/stream/limits.ts';
import { createStreamServer, type StreamServer } from '../../api/stream/server.ts';
import type { Client } from '../../client/contract.ts';
import { createEmbeddedClient } from '../../client/embedded.ts';
import type { ResolvedConfig } from '../../config/resolve.ts';
import type { NodeService } from '../../node/contract.ts';
import type { NodeStorage } from '../../node/recover.ts';
import { openNode } from '../../node/service.ts';
import { withStatementLog } from '../../node/statement-log.ts';
import type { Platform } from '../../platform/contract.ts';
import { createSnapshotStore } from '../../storage/checkpoint/snapshot-store.ts';
import { createIdentityStore } from '../../storage/identity.ts';
import { openRowBacking } from '../../storage/page-backing/rows.ts';
import { openRowFolder } from '../../storage/row-folder.ts';
import { createRowLogStore } from '../../storage/row-log.ts';
import { createLogger, type Logger } from '../../telemetry/logger.ts';
import type { Transport } from '../../transport/contract.ts';
import { transportLimits } from '../../transport/limits.ts';
import { createLinkTransport } from '../../transport/link-transport.ts';
import { asQuorliteError, QuorliteError } from '../../wire/error.ts';
import { STREAM_PATH } from '../../wire/stream.ts';
import { createTokenVerifier } from '../../wire/token-proof.ts';
import { VERSION } from '../version.ts';
import {
  nodeOfPath,
  nodePath,
  type ObjectNamespace,
  type ObjectStorage,
  objectOf,
} from './contract.ts';
import { acceptSocket, createFetchDialer, RAFT_PATH } from './links.ts';
import { countingEngine, createWorkerdPlatform } from './platform.ts';

/** A node that runs in an object. */
export interface ObjectNode {
  readonly client: Client;
  readonly service: NodeService;
  /** Answers HTTP, and upgrades of clients and peers, below the node's path. */
  fetch(request: Request): Response | Promise<Response>;
  /** Requests being answered and sockets that are open. */
  readonly uses: number;
  shutdown(): Promise<void>;
}

/** What a node in an object is made of. */
export interface ObjectNodeOptions {
  readonly resolved: ResolvedConfig;
  readonly storage: ObjectStorage;
  /** The binding to the other objects; absent: peers are dialled over the network alone. */
  readonly namespace?: ObjectNamespace | undefined;
}

/** Starts a node, within this turn. Throws `CONFIG_INVALID`, `CORRUPT`, `STORAGE_FAILED`. */
export function openObjectNode(options: ObjectNodeOptions): ObjectNode {
  const { resolved, storage, namespace } = options;
  const platform = createWorkerdPlatform();
  const logger = createObjectLogger(resolved, platform);
  for (const warning of resolved.warnings) logger.warn(warning);
  const engine = countingEngine(engineOf(resolved));
  const transport = createLinkTransport({
    dialer: createFetchDialer((url) => siblingOf(url, resolved, namespace)),
    platform,
    secret: resolved.secretRaft,
    logger,
    limits: transportLimits(resolved.limits),
  });
  const core = openNode({
    node: resolved.id,
    url: resolved.advertise,
    nodes: new Map(resolved.nodes.map((node) => [node.id, node.url])),
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
    storage: openObjectStorage(storage),
    transport,
  });
  const service = withStatementLog(core, {
    logger,
    logStatements: resolved.logStatements,
    slowQueryMs: resolved.slowQueryMs,
    monotonicMs: () => platform.clock.monotonicMs(),
  });
  return new Hosted({ resolved, platform, logger, engine, service, transport });
}

/** Log, identity and checkpoints are rows, and so are the pages that memory has no room for. */
function openObjectStorage({ sql }: ObjectStorage): NodeStorage {
  const folder = openRowFolder(sql, { label: 'the rows of this object' });
  return {
    identity: createIdentityStore(folder),
    log: createRowLogStore(sql),
    snapshots: createSnapshotStore({ folder }),
    sync: { mode: 'durable' },
    openPages: () => openRowBacking(sql),
  };
}

function engineOf({ engine }: ResolvedConfig): Engine {
  if (typeof engine === 'object') return engine;
  if (engine === 'sqlite') return loadModuleEngine();
  throw new QuorliteError('NOT_SUPPORTED', `the engine "${engine}" cannot be loaded by its name`, {
    hint: "give the engine itself: import { sqljs } from 'quorlite/sqljs'",
  });
}

/** The object behind the URL of a node of this Worker, which the network does not lead back to; null for others. */
function siblingOf(
  url: URL,
  { advertise }: ResolvedConfig,
  namespace: ObjectNamespace | undefined,
): ReturnType<typeof objectOf> | null {
  const id = nodeOfPath(url.pathname);
  if (namespace === undefined || id === null || advertise === '') return null;
  return url.origin === new URL(advertise).origin ? objectOf(namespace, id) : null;
}

function createObjectLogger({ id, log, logFormat }: ResolvedConfig, platform: Platform): Logger {
  if (typeof log === 'object') return log;
  return createLogger({
    level: log,
    format: logFormat ?? 'json',
    wallMs: () => platform.clock.wallMs(),
    write: (line) => globalThis.console.log(line),
    fields: { node: id },
  });
}

interface Parts {
  readonly resolved: ResolvedConfig;
  readonly platform: Platform;
  readonly logger: Logger;
  readonly engine: Engine;
  readonly service: NodeService;
  readonly transport: Transport;
}

class Hosted implements ObjectNode {
  readonly client: Client;
  readonly service: NodeService;
  uses = 0;
  readonly #basePath: string;
  readonly #origins: OriginPolicy;
  readonly #transport: Transport;
  readonly #stream: StreamServer;
  readonly #app: ReturnType<typeof createApi>;
  #stopping: Promise<void> | null = null;

  constructor({ resolved, platform, logger, engine, service, transport }: Parts) {
    const { secretApi, limits } = resolved;
    const monotonicMs = (): number => platform.clock.monotonicMs();
    this.service = service;
    this.client = createEmbeddedClient(service, { platform });
    this.#basePath = nodePath(resolved.id);
    this.#transport = transport;
    this.#origins = createOriginPolicy({
      origins: resolved.origins,
      url: resolved.advertise,
      authenticated: secretApi !== null,
    });
    this.#stream = createStream(resolved, platform, logger, service);
    const { name, version, hash } = engine.id;
    this.#app = createApi({
      service,
      about: {
        version: VERSION,
        engine: `${name}/${version}/${hash}`,
        runtime: platform.runtime,
      },
      auth:
        secretApi === null
          ? undefined
          : createSecretAuth({
              secret: secretApi,
              monotonicMs,
              failed: () => logger.warn('a request with a bad token was refused'),
            }),
      origins: this.#origins,
      basePath: this.#basePath,
      limits,
      logger,
      monotonicMs,
    });
  }

  async fetch(request: Request): Promise<Response> {
    const upgrade = this.#upgrade(request);
    if (upgrade !== null) return upgrade;
    this.uses++;
    let streaming = false;
    try {
      const response = await this.#app.fetch(request);
      if (response.body === null || isWhole(response)) return response;
      streaming = true;
      return new Response(
        watchEnd(response.body, () => this.uses--),
        response,
      );
    } finally {
      if (!streaming) this.uses--;
    }
  }

  /** The answer to an upgrade; null when it is none. */
  #upgrade(request: Request): Response | null {
    const { headers } = request;
    if (headers.get('upgrade')?.toLowerCase() !== 'websocket') return null;
    const { pathname } = new URL(request.url);
    const path = pathname.startsWith(`${this.#basePath}/`)
      ? pathname.slice(this.#basePath.length)
      : pathname;
    if (path !== RAFT_PATH && path !== STREAM_PATH) return null;
    try {
      this.#origins.admit({
        host: headers.get('host'),
        origin: headers.get('origin'),
        site: headers.get('sec-fetch-site'),
        mode: headers.get('sec-fetch-mode'),
      });
      if (this.#stopping) throw new QuorliteError('SHUTTING_DOWN', 'the node stops');
    } catch (error) {
      return problemResponse(asQuorliteError(error, 'not-applied'));
    }
    const remote = headers.get('cf-connecting-ip') ?? 'a Worker';
    const server = path === RAFT_PATH ? this.#transport : this.#stream;
    this.uses++;
    return acceptSocket(
      (link) => server.accept(link, remote),
      () => this.uses--,
    );
  }

  shutdown(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    await new Promise<void>((resolve) => this.#stream.close(resolve));
    const error = await new Promise<Error | null>((resolve) => this.service.shutdown(resolve));
    if (error) throw error;
  }
}

function createStream(
  { secretApi, limits }: ResolvedConfig,
  platform: Platform,
  logger: Logger,
  service: NodeService,
): StreamServer {
  const salt = new Uint8Array(16);
  platform.entropy.fill(salt);
  const verifier = secretApi === null ? null : createTokenVerifier(secretApi, salt);
  const findVerifier = verifier && ((identity: string) => (identity === '' ? verifier : null));
  return createStreamServer({
    service,
    platform,
    logger,
    findVerifier,
    limits: streamLimits(limits),
  });
}

/** JSON answers are made as a whole; other bodies come as they are read. */
function isWhole({ headers }: Response): boolean {
  return /^application\/(\w+\+)?json/.test(headers.get('content-type') ?? '');
}

/** The same bytes; `ended` is called once, when there are no more or nobody wants them. */
function watchEnd(body: ReadableStream<Uint8Array>, ended: () => void): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let over = false;
  function end(): void {
    if (!over) ended();
    over = true;
  }
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (!done) {
          controller.enqueue(value);
          return;
        }
        end();
        controller.close();
      } catch (error) {
        end();
        controller.error(error);
      }
    },
    async cancel(reason) {
      end();
      await reader.cancel(reason);
    },
  });
}
