/** The disk of a process: folders that outlive it, with slow, hanging and failing operations. */
import { FileError, type FileFolder, type FileHandle } from '../../platform/files.ts';
import { createFaultyFolder, type FaultPlan, SimulatedCrash } from '../../storage/faulty-folder.ts';
import {
  createMemoryFolder,
  type MemoryFolder,
  type Survival,
  type Unsynced,
} from '../../storage/memory-folder.ts';
import type { Range, VirtualDisk } from './contract.ts';
import type { Life } from './life.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

/** A disk. */
export class Disk implements VirtualDisk {
  syncMs: Range;
  plan: FaultPlan | null = null;
  readonly #name: string;
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  #folders = new Map<string, MemoryFolder>();
  #life: Life | null = null;
  /** Until when syncs hang, true microseconds. */
  #hangsUntil = 0;

  constructor(name: string, scheduler: Scheduler, random: Random, syncMs: Range) {
    this.#name = name;
    this.#scheduler = scheduler;
    this.#random = random;
    this.syncMs = syncMs;
  }

  hang(ms: number): void {
    this.#hangsUntil = this.#scheduler.now + Math.floor(ms * 1000);
  }

  folder(name: string): MemoryFolder {
    let folder = this.#folders.get(name);
    if (folder === undefined) {
      folder = createMemoryFolder({
        label: `${this.#name}/${name}`,
        later: (callback) => this.#finishSync(callback),
      });
      this.#folders.set(name, folder);
    }
    return folder;
  }

  /** A folder as one life of the process sees it. `died` is called when the plan ends the process. */
  open(name: string, life: Life, died: () => void): FileFolder {
    this.#life = life;
    const faulty = createFaultyFolder(this.folder(name), (operation) => {
      return this.plan === null ? null : this.plan(operation);
    });
    return new LivingFolder(faulty, life, () => this.#syncMicros(), died);
  }

  /** The process died; the page cache stays. */
  kill(): void {
    this.#life = null;
    for (const folder of this.#folders.values()) folder.kill();
  }

  /** The machine lost power. */
  crash(
    survives: (operation: Unsynced) => Survival = (operation) => this.#chance(operation),
  ): void {
    this.#life = null;
    for (const name of [...this.#folders.keys()].sort()) {
      this.#folders.get(name)!.crash(survives);
    }
  }

  wipe(): void {
    this.#folders = new Map();
  }

  /** Each unsynced operation is kept, lost or, if it is a write, torn. */
  #chance(operation: Unsynced): Survival {
    const fate = this.#random.below(operation.type === 'write' ? 3 : 2);
    if (fate < 2) return fate === 1;
    return () => this.#random.chance(0.5);
  }

  #finishSync(callback: () => void): void {
    const life = this.#life;
    if (life === null) return;
    life.at(life.now + Math.max(1, this.#syncMicros()), 'io', callback);
  }

  #syncMicros(): number {
    const [min, max] = this.syncMs;
    const low = Math.floor(min * 1000);
    const micros = this.#random.between(low, Math.max(low, Math.floor(max * 1000)));
    return Math.max(micros, this.#hangsUntil - this.#scheduler.now);
  }
}

/** A folder that blocks its process for as long as syncs take, and that dies with it. */
class LivingFolder implements FileFolder {
  readonly label: string;
  readonly #inner: FileFolder;
  readonly #life: Life;
  readonly #syncMicros: () => number;
  readonly #died: () => void;

  constructor(inner: FileFolder, life: Life, syncMicros: () => number, died: () => void) {
    this.label = inner.label;
    this.#inner = inner;
    this.#life = life;
    this.#syncMicros = syncMicros;
    this.#died = died;
  }

  open(name: string, options: { create: boolean }): FileHandle {
    const handle = this.do(() => this.#inner.open(name, options));
    return new LivingHandle(this, handle);
  }

  list(): string[] {
    return this.do(() => this.#inner.list());
  }

  exists(name: string): boolean {
    return this.do(() => this.#inner.exists(name));
  }

  rename(from: string, to: string): void {
    this.do(() => this.#inner.rename(from, to));
  }

  remove(name: string): void {
    this.do(() => this.#inner.remove(name));
  }

  syncFolder(): void {
    this.block(() => this.#inner.syncFolder());
  }

  lock(): void {
    this.do(() => this.#inner.lock());
  }

  unlock(): void {
    if (this.#life.alive) this.#inner.unlock();
  }

  /** Runs an operation, unless the process is dead; a crash that is planned for it kills the process. */
  do<T>(operation: () => T): T {
    if (!this.#life.alive) throw new FileError('closed', 'the process is dead');
    try {
      return operation();
    } catch (error) {
      if (error instanceof SimulatedCrash) this.#died();
      throw error;
    }
  }

  /** Runs an operation that takes as long as a sync. */
  block(operation: () => void): void {
    this.do(operation);
    this.#life.busy(this.#syncMicros());
  }
}

class LivingHandle implements FileHandle {
  readonly #folder: LivingFolder;
  readonly #inner: FileHandle;

  constructor(folder: LivingFolder, inner: FileHandle) {
    this.#folder = folder;
    this.#inner = inner;
  }

  size(): number {
    return this.#folder.do(() => this.#inner.size());
  }

  read(out: Uint8Array, position: number): number {
    return this.#folder.do(() => this.#inner.read(out, position));
  }

  write(bytes: Uint8Array, position: number): number {
    return this.#folder.do(() => this.#inner.write(bytes, position));
  }

  truncate(size: number): void {
    this.#folder.do(() => this.#inner.truncate(size));
  }

  sync(): void {
    this.#folder.block(() => this.#inner.sync());
  }

  syncAsync(done: (error: FileError | null) => void): void {
    this.#folder.do(() => this.#inner.syncAsync(done));
  }

  close(): void {
    this.#inner.close();
  }
}
