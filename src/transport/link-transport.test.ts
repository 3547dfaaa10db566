import { expect, test } from 'vitest';
import {
  type TransportHost,
  type TransportMedium,
  testTransport,
} from '../../test/conformance/transport.ts';
import type { Dialer, Link, LinkEvents } from '../platform/links.ts';
import type { VirtualProcess } from '../runtime/virtual/contract.ts';
import { createVirtualWorld } from '../runtime/virtual/world.ts';
import { silentLogger } from '../telemetry/logger.ts';
import type { Hello, Transport } from './contract.ts';
import { createLinkTransport } from './link-transport.ts';

type Accept = (link: Link, remote: string) => LinkEvents;

testTransport('the virtual network', async () => virtualMedium(1));
testTransport('a narrow virtual network', async () => virtualMedium(2, 1_000));

async function virtualMedium(seed: number, bytesPerMs = 1e9): Promise<TransportMedium> {
  const world = createVirtualWorld(seed, { path: { bytesPerMs, socketBytes: 16 * 1024 } });
  return {
    async host(name) {
      return virtualHost(world.createProcess(name), () => {
        for (const { name: other } of world.processes) world.network.reset(name, other);
      });
    },
    async until(condition, what) {
      if (!world.runUntil(condition, 60_000)) throw new Error(`waited in vain for ${what}`);
    },
    async settle() {
      world.run(300);
    },
    async dispose() {
      world.run(100);
    },
  };
}

function virtualHost(process: VirtualProcess, reset: () => void): TransportHost {
  const url = `http://${process.name}`;
  let accept: Accept | null = null;
  let stop = (): void => {};
  const { platform, dialer } = process;
  return {
    url,
    dialer,
    createTransport: (secret, limits) =>
      createLinkTransport({ dialer, platform, secret, limits, logger: silentLogger }),
    listen(take) {
      accept = take;
      stop = process.listen(url, take);
    },
    breakOff() {
      stop();
      reset();
    },
    comeBack() {
      if (accept !== null) stop = process.listen(url, accept);
    },
  };
}

/** A dialer whose links can go dead: what is sent and said on them vanishes, on both sides. */
function mutableDialer(inner: Dialer): { dialer: Dialer; mute(): void } {
  const muted: { dead: boolean }[] = [];
  const dialer: Dialer = {
    dial(url, events) {
      const state = { dead: false };
      muted.push(state);
      const link = inner.dial(url, {
        opened: () => events.opened(),
        message: (bytes) => state.dead || events.message(bytes),
        closed: (reason) => state.dead || events.closed(reason),
      });
      return {
        get bufferedBytes() {
          return link.bufferedBytes;
        },
        send: (bytes) => state.dead || link.send(bytes),
        close: (reason) => state.dead || link.close(reason),
      };
    },
  };
  return {
    dialer,
    mute() {
      for (const state of muted) state.dead = true;
    },
  };
}

/** Node `number` as a process; its links can be muted, and its boot stays 1 whatever happens. */
function startNode(
  world: ReturnType<typeof createVirtualWorld>,
  number: number,
): { transport: Transport; log: string[]; mute(): void; forget(): Transport } {
  const process = world.createProcess(`node-${number}`);
  const { dialer, mute } = mutableDialer(process.dialer);
  const log: string[] = [];
  const self: Hello = {
    cluster: 1,
    replica: 100 + number,
    node: number,
    url: '',
    boot: 1,
    recovering: false,
    sync: 'durable',
    index: 0,
    pristine: false,
    engine: '',
    protocol: [1, 1],
    nodes: [1, 2],
    role: 'voter',
  };
  function create(): Transport {
    const transport = createLinkTransport({
      dialer,
      platform: process.platform,
      secret: null,
      logger: silentLogger,
    });
    transport.start({
      hello: () => self,
      admit: () => null,
      up: () => log.push(`up at ${Math.floor(world.nowMs / 100)}`),
      down: (_peer, reason) => log.push(`down at ${Math.floor(world.nowMs / 100)}: ${reason}`),
      frame: () => {},
      refused: (_url, reason) => log.push(reason),
    });
    process.listen(`http://node-${number}`, (link, remote) => transport.accept(link, remote));
    return transport;
  }
  return { transport: create(), log, mute, forget: create };
}

const ONE = [{ node: 1, url: 'http://node-1' }];
const TWO = [{ node: 2, url: 'http://node-2' }];

test('a peer that dials again has lost the connection that it dialled before', () => {
  const world = createVirtualWorld(1);
  const one = startNode(world, 1);
  const two = startNode(world, 2);
  two.transport.setPeers(ONE);
  world.run(1_000);
  // Node 2 forgets its connection without a word, and node 1 has no reason to doubt it yet.
  two.mute();
  two.forget().setPeers(ONE);
  world.run(100);
  expect(one.log).toEqual(['up at 0', 'down at 10: replaced by a newer connection', 'up at 10']);
});

test('a peer that dials while this node believes in its own dial is let in when that is suspect', () => {
  const world = createVirtualWorld(1);
  const one = startNode(world, 1);
  const two = startNode(world, 2);
  one.transport.setPeers(TWO);
  world.run(1_000);
  one.mute();
  const again = two.forget();
  again.setPeers(ONE);
  world.run(300);
  // Not yet: the connection may be alive.
  expect(one.log).toEqual(['up at 0']);
  world.run(1_200);
  expect(one.log.length).toBe(3);
  expect(one.log[1]).toContain('replaced by a newer connection');
  expect(again.peers().length).toBe(1);
});
