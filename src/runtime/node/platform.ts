/** What Node gives a node of the cluster: time, timers, entropy. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Clock, Platform, TimerHandle, Timers } from '../../platform/contract.ts';
import { createSystemEntropy } from '../entropy.ts';

/** How the platform behaves toward its process. */
export interface NodePlatformOptions {
  /** False lets the process end while timers are pending. Default true: a node runs until it is shut down. */
  readonly keepAlive?: boolean | undefined;
}

/** The platform of this process. */
export function createNodePlatform(options: NodePlatformOptions = {}): Platform {
  return {
    runtime: runtimeName(),
    clock: createNodeClock(),
    timers: createNodeTimers(options.keepAlive ?? true),
    entropy: createSystemEntropy(),
    osBootId: readOsBootId(),
  };
}

/** Deno and Bun say which Node they stand in for, too. */
function runtimeName(): string {
  const { deno, bun, node } = process.versions;
  if (deno !== undefined) return `deno ${deno}`;
  return bun === undefined ? `node ${node}` : `bun ${bun}`;
}

function createNodeClock(): Clock {
  return { monotonicMs: () => performance.now(), wallMs: () => Date.now() };
}

function createNodeTimers(keepAlive: boolean): Timers {
  return {
    after(ms, callback) {
      const timer = setTimeout(callback, ms);
      if (!keepAlive) timer.unref();
      return timer;
    },
    cancel(timer: TimerHandle) {
      clearTimeout(timer as NodeJS.Timeout);
    },
    soon(callback) {
      setImmediate(callback);
    },
  };
}

/**
 * Names this boot of the operating system: an id that the kernel draws. '' where there is none; a time since boot would
 * not do, since a clock that starts over gives two boots the same one, and a relaxed sync mode would trust lost data.
 */
function readOsBootId(): string {
  try {
    if (process.platform === 'linux') {
      return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    }
    if (process.platform === 'darwin') {
      const call = ['-n', 'kern.bootsessionuuid'];
      return execFileSync('/usr/sbin/sysctl', call, { encoding: 'utf8' }).trim();
    }
  } catch {
    // No id then.
  }
  return '';
}
