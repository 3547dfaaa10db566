/**
 * What a runtime gives a node: time, timers, entropy, files, links. Everything completes by callback, never by
 * promise, so that a virtual runtime can drive whole clusters synchronously.
 */

/** Two clocks. */
export interface Clock {
  /** Milliseconds that never go back; says nothing about the date. */
  monotonicMs(): number;
  /** Milliseconds since 1970. */
  wallMs(): number;
}

/** A pending timer. */
export type TimerHandle = object | number;

/** Callbacks later. */
export interface Timers {
  /** Calls `callback` once after at least `ms` milliseconds. */
  after(ms: number, callback: () => void): TimerHandle;
  cancel(timer: TimerHandle): void;
  /** Calls `callback` soon, after pending I/O has had its turn (`setImmediate`, a macrotask). */
  soon(callback: () => void): void;
}

/** Cryptographic randomness (from the seed, in the virtual runtime). */
export interface Entropy {
  fill(out: Uint8Array): void;
}

/** A runtime, as a node sees it. */
export interface Platform {
  /** Such as `node 20.20.2`. */
  readonly runtime: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly entropy: Entropy;
  /** Identifies this boot of the operating system, or '' when unknown (relaxed sync modes, architecture 4). */
  readonly osBootId: string;
}

/** 53 random bits, never 0. */
export function randomId(entropy: Entropy): number {
  const bytes = new Uint8Array(8);
  entropy.fill(bytes);
  const view = new DataView(bytes.buffer);
  const id = (view.getUint32(0, true) & 0x1fffff) * 4294967296 + view.getUint32(4, true);
  return id === 0 ? 1 : id;
}
