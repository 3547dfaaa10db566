/** Makes virtual worlds. */
import { assert } from '../../wire/assert.ts';
import type {
  VirtualEvent,
  VirtualNetwork,
  VirtualProcess,
  VirtualWorld,
  VirtualWorldOptions,
} from './contract.ts';
import { Disk } from './disk.ts';
import type { Life } from './life.ts';
import { Network } from './network.ts';
import { DriftingClock } from './platform.ts';
import { Process } from './process.ts';
import { createRandom, type Random } from './random.ts';
import { Scheduler } from './scheduler.ts';

/** What wall clocks show when a world begins, unless it says otherwise: 2023-11-14 22:13:20 UTC. */
const WALL_MS = 1_700_000_000_000;

/**
 * A world; everything that happens in it follows from the seed.
 *
 * @example
 * const world = createVirtualWorld(7);
 * const one = world.createProcess('one', (runtime) => {
 *   runtime.platform.timers.after(100, () => runtime.exit());
 * });
 * world.run(1_000);
 * one.alive === false;
 */
export function createVirtualWorld(
  seed: number | string,
  options: VirtualWorldOptions = {},
): VirtualWorld {
  return new World(seed, options);
}

class World implements VirtualWorld {
  readonly seed: number | string;
  readonly random: Random;
  readonly processes: Process[] = [];
  readonly #options: VirtualWorldOptions;
  readonly #scheduler: Scheduler;
  readonly #network: Network;

  constructor(seed: number | string, options: VirtualWorldOptions) {
    this.seed = seed;
    this.random = createRandom(seed);
    this.#options = options;
    this.#scheduler = new Scheduler((life, error) => this.#fail(life, error));
    const chance = this.random.split('network');
    this.#network = new Network(this.#scheduler, chance, options.path ?? {});
  }

  get network(): VirtualNetwork {
    return this.#network;
  }

  get nowMs(): number {
    return this.#scheduler.now / 1000;
  }

  createProcess(name: string, main?: (runtime: VirtualProcess) => void): VirtualProcess {
    assert(
      !this.processes.some((other) => other.name === name),
      () => `there is a process ${name} already`,
    );
    const scheduler = this.#scheduler;
    const random = this.random.split(`process ${name}`);
    const drift = this.#options.driftPpm ?? 0;
    const ppm = drift === 0 ? 0 : random.between(0, 2 * drift) - drift;
    const wallMs = this.#options.wallMs ?? WALL_MS;
    const process = new Process({
      name,
      number: this.processes.length + 1,
      scheduler,
      network: this.#network,
      disk: new Disk(name, scheduler, random.split('disk'), this.#options.disk?.syncMs ?? [0, 0]),
      clock: new DriftingClock(() => scheduler.now, wallMs, ppm),
      random,
      main: main ?? null,
    });
    this.processes.push(process);
    process.start();
    return process;
  }

  after(ms: number, callback: () => void): () => void {
    const at = this.#scheduler.now + Math.floor(ms * 1000);
    const event = this.#scheduler.schedule(at, 'world', null, callback);
    return () => {
      event.cancelled = true;
    };
  }

  run(ms: number): void {
    const end = this.#scheduler.now + Math.floor(ms * 1000);
    while (this.#scheduler.step(end)) {
      // Each step is one event.
    }
    this.#scheduler.now = end;
  }

  runUntil(condition: () => boolean, maxMs: number): boolean {
    const end = this.#scheduler.now + Math.floor(maxMs * 1000);
    while (!condition()) {
      if (this.#scheduler.step(end)) continue;
      this.#scheduler.now = end;
      return condition();
    }
    return true;
  }

  step(): boolean {
    return this.#scheduler.step(Number.POSITIVE_INFINITY);
  }

  observe(observer: (event: VirtualEvent) => void): () => void {
    return this.#scheduler.trace.observe(observer);
  }

  traceHash(): string {
    return this.#scheduler.trace.hash();
  }

  #fail(life: Life | null, error: unknown): void {
    const process = this.processes.find((candidate) => candidate.life === life);
    if (process !== undefined && this.#options.onError !== undefined) {
      this.#options.onError(process, error);
      return;
    }
    const message = error instanceof Error ? error.message : String(error);
    const where = `seed ${this.seed}, ${this.nowMs} ms, ${life?.name ?? 'the world'}`;
    throw new Error(`${where}: ${message}`, { cause: error });
  }
}
