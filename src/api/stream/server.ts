/** The server end of the client protocol: accepts links, keeps their connections, tells them who leads. */
import type { NodeService } from '../../node/contract.ts';
import type { Platform, TimerHandle } from '../../platform/contract.ts';
import type { Link, LinkEvents } from '../../platform/links.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { ByteWriter } from '../../wire/bytes.ts';
import { QuorliteError } from '../../wire/error.ts';
import { writeLeader } from '../../wire/stream-handshake.ts';
import { equalBytes } from '../../wire/token-proof.ts';
import { type ConnectionContext, StreamConnection } from './connection.ts';
import type { FindVerifier } from './handshake.ts';
import { DEFAULT_STREAM_LIMITS, type StreamLimits } from './limits.ts';

/** What a stream server is made of. */
export interface StreamServerOptions {
  readonly service: NodeService;
  readonly platform: Platform;
  readonly logger: Logger;
  /** Finds the verifiers of tokens (`createTokenVerifier`); null: this node asks for no token. */
  readonly findVerifier: FindVerifier | null;
  readonly limits?: Partial<StreamLimits> | undefined;
}

/** Numbers for metrics. */
export interface StreamServerStats {
  readonly connections: number;
  readonly running: number;
  readonly accepted: number;
}

/** Serves clients over links. */
export interface StreamServer {
  /** Takes a link that was accepted at `STREAM_PATH`; returns where its events go. `remote` is for the log. */
  accept(link: Link, remote: string): LinkEvents;
  stats(): StreamServerStats;
  /** Sends clients elsewhere, answers what runs within `limits.drainMs`, closes; then calls `done`. */
  close(done: () => void): void;
}

/**
 * Creates the server end of `GET /v1/stream`.
 *
 * @example
 * const server = createStreamServer({ service, platform, logger, findVerifier: () => verifier });
 * const events = server.accept(link, '127.0.0.1:53312');
 */
export function createStreamServer(options: StreamServerOptions): StreamServer {
  const { service, platform, logger } = options;
  const limits: StreamLimits = { ...DEFAULT_STREAM_LIMITS, ...options.limits };
  const connections = new Set<StreamConnection>();
  const decoySecret = new Uint8Array(32);
  platform.entropy.fill(decoySecret);
  let unauthenticated = 0;
  let accepted = 0;
  let leader: Uint8Array = new Uint8Array(0);
  let poll: TimerHandle | null = null;
  let stopping = false;
  let stopped: (() => void) | null = null;

  const context: ConnectionContext = {
    service,
    platform,
    entropy: platform.entropy,
    limits,
    logger,
    findVerifier: options.findVerifier,
    decoySecret,
    leaderBody: () => encodeLeader(service),
    authenticated() {
      unauthenticated--;
      poll ??= platform.timers.after(limits.leaderPollMs, lookWhoLeads);
    },
    closed(connection) {
      if (!connections.delete(connection)) return;
      if (!connection.isAuthenticated) unauthenticated--;
      if (connections.size === 0) idle();
    },
  };

  /** The node's view changes seldom; looking is cheaper than being told of every change. */
  function lookWhoLeads(): void {
    poll = platform.timers.after(limits.leaderPollMs, lookWhoLeads);
    const now = encodeLeader(service);
    if (equalBytes(now, leader)) return;
    leader = now;
    for (const connection of connections) connection.sendLeader(now);
  }

  function idle(): void {
    if (poll !== null) platform.timers.cancel(poll);
    poll = null;
    stopped?.();
    stopped = null;
  }

  return {
    accept(link, remote) {
      const connection = new StreamConnection(context, link, remote);
      connections.add(connection);
      unauthenticated++;
      accepted++;
      if (stopping) {
        connection.refuse(new QuorliteError('SHUTTING_DOWN', 'the node stops'));
      } else if (
        connections.size > limits.connections ||
        unauthenticated > limits.unauthenticatedConnections
      ) {
        connection.refuse(new QuorliteError('OVERLOADED', 'too many clients are connected'));
      }
      return connection;
    },
    stats() {
      let running = 0;
      for (const connection of connections) running += connection.running;
      return { connections: connections.size, running, accepted };
    },
    close(done) {
      const deadline = platform.timers.after(limits.drainMs, () => {
        for (const connection of [...connections]) connection.abandon();
      });
      stopping = true;
      stopped = () => {
        platform.timers.cancel(deadline);
        done();
      };
      if (connections.size === 0) idle();
      for (const connection of [...connections]) connection.drain();
    },
  };
}

function encodeLeader(service: NodeService): Uint8Array {
  const status = service.status();
  const out = new ByteWriter(256);
  writeLeader(out, {
    history: status.clusterId,
    node: status.node,
    leader: status.leader ?? 0,
    members: status.members.filter(({ url }) => url !== '').map(({ id, url }) => ({ id, url })),
  });
  return out.take();
}
