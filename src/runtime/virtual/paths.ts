/** The ways between processes: how long they take, what they lose, and whether anything gets through at all. */
import type { PathOptions } from './contract.ts';
import type { Random } from './random.ts';

/** What a path is unless a world says otherwise: a data centre's network. */
export const PATH_DEFAULTS: PathOptions = {
  latencyMs: [0.1, 0.5],
  bytesPerMs: Number.POSITIVE_INFINITY,
  socketBytes: 256 * 1024,
  lossy: false,
  loss: 0,
  duplicate: 0,
  reorder: 0,
  spared: 3,
};

/** One direction between two processes. */
export class Path {
  options: PathOptions;
  cut = false;
  clogged = false;
  readonly random: Random;
  readonly #onOpen = new Set<() => void>();

  constructor(options: PathOptions, random: Random) {
    this.options = options;
    this.random = random;
  }

  get blocked(): boolean {
    return this.cut || this.clogged;
  }

  /** A latency drawn for one message, microseconds. */
  latency(): number {
    const [min, max] = this.options.latencyMs;
    const low = Math.floor(min * 1000);
    return this.random.between(low, Math.max(low, Math.floor(max * 1000)));
  }

  /** Calls back once, when nothing blocks the path any more. */
  whenOpen(callback: () => void): void {
    this.#onOpen.add(callback);
  }

  set(change: { cut?: boolean; clogged?: boolean }): void {
    this.cut = change.cut ?? this.cut;
    this.clogged = change.clogged ?? this.clogged;
    if (this.blocked) return;
    const waiting = [...this.#onOpen];
    this.#onOpen.clear();
    for (const callback of waiting) callback();
  }
}

/** All paths; made when they are first used. */
export class Paths {
  readonly #random: Random;
  readonly #paths = new Map<string, Path>();
  #defaults: PathOptions;

  constructor(random: Random, options: Partial<PathOptions>) {
    this.#random = random;
    this.#defaults = { ...PATH_DEFAULTS, ...options };
  }

  get(from: string, to: string): Path {
    const key = `${from} to ${to}`;
    let path = this.#paths.get(key);
    if (path === undefined) {
      path = new Path(this.#defaults, this.#random.split(key));
      this.#paths.set(key, path);
    }
    return path;
  }

  setAll(options: Partial<PathOptions>): void {
    this.#defaults = { ...this.#defaults, ...options };
    for (const path of this.#paths.values()) path.options = { ...path.options, ...options };
  }

  healAll(): void {
    for (const path of this.#paths.values()) path.set({ cut: false, clogged: false });
  }
}
