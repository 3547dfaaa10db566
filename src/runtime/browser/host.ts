/** Where a page's node runs; here, in a worker of its own. */

import { configError } from '../../config/problem.ts';
import { QuorliteError } from '../../wire/error.ts';
import { type BrowserNodeConfig, resolveBrowserConfig } from './config.ts';
import type { SeatEvents } from './seat.ts';
import {
  type DatabaseHash,
  type ErrorText,
  errorFrom,
  type FromWorker,
  type ToWorker,
} from './worker-messages.ts';

/** What runs a node, here or in a worker. */
export interface NodeHost {
  /** Serves a client over `port`. */
  serve(port: MessagePort): void;
  databaseHash(): Promise<DatabaseHash>;
  /** Stops the node; `stopped` is told. */
  shutdown(): void;
  /** After `stopped`. */
  close(): void;
}

/** Whether this is a page. */
export function isPage(): boolean {
  return 'document' in globalThis;
}

/** Runs the node in a worker. Throws `CONFIG_INVALID` for what cannot be sent to one. */
export function hostInWorker(config: BrowserNodeConfig, events: SeatEvents): NodeHost {
  resolveBrowserConfig(config);
  const plain = sendable(config);
  const hashes = new Map<number, (answer: DatabaseHash | ErrorText) => void>();
  let calls = 0;
  const worker = startWorker(config.worker);
  const post = (message: ToWorker, transfer: Transferable[] = []): void =>
    worker.postMessage(message, transfer);
  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    if (data.type === 'hash') hashes.get(data.call)?.(data.answer);
    else if (data.type === 'stopped') events.stopped(data.error && errorFrom(data.error));
    else events[data.type]();
  };
  worker.onerror = (event: { readonly message?: unknown }) => {
    const message = String(event.message ?? 'its script cannot be loaded');
    events.stopped(new QuorliteError('STORAGE_FAILED', `the node's worker failed: ${message}`));
  };
  post({ type: 'start', config: plain });
  return {
    serve: (port) => post({ type: 'serve', port }, [port]),
    databaseHash: () =>
      new Promise((resolve, reject) => {
        const call = ++calls;
        hashes.set(call, (answer) => {
          hashes.delete(call);
          if ('code' in answer) reject(errorFrom(answer));
          else resolve(answer);
        });
        post({ type: 'hash', call });
      }),
    shutdown: () => post({ type: 'shutdown' }),
    close: () => worker.terminate(),
  };
}

/** Bundlers follow a worker's script only when it is written in this way. */
function startWorker(script: string | URL | undefined): Worker {
  return script === undefined
    ? new Worker(new URL('./worker.js', import.meta.url), { type: 'module', name: 'quorlite' })
    : new Worker(script, { type: 'module', name: 'quorlite' });
}

/** The configuration as plain data. */
function sendable(config: BrowserNodeConfig): BrowserNodeConfig {
  for (const key of ['engine', 'log'] as const) {
    if (typeof config[key] !== 'object') continue;
    throw configError(key, 'is an object, which cannot be sent to a worker', {
      hint: 'start the node inside a worker of your own, or in this page with inWorker: false',
    });
  }
  const { wasm, worker: _, inWorker: __, ...rest } = config;
  if (wasm === undefined) return rest;
  if (typeof wasm === 'string') {
    return { ...rest, wasm: new URL(wasm, globalThis.location?.href).href };
  }
  return {
    ...rest,
    wasm: { sqlite: String(wasm.sqlite), trampolines: String(wasm.trampolines) },
  };
}
