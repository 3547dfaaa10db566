/** The script of the worker that runs a page's node. */
import { asQuorliteError, QuorliteError } from '../../wire/error.ts';
import { type BrowserNodeConfig, resolveBrowserConfig } from './config.ts';
import { type Seat, takeSeat } from './seat.ts';
import { errorText, type FromWorker, type ToWorker } from './worker-messages.ts';

const worker = globalThis as unknown as {
  postMessage(message: FromWorker): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
};

let seat: Seat | null = null;

function start(config: BrowserNodeConfig): void {
  const resolved = resolveBrowserConfig(config);
  seat = takeSeat(resolved, {
    waiting: () => worker.postMessage({ type: 'waiting' }),
    running: () => worker.postMessage({ type: 'running', id: resolved.node.id }),
    stopped: (error) =>
      worker.postMessage({ type: 'stopped', error: error === null ? null : errorText(error) }),
  });
}

function hash(call: number): void {
  try {
    if (!seat?.node) throw new QuorliteError('NOT_READY', 'the node does not run in this tab');
    worker.postMessage({ type: 'hash', call, answer: seat.node.service.databaseHash() });
  } catch (error) {
    worker.postMessage({ type: 'hash', call, answer: errorText(asQuorliteError(error)) });
  }
}

worker.onmessage = ({ data }) => {
  switch (data.type) {
    case 'start':
      try {
        start(data.config);
      } catch (error) {
        worker.postMessage({ type: 'stopped', error: errorText(asQuorliteError(error)) });
      }
      return;
    case 'serve':
      seat?.serve(data.port);
      return;
    case 'hash':
      hash(data.call);
      return;
    case 'shutdown':
      void seat?.shutdown();
  }
};
