import { testTransport } from '../../test/conformance/transport.ts';
import type { Link, LinkEvents } from '../platform/links.ts';
import { createVirtualWorld } from '../runtime/virtual/world.ts';
import { silentLogger } from '../telemetry/logger.ts';
import { createLinkHub } from './in-process.ts';
import { createLinkTransport } from './link-transport.ts';

testTransport('links in one process', async () => {
  const world = createVirtualWorld(1);
  const { platform } = world.createProcess('everybody');
  const hub = createLinkHub(platform.timers);
  return {
    async host(name) {
      const url = `http://${name}`;
      const dialer = hub.dialer(name);
      const accepted = new Set<{ link: Link; events: LinkEvents }>();
      let take: ((link: Link, remote: string) => LinkEvents) | null = null;
      let stop = (): void => {};
      function listen(): void {
        stop = hub.listen(url, (link, remote) => {
          const events = take!(link, remote);
          accepted.add({ link, events });
          return events;
        });
      }
      return {
        url,
        dialer,
        createTransport: (secret, limits) =>
          createLinkTransport({ dialer, platform, secret, limits, logger: silentLogger }),
        listen(accept) {
          take = accept;
          listen();
        },
        breakOff() {
          stop();
          for (const { link, events } of accepted) {
            link.close('broken');
            events.closed('broken');
          }
          accepted.clear();
        },
        comeBack: listen,
      };
    },
    async until(condition, what) {
      if (!world.runUntil(condition, 60_000)) throw new Error(`waited in vain for ${what}`);
    },
    async settle() {
      world.run(300);
    },
    async dispose() {},
  };
});
