/** Clients of virtual clusters: the real protocol, client and server, in virtual time. */

import type { StreamLimits } from '../../src/api/stream/limits.ts';
import { createStreamServer, type StreamServer } from '../../src/api/stream/server.ts';
import type { Client } from '../../src/client/contract.ts';
import { createEmbeddedClient } from '../../src/client/embedded.ts';
import { type ConnectOptions, connect } from '../../src/client/remote/connect.ts';
import type { ClientRuntime } from '../../src/client/remote/runtime.ts';
import type { VirtualProcess, VirtualWorld } from '../../src/runtime/virtual/contract.ts';
import { silentLogger } from '../../src/telemetry/logger.ts';
import { createTokenVerifier, type TokenVerifier } from '../../src/wire/token-proof.ts';
import { urlOf, VirtualCluster, type VirtualClusterOptions } from './virtual-cluster.ts';

/** How a cluster with stream servers is made. */
export interface ServedClusterOptions extends VirtualClusterOptions {
  readonly token?: string;
  readonly streamLimits?: Partial<StreamLimits>;
}

/** A cluster whose nodes serve clients. */
export class ServedCluster extends VirtualCluster {
  /** The stream server of each node's newest life. */
  readonly servers: Map<number, StreamServer>;

  constructor(seed: number | string, options: ServedClusterOptions = {}) {
    const servers = new Map<number, StreamServer>();
    const verifier = verifierOf(options.token);
    super(seed, {
      ...options,
      opened(id, service, runtime) {
        const server = createStreamServer({
          service,
          platform: runtime.platform,
          logger: silentLogger,
          findVerifier: verifier && ((identity) => (identity === '' ? verifier : null)),
          limits: options.streamLimits,
        });
        servers.set(id, server);
        const url = `${urlOf(id).replace(/^http/, 'ws')}/v1/stream`;
        runtime.listen(url, (link, remote) => server.accept(link, remote));
      },
    });
    this.servers = servers;
  }

  /** A client in a process of its own. */
  connect(ids: readonly number[], options: ConnectOptions = {}): Client {
    const name = `client${this.world.processes.length}`;
    const runtime = clientRuntime(this.world.createProcess(name));
    return connect(ids.map(urlOf), { runtime, ...options });
  }

  /** A client inside a node. */
  embedded(id: number): Client {
    const { service, process } = this.opened(id);
    return createEmbeddedClient(service, { platform: process.platform });
  }
}

function verifierOf(token: string | undefined): TokenVerifier | null {
  return token === undefined ? null : createTokenVerifier(token, new Uint8Array(16).fill(7));
}

/** What a remote client needs, out of a virtual process. */
export function clientRuntime(process: VirtualProcess): ClientRuntime {
  const { platform } = process;
  return {
    monotonicMs: () => platform.clock.monotonicMs(),
    timers: platform.timers,
    entropy: platform.entropy,
    dial: (url, events) => process.dialer.dial(url, events),
  };
}

/** Lets promises that can go on do so: a chain of any length, but only one. */
function settlePromises(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Lets virtual time pass until the promise is settled; promises get their turn after every millisecond. */
export async function drive<T>(
  world: VirtualWorld,
  promise: Promise<T>,
  maxMs = 60_000,
): Promise<T> {
  let settled = false;
  const watched = promise.finally(() => {
    settled = true;
  });
  watched.catch(() => {});
  const end = world.nowMs + maxMs;
  while (!settled) {
    await settlePromises();
    if (settled) break;
    if (world.nowMs >= end) throw new Error(`seed ${world.seed}: no end within ${maxMs} ms`);
    world.run(1);
  }
  return watched;
}

/** Keeps virtual time passing until stopped, for tests that only await. */
export function keepDriving(world: VirtualWorld): () => Promise<void> {
  let running = true;
  async function loop(): Promise<void> {
    while (running) {
      await settlePromises();
      world.run(1);
    }
  }
  const ended = loop();
  return () => {
    running = false;
    return ended;
  };
}
