import {
  type TransportHost,
  type TransportMedium,
  testTransport,
} from '../../test/conformance/transport.ts';
import type { Link, LinkEvents } from '../platform/links.ts';
import type { VirtualProcess } from '../runtime/virtual/contract.ts';
import { createVirtualWorld } from '../runtime/virtual/world.ts';
import { silentLogger } from '../telemetry/logger.ts';
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
