/** What a remote client needs of its runtime, and how the web gives it. */
import type { Entropy, Timers } from '../../platform/contract.ts';
import type { Link, LinkEvents } from '../../platform/links.ts';
import { QuorliteError } from '../../wire/error.ts';
import { dialWebSocket, type WebSocketConstructor } from './websocket.ts';

/** Time, chance and connections of a remote client; tests bring their own. */
export interface ClientRuntime {
  /** Milliseconds that never go back. */
  monotonicMs(): number;
  readonly timers: Timers;
  readonly entropy: Entropy;
  /** Opens a link to a WebSocket URL; failures come as `closed`. */
  dial(url: string, events: LinkEvents): Link;
}

/** A number from 0 (inclusive) to 1 (exclusive). */
export function randomFraction(entropy: Entropy): number {
  const bytes = new Uint8Array(4);
  entropy.fill(bytes);
  return new DataView(bytes.buffer).getUint32(0, true) / 4_294_967_296;
}

/** 53 random bits, never 0. */
export function randomId(entropy: Entropy): number {
  return Math.floor(randomFraction(entropy) * 2 ** 21) * 2 ** 32 + randomUint32(entropy) || 1;
}

function randomUint32(entropy: Entropy): number {
  return randomFraction(entropy) * 2 ** 32;
}

/** The runtime of browsers, Deno, Bun, workers and Node; `webSocket` where there is none of its own. */
export function webRuntime(webSocket: WebSocketConstructor | undefined): ClientRuntime {
  const socketConstructor = webSocket ?? globalThis.WebSocket;
  if (typeof socketConstructor !== 'function') {
    throw new QuorliteError('NOT_SUPPORTED', 'this runtime has no WebSocket', {
      hint: "pass one: connect(url, { webSocket }), such as that of the package 'ws'",
    });
  }
  return {
    monotonicMs: () => performance.now(),
    timers: {
      after: (ms, callback) => setTimeout(callback, ms),
      cancel: (timer) => clearTimeout(timer as number),
      soon: createSoon(),
    },
    entropy: {
      fill(out) {
        crypto.getRandomValues(out as Uint8Array<ArrayBuffer>);
      },
    },
    dial: (url, events) => dialWebSocket(socketConstructor, url, events),
  };
}

/** A task of its own, as early as the runtime can: behind the input that is there already, before any timer. */
function createSoon(): (callback: () => void) => void {
  const { setImmediate } = globalThis as { setImmediate?: (callback: () => void) => unknown };
  if (typeof setImmediate === 'function') return (callback) => setImmediate(callback);
  if (typeof MessageChannel !== 'function') return (callback) => setTimeout(callback, 0);
  const channel = new MessageChannel();
  const queue: (() => void)[] = [];
  channel.port1.onmessage = () => queue.shift()?.();
  return (callback) => {
    queue.push(callback);
    channel.port2.postMessage(null);
  };
}
