/** A process: lives on a disk, a clock and a network that outlive it. */

import type { Platform } from '../../platform/contract.ts';
import type { FileFolder } from '../../platform/files.ts';
import type { Dialer, Link, LinkEvents } from '../../platform/links.ts';
import type { Survival, Unsynced } from '../../storage/memory-folder.ts';
import { assert, must } from '../../wire/assert.ts';
import type { VirtualProcess } from './contract.ts';
import type { Disk } from './disk.ts';
import { Life } from './life.ts';
import type { Network } from './network.ts';
import { createVirtualPlatform, type DriftingClock } from './platform.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

/** What a process is made of. */
export interface ProcessParts {
  readonly name: string;
  /** From 1. */
  readonly number: number;
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly disk: Disk;
  readonly clock: DriftingClock;
  readonly random: Random;
  readonly main: ((process: VirtualProcess) => void) | null;
}

/** A process. */
export class Process implements VirtualProcess {
  readonly name: string;
  readonly disk: Disk;
  readonly clock: DriftingClock;
  starts = 0;
  readonly #parts: ProcessParts;
  #life: Life | null = null;
  #platform: Platform | null = null;
  #dialer: Dialer | null = null;
  /** Boots of the machine. */
  #boots = 1;

  constructor(parts: ProcessParts) {
    this.name = parts.name;
    this.disk = parts.disk;
    this.clock = parts.clock;
    this.#parts = parts;
  }

  get alive(): boolean {
    return this.#life?.alive ?? false;
  }

  get paused(): boolean {
    return this.#life?.paused ?? false;
  }

  get platform(): Platform {
    return must(this.#platform, `${this.name} is dead`);
  }

  get dialer(): Dialer {
    return must(this.#dialer, `${this.name} is dead`);
  }

  /** The life that runs now; null when the process is dead. */
  get life(): Life | null {
    return this.#life;
  }

  folder(name: string): FileFolder {
    return this.disk.open(name, this.#living(), () => this.kill());
  }

  listen(url: string, accept: (link: Link, remote: string) => LinkEvents): () => void {
    return this.#parts.network.listen(this.#living(), url, accept);
  }

  work(ms: number): void {
    this.#life?.busy(Math.floor(ms * 1000));
  }

  exit(): void {
    this.kill();
  }

  kill(): void {
    if (this.#die(false)) this.disk.kill();
  }

  crash(
    options: {
      readonly survives?: ((operation: Unsynced) => Survival) | undefined;
      readonly silent?: boolean | undefined;
    } = {},
  ): void {
    this.#die(options.silent ?? true);
    this.disk.crash(options.survives);
    this.#boots++;
  }

  restart(): void {
    this.kill();
    this.start();
  }

  /** Starts a dead process. */
  start(): void {
    assert(!this.alive, () => `${this.name} is running`);
    const { scheduler, network, random, number } = this.#parts;
    this.starts++;
    const life = new Life(scheduler, this.name, number);
    this.#life = life;
    const entropy = random.split(`start ${this.starts}`);
    const bootId = `${this.name} boot ${this.#boots}`;
    this.#platform = createVirtualPlatform(life, this.clock, entropy, bootId);
    this.#dialer = network.dialer(life);
    network.hostUp(life);
    this.#record('start');
    const { main } = this.#parts;
    if (main !== null) life.at(scheduler.now, 'io', () => main(this));
  }

  wipe(): void {
    assert(!this.alive, () => `${this.name} is running on this disk`);
    this.disk.wipe();
    this.#record('wipe');
  }

  pause(): void {
    this.#living().pause();
    this.#record('pause');
  }

  resume(): void {
    this.#living().resume();
    this.#record('resume');
  }

  #living(): Life {
    return must(this.#life, `${this.name} is dead`);
  }

  #die(silent: boolean): boolean {
    const life = this.#life;
    if (life === null) return false;
    this.#life = null;
    this.#platform = null;
    this.#dialer = null;
    life.end();
    this.#parts.network.hostDown(life, silent);
    this.#record(silent ? 'crash' : 'kill');
    return true;
  }

  #record(detail: string): void {
    const { scheduler, number } = this.#parts;
    scheduler.trace.add(scheduler.now, 'process', number, this.name, detail, null);
  }
}
