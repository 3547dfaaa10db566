/** What a browser gives a node of the cluster: time, timers, entropy; in pages and in workers alike. */
import type { Platform, Timers } from '../../platform/contract.ts';
import { createSystemEntropy } from '../entropy.ts';

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
    entropy: createSystemEntropy(),
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

/** Such as `chrome 147`; `browser` where the browser does not say. */
function browserName(): string {
  const agent = globalThis.navigator?.userAgent ?? '';
  const match = /(Firefox|Edg|Chrome|Version)\/(\d+)/.exec(agent);
  if (match === null) return 'browser';
  const name = match[1] === 'Version' ? 'safari' : match[1]!.toLowerCase();
  return `${name} ${match[2]}`;
}
