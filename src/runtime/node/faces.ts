/** What a node shows to the outside: its log, its HTTP API, its stream server. */
import type { Engine } from '../../../wasm/engine.ts';
import { createApi } from '../../api/app.ts';
import { createSecretAuth } from '../../api/auth.ts';
import type { createOriginPolicy } from '../../api/origins.ts';
import { streamLimits } from '../../api/stream/limits.ts';
import { createStreamServer, type StreamServer } from '../../api/stream/server.ts';
import type { ResolvedConfig } from '../../config/resolve.ts';
import type { NodeService } from '../../node/contract.ts';
import type { Platform } from '../../platform/contract.ts';
import { createLogger, type Logger } from '../../telemetry/logger.ts';
import { createTokenVerifier } from '../../wire/token-proof.ts';
import { VERSION } from '../version.ts';

/** The configured logger, or one that writes to standard error. */
export function createNodeLogger(resolved: ResolvedConfig, platform: Platform): Logger {
  const { log, logFormat } = resolved;
  if (typeof log === 'object') return log;
  return createLogger({
    level: log,
    format: logFormat ?? (process.stderr.isTTY ? 'pretty' : 'json'),
    wallMs: () => platform.clock.wallMs(),
    write: (line) => process.stderr.write(`${line}\n`),
  });
}

/** The HTTP API of a node. */
export function createNodeApi(options: {
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

/** The server of its clients. */
export function createNodeStream(
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
