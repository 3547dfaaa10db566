/** A node in this very page or worker. */
import { QuorliteError } from '../../wire/error.ts';
import { type BrowserNodeConfig, resolveBrowserConfig } from './config.ts';
import type { NodeHost } from './host.ts';
import { type Seat, type SeatEvents, takeSeat } from './seat.ts';

/** Runs the node here. Throws `CONFIG_INVALID`. */
export function hostHere(config: BrowserNodeConfig, events: SeatEvents): NodeHost {
  const seat: Seat = takeSeat(resolveBrowserConfig(config), events);
  return {
    serve: (port) => seat.serve(port),
    async databaseHash() {
      if (seat.node === null) throw notHere();
      return seat.node.service.databaseHash();
    },
    shutdown: () => void seat.shutdown(),
    close: () => {},
  };
}

function notHere(): QuorliteError {
  return new QuorliteError('NOT_READY', 'the node does not run in this tab');
}
