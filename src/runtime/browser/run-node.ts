/** A node in this page or worker: engine, storage, transport, client protocol. The caller holds the storage's lock. */
import type { Engine } from '../../../wasm/engine.ts';
import { fetchSqliteEngine, type SqliteUrls } from '../../../wasm/load/browser.ts';
import { streamLimits } from '../../api/stream/limits.ts';
import { createStreamServer } from '../../api/stream/server.ts';
import type { Client } from '../../client/contract.ts';
import { createEmbeddedClient } from '../../client/embedded.ts';
import type { ResolvedConfig } from '../../config/resolve.ts';
import type { NodeService } from '../../node/contract.ts';
import { openNode } from '../../node/service.ts';
import { withStatementLog } from '../../node/statement-log.ts';
import type { Platform } from '../../platform/contract.ts';
import type { Link, LinkEvents } from '../../platform/links.ts';
import { createLogger, type Logger } from '../../telemetry/logger.ts';
import { transportLimits } from '../../transport/limits.ts';
import { createLinkTransport } from '../../transport/link-transport.ts';
import { QuorliteError } from '../../wire/error.ts';
import { createTokenVerifier } from '../../wire/token-proof.ts';
import type { ResolvedBrowserConfig } from './config.ts';
import { acceptGated, gatedDialer } from './gated-links.ts';
import { createBrowserDialer, isTabUrl, tabRaftAddress } from './peers.ts';
import { createBrowserPlatform } from './platform.ts';
import { type OpenedStorage, openBrowserStorage } from './storage.ts';
import { createTabLinks } from './tab-links.ts';

/** A node that runs in this page or worker. */
export interface HostedNode {
  readonly id: number;
  readonly client: Client;
  readonly service: NodeService;
  /** Takes a link of a client (the client protocol). */
  accept(link: Link, remote: string): LinkEvents;
  /** Settles when the node has stopped: with null after `shutdown`, else with the reason. */
  readonly stopped: Promise<QuorliteError | null>;
  shutdown(): Promise<void>;
}

/** Starts a node here. Rejects with `STORAGE_FAILED`, `CORRUPT`, or when the engine cannot be loaded. */
export async function runNode(config: ResolvedBrowserConfig): Promise<HostedNode> {
  const { node: resolved, storage: place } = config;
  const platform = createBrowserPlatform();
  const logger = createBrowserLogger(resolved, platform);
  for (const warning of resolved.warnings) logger.warn(warning);
  const engine = await loadEngine(resolved.engine, config.wasm);
  const storage = await openBrowserStorage(place, resolved.sync, platform);
  try {
    return compose({ resolved, platform, logger, engine, storage });
  } catch (error) {
    await storage.close();
    throw error;
  }
}

interface Parts {
  readonly resolved: ResolvedConfig;
  readonly platform: Platform;
  readonly logger: Logger;
  readonly engine: Engine;
  readonly storage: OpenedStorage;
}

function compose(parts: Parts): HostedNode {
  const { resolved, platform, logger, engine, storage } = parts;
  const tabs = createTabLinks(platform.entropy);
  const transport = createLinkTransport({
    dialer: gatedDialer(createBrowserDialer(tabs), storage),
    platform,
    secret: resolved.secretRaft,
    logger,
    limits: transportLimits(resolved.limits),
  });
  const url = resolved.advertise;
  const core = openNode({
    node: resolved.id,
    url,
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
    storage,
    transport,
  });
  const service = withStatementLog(core, {
    logger,
    logStatements: resolved.logStatements,
    slowQueryMs: resolved.slowQueryMs,
    monotonicMs: () => platform.clock.monotonicMs(),
  });
  const stopListening = isTabUrl(url)
    ? tabs.listen(
        tabRaftAddress(url),
        acceptGated(storage, (link, remote) => transport.accept(link, remote)),
      )
    : () => {};
  return hostedNode({ ...parts, service, tabs, stopListening });
}

function hostedNode(
  parts: Parts & {
    readonly service: NodeService;
    readonly tabs: { close(): void };
    readonly stopListening: () => void;
  },
): HostedNode {
  const { resolved, platform, logger, storage, service, tabs } = parts;
  const { secretApi } = resolved;
  const salt = new Uint8Array(16);
  platform.entropy.fill(salt);
  const verifier = secretApi === null ? null : createTokenVerifier(secretApi, salt);
  const stream = createStreamServer({
    service,
    platform,
    logger,
    findVerifier: verifier && ((identity: string) => (identity === '' ? verifier : null)),
    limits: streamLimits(resolved.limits),
  });
  let settle: (failure: QuorliteError | null) => void = () => {};
  const stopped = new Promise<QuorliteError | null>((resolve) => {
    settle = resolve;
  });
  service.whenFailed?.(settle);
  let stopping: Promise<void> | null = null;
  async function stop(): Promise<void> {
    parts.stopListening();
    await new Promise<void>((resolve) => stream.close(resolve));
    const error = await new Promise<Error | null>((resolve) => service.shutdown(resolve));
    tabs.close();
    await storage.close();
    settle(null);
    if (error) throw error;
  }
  return {
    id: service.id,
    client: createEmbeddedClient(service, { platform }),
    service,
    accept: (link, remote) => stream.accept(link, remote),
    stopped,
    shutdown() {
      stopping ??= stop();
      return stopping;
    },
  };
}

async function loadEngine(
  engine: ResolvedConfig['engine'],
  urls: SqliteUrls | undefined,
): Promise<Engine> {
  if (typeof engine === 'object') return engine;
  if (engine === 'sqlite') return fetchSqliteEngine(urls);
  throw new QuorliteError('NOT_SUPPORTED', `the engine "${engine}" cannot be loaded by its name`, {
    hint: "give the engine itself: import { sqljs } from 'quorlite/sqljs'",
  });
}

function createBrowserLogger({ log }: ResolvedConfig, platform: Platform): Logger {
  if (typeof log === 'object') return log;
  return createLogger({
    level: log,
    format: 'pretty',
    wallMs: () => platform.clock.wallMs(),
    write: (line) => globalThis.console.log(line),
  });
}
