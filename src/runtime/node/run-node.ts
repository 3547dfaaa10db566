/** Runs a node on any runtime that is a server: configuration, folder, engine, transport, port, API, client. */
import type { Engine } from '../../../wasm/engine.ts';
import { createOriginPolicy } from '../../api/origins.ts';
import type { StreamServer } from '../../api/stream/server.ts';
import { createEmbeddedClient } from '../../client/embedded.ts';
import { basePathOf } from '../../config/address.ts';
import type { NodeConfig } from '../../config/node-config.ts';
import type { ResolvedConfig } from '../../config/resolve.ts';
import type { NodeService } from '../../node/contract.ts';
import { openNode } from '../../node/service.ts';
import { withStatementLog } from '../../node/statement-log.ts';
import type { Platform } from '../../platform/contract.ts';
import type { Link } from '../../platform/links.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { transportLimits } from '../../transport/limits.ts';
import { createLinkTransport } from '../../transport/link-transport.ts';
import { QuorliteError } from '../../wire/error.ts';
import { resolveNodeConfig } from './config.ts';
import type { Mount, ServerDriver } from './driver.ts';
import { loadEngine } from './engine.ts';
import { Entrance } from './entrance.ts';
import { createNodeApi, createNodeLogger, createNodeStream } from './faces.ts';
import type { NodeServer } from './listening.ts';
import type { RunningNode } from './running-node.ts';
import { type OpenStorage, openStorage } from './storage.ts';
import type { UpgradeOptions } from './upgrade-rules.ts';

/** `startNode` on a runtime that is a server. */
export async function runNode(config: NodeConfig, driver: ServerDriver): Promise<RunningNode> {
  const resolved = resolveNodeConfig(config);
  const { platform } = driver;
  const logger = createNodeLogger(resolved, platform);
  for (const warning of resolved.warnings) logger.warn(warning);
  const engine = await loadEngine(resolved.engine);
  const storage = openStorage(resolved, platform);
  const servers: NodeServer[] = [];
  try {
    return await compose({ driver, resolved, platform, logger, engine, storage, servers });
  } catch (error) {
    await Promise.all(servers.map((server) => server.close()));
    storage.close();
    throw error;
  }
}

interface Parts {
  readonly driver: ServerDriver;
  readonly resolved: ResolvedConfig;
  readonly platform: Platform;
  readonly logger: Logger;
  readonly engine: Engine;
  readonly storage: OpenStorage;
  readonly servers: NodeServer[];
}

async function compose(parts: Parts): Promise<RunningNode> {
  const { driver, resolved, platform, logger, engine, storage, servers } = parts;
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
    driver,
    resolved,
    entrance,
    { ...upgrade, basePaths: [...new Set(['', basePath])] },
    servers,
  );
  // Port 0 is known only now.
  const bound = servers[0]?.url ?? '';
  const url = resolved.listen?.port === 0 ? bound : resolved.advertise || bound;
  const transport = createLinkTransport({
    dialer: driver.createDialer({ maxPayload: resolved.limits.maxFrameBytes }),
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
  const mount = driver.mount({
    ...upgrade,
    onRaft: resolved.listenRaft ? undefined : upgrade.onRaft,
    // Other paths of an existing server are not ours, whatever they end with.
    basePaths: [basePath],
  });
  return runningNode({ url, service, platform, app, mount, stream, servers, storage });
}

async function bindAll(
  driver: ServerDriver,
  resolved: ResolvedConfig,
  entrance: Entrance,
  upgrade: UpgradeOptions,
  servers: NodeServer[],
): Promise<void> {
  const { listen, listenRaft, limits } = resolved;
  const secrets = { raft: resolved.secretRaft !== null, api: resolved.secretApi !== null };
  const app = { fetch: (request: Request, env: unknown) => entrance.fetch(request, env) };
  if (listen) {
    const onRaft = listenRaft ? undefined : upgrade.onRaft;
    const options = { ...listen, ...upgrade, onRaft, app, secrets, limits };
    servers.push(await driver.listen(options));
  }
  if (listenRaft) {
    const options = { ...listenRaft, ...upgrade, onStream: undefined, secrets, limits };
    servers.push(await driver.listen(options));
  }
}

function runningNode(parts: {
  url: string;
  service: NodeService;
  platform: Platform;
  app: { fetch(request: Request): Response | Promise<Response> };
  mount: Mount;
  stream: StreamServer;
  servers: readonly NodeServer[];
  storage: OpenStorage;
}): RunningNode {
  const { url, service, platform, app, mount, stream, servers, storage } = parts;
  const client = createEmbeddedClient(service, { platform });
  let stopping: Promise<void> | null = null;
  let settle: (failure: QuorliteError | null) => void = () => {};
  const stopped = new Promise<QuorliteError | null>((resolve) => {
    settle = resolve;
  });
  service.whenFailed?.(settle);
  async function stop(): Promise<void> {
    mount.close();
    await new Promise<void>((resolve) => stream.close(resolve));
    const closing = Promise.all(servers.map((server) => server.close()));
    const error = await new Promise<Error | null>((resolve) => service.shutdown(resolve));
    mount.terminate();
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
    fetch: (request, server) => mount.upgrade?.(request, server) ?? app.fetch(request),
    websocket: mount.websocket,
    handleUpgrade(request, socket, head) {
      if (mount.handle !== undefined) return mount.handle(request, socket, head);
      throw new QuorliteError('NOT_SUPPORTED', 'upgrades of node:http are taken on Node alone', {
        hint: 'hand requests with their upgrades to node.fetch',
      });
    },
    stopped,
    shutdown,
    [Symbol.asyncDispose]: shutdown,
  };
}
