/** What a browser gives a node of the cluster: time, timers, entropy; in pages and in workers alike. */
import type { Entropy, Platform, Timers } from '../../platform/contract.ts';

/** Most bytes that `getRandomValues` gives in one call. */
const RANDOM_BYTES_MAX = 65_536;
/** Small requests are served from a pool. Bytes are used once and then wiped. */
const POOL_BYTES = 8192;

/**
 * The platform of this page or worker.
 *
 * @param runtime what nodes' logs call it.
 */
export function createBrowserPlatform(runtime: string = browserName()): Platform {
  return {
    runtime,
    clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
    timers: createBrowserTimers(),
    entropy: createBrowserEntropy(),
    osBootId: '',
  };
}

/** Timers whose `soon` is a task of its own, which pages in the background have as early as others. */
export function createBrowserTimers(): Timers {
  const channel = new MessageChannel();
  const queue: (() => void)[] = [];
  channel.port1.onmessage = () => queue.shift()?.();
  return {
    after: (ms, callback) => setTimeout(callback, ms) as unknown as number,
    cancel: (timer) => clearTimeout(timer as number),
    soon(callback) {
      queue.push(callback);
      channel.port2.postMessage(null);
    },
  };
}

function createBrowserEntropy(): Entropy {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;
  function fillFromSystem(out: Uint8Array): void {
    for (let at = 0; at < out.length; at += RANDOM_BYTES_MAX) {
      // The cast: a Uint8Array over shared memory is refused by the types, and by the call.
      crypto.getRandomValues(out.subarray(at, at + RANDOM_BYTES_MAX) as Uint8Array<ArrayBuffer>);
    }
  }
  return {
    fill(out) {
      if (out.length > POOL_BYTES / 16) {
        fillFromSystem(out);
        return;
      }
      if (used + out.length > POOL_BYTES) {
        fillFromSystem(pool);
        used = 0;
      }
      const bytes = pool.subarray(used, used + out.length);
      out.set(bytes);
      bytes.fill(0);
      used += out.length;
    },
  };
}

/** Such as `chrome 147`; `browser` where the browser does not say. */
function browserName(): string {
  const agent = globalThis.navigator?.userAgent ?? '';
  const match = /(Firefox|Edg|Chrome|Version)\/(\d+)/.exec(agent);
  if (match === null) return 'browser';
  const name = match[1] === 'Version' ? 'safari' : match[1]!.toLowerCase();
  return `${name} ${match[2]}`;
}
