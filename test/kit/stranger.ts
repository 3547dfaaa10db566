/** Somebody who talks to real nodes over the peer protocol: the real transport, saying whatever a test wants. */
import { createWebSocketDialer } from '../../src/runtime/node/links.ts';
import { createNodePlatform } from '../../src/runtime/node/platform.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import type { Hello, Transport } from '../../src/transport/contract.ts';
import { createLinkTransport } from '../../src/transport/link-transport.ts';

/** What becomes of a stranger: its first refusal, or the hello of the node that took it in. */
export type Reception =
  | { readonly refused: string; readonly by: null }
  | { readonly refused: null; readonly by: Hello };

/** A stranger at one node's door. */
export interface Stranger {
  readonly transport: Transport;
  readonly reception: Promise<Reception>;
}

/** A newcomer's hello that any node of a cluster without a secret would take. */
export function newcomer(node: number, engine: string): Hello {
  return {
    cluster: 0,
    replica: 4_500_000_000_000_000 + node,
    node,
    url: '',
    boot: 1,
    recovering: false,
    sync: 'durable',
    index: 0,
    pristine: true,
    engine,
    protocol: [1, 1],
    nodes: [node],
    role: 'learner',
  };
}

/** Dials node `target` at `url` and says `hello`. Close its transport at the end. */
export function approach(
  url: string,
  target: number,
  hello: Hello,
  secret: string | null = null,
): Stranger {
  const transport = createLinkTransport({
    dialer: createWebSocketDialer(),
    platform: createNodePlatform({ keepAlive: false }),
    secret,
    logger: createLogger({ level: 'silent', format: 'json', wallMs: Date.now, write: () => {} }),
  });
  const reception = new Promise<Reception>((resolve) => {
    transport.start({
      hello: () => hello,
      admit: () => null,
      up: (peer) => resolve({ refused: null, by: peer.hello }),
      down: () => {},
      frame: () => {},
      refused: (_url, reason) => resolve({ refused: reason, by: null }),
    });
    transport.setPeers([{ node: target, url }]);
  });
  return { transport, reception };
}
