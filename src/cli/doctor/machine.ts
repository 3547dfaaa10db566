/** Checks of the machine: runtime, memory, clock, SQL engine. */
import { totalmem } from 'node:os';
import type { Engine } from '../../../wasm/engine.ts';
import { formatBytes } from '../../config/units.ts';
import { type Finding, finding, reasonOf } from './check.ts';

/** Oldest runtime that works, and the oldest that its makers still support. */
const NODE_MIN = [20, 19];
const NODE_SUPPORTED = 22;

/** Memory that a node needs besides the database: two instances of the engine under their limits. */
const MEMORY_MIN = 768 * 1024 * 1024;

/** 2024-01-01, milliseconds since 1970: a clock before it was never set. */
const CLOCK_MIN = 1_704_067_200_000;

/** The runtime's version. */
export function checkRuntime(version: string = process.versions.node): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const detail = `Node.js ${version}, ${process.platform} ${process.arch}`;
  if (major < NODE_MIN[0]! || (major === NODE_MIN[0] && minor < NODE_MIN[1]!)) {
    return finding('runtime', 'fail', detail, `install Node.js ${NODE_MIN.join('.')} or later`);
  }
  return major >= NODE_SUPPORTED
    ? finding('runtime', 'ok', detail)
    : finding('runtime', 'warn', `${detail}: works, but gets no security fixes`, 'use Node.js 22+');
}

/** Memory of the machine. */
export function checkMemory(): Finding {
  const bytes = totalmem();
  return bytes < MEMORY_MIN
    ? finding('memory', 'warn', `${formatBytes(bytes)} in this machine`, 'give it 1 GiB')
    : finding('memory', 'ok', `${formatBytes(bytes)} in this machine`);
}

/** Whether the clock was ever set, and runs like the monotonic one. */
export async function checkClock(): Promise<Finding> {
  const wall = Date.now();
  const monotonic = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 100));
  const drift = Math.abs(Date.now() - wall - (performance.now() - monotonic));
  const now = new Date(wall).toISOString();
  if (wall < CLOCK_MIN) {
    return finding('clock', 'fail', `it is ${now} here`, 'set the clock, and run NTP');
  }
  return drift > 20
    ? finding('clock', 'warn', `${now}; it jumped ${Math.round(drift)} ms just now`, 'run NTP')
    : finding('clock', 'ok', now);
}

/** Loads the SQL engine. */
export async function checkEngine(engine: 'sqlite' | 'sqljs' | Engine): Promise<Finding> {
  try {
    const begin = performance.now();
    const { loadEngine } = await import('../../runtime/node/engine.ts');
    const { id } = await loadEngine(engine);
    const ms = (performance.now() - begin).toFixed(0);
    return finding('engine', 'ok', `${id.name} ${id.version}, ${id.hash.slice(0, 16)}…, ${ms} ms`);
  } catch (error) {
    return finding('engine', 'fail', reasonOf(error), 'install the package again: npm ci');
  }
}
