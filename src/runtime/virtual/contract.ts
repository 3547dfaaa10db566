/**
 * A virtual world: processes with clocks, disks and a network, in one thread, in virtual time, from one seed. The real
 * node runs in it unchanged, and the same seed gives the same run, event by event. Nothing here is asynchronous: time
 * passes only inside `run`, `runUntil` and `step`.
 */

import type { Platform } from '../../platform/contract.ts';
import type { FileFolder } from '../../platform/files.ts';
import type { Dialer, Link, LinkEvents } from '../../platform/links.ts';
import type { FaultPlan } from '../../storage/faulty-folder.ts';
import type { MemoryFolder, Survival, Unsynced } from '../../storage/memory-folder.ts';
import type { Random } from './random.ts';

/** Smallest and largest value of something that varies. */
export type Range = readonly [min: number, max: number];

/** How messages travel from one process to another. */
export interface PathOptions {
  /** One way, milliseconds. Default 0.1 to 0.5. */
  readonly latencyMs: Range;
  /** Default unlimited. */
  readonly bytesPerMs: number;
  /**
   * What the kernels on both ends hold before bytes count as buffered in the sender. Default 256 KiB.
   */
  readonly socketBytes: number;
  /**
   * True makes whole messages vanish, repeat or overtake each other, as a transport may (its frames promise nothing), and
   * during a cut they are lost. False, the default, is what TCP does: everything arrives, in order, after a cut as well,
   * unless the connection breaks.
   */
  readonly lossy: boolean;
  /** Probabilities, for lossy paths. Default 0. */
  readonly loss: number;
  readonly duplicate: number;
  readonly reorder: number;
  /** So many messages at the start of each direction of a lossy connection are safe: the handshake. Default 3. */
  readonly spared: number;
}

/** The network between processes. All names are processes'. */
export interface VirtualNetwork {
  /** Changes one direction. */
  setPath(from: string, to: string, options: Partial<PathOptions>): void;
  /** Changes all paths, also those of later processes. */
  setAllPaths(options: Partial<PathOptions>): void;
  /** Nothing arrives from `from` at `to` until `heal`. */
  cut(from: string, to: string): void;
  heal(from: string, to: string): void;
  /** Cuts everything between processes of different groups, both ways; processes in no group are a group of their own. */
  partition(...groups: readonly (readonly string[])[]): void;
  /** Cuts a process off, both ways: for the others its host falls silent. */
  isolate(name: string): void;
  /** Heals every cut and opens every clogged path. */
  healAll(): void;
  /** Messages pile up, and are lost in no mode, until `unclog`. */
  clog(from: string, to: string): void;
  unclog(from: string, to: string): void;
  /** Breaks all connections between two processes; what is in flight is lost. Both hear of it. */
  reset(one: string, other: string): void;
}

/** The disk of a process. It outlives the process. */
export interface VirtualDisk {
  /** How long a sync takes, milliseconds. Default 0. */
  syncMs: Range;
  /** What happens to file operations (errors, short writes, hanging syncs, a crash at this very point); null: nothing. */
  plan: FaultPlan | null;
  /** From now on, for so long, syncs do not come back: blocking ones stop the process, others are late. */
  hang(ms: number): void;
  /** A folder as it is on this disk, for looking into it and damaging it. */
  folder(name: string): MemoryFolder;
}

/** The clock of a process. */
export interface VirtualClock {
  /** How much faster than true time it runs, parts per million. */
  setDrift(ppm: number): void;
  /** Moves the wall clock. */
  jumpWall(ms: number): void;
}

/** What code in a process gets; belongs to one life of it. All of it is dead when the process is. */
export interface VirtualRuntime {
  readonly platform: Platform;
  readonly dialer: Dialer;
  /** A folder on the process's disk. */
  folder(name: string): FileFolder;
  /** Accepts links at `url`; the returned function stops it. */
  listen(url: string, accept: (link: Link, remote: string) => LinkEvents): () => void;
  /** Lets virtual time pass inside a callback, as a computation would: what follows happens later. */
  work(ms: number): void;
  /** The process ends itself. */
  exit(): void;
}

/** A process, dead or alive. */
export interface VirtualProcess extends VirtualRuntime {
  readonly name: string;
  readonly disk: VirtualDisk;
  readonly clock: VirtualClock;
  readonly alive: boolean;
  readonly paused: boolean;
  /** Grows with each start; the first is 1. */
  readonly starts: number;
  /** `kill -9`: everything written stays, peers see their connections close. */
  kill(): void;
  /**
   * The machine loses power, also one whose process is dead already: `survives` decides what unsynced writes leave (by
   * default chance does: kept, lost, torn by sectors). Peers hear nothing until the machine is back, or with
   * `silent: false` as after `kill`.
   */
  crash(options?: {
    readonly survives?: ((operation: Unsynced) => Survival) | undefined;
    readonly silent?: boolean | undefined;
  }): void;
  /** Starts the process again (it is killed first if it lives) and runs its main function. */
  restart(): void;
  /** Replaces the disk of a dead process by an empty one. */
  wipe(): void;
  /** SIGSTOP: timers and messages wait; peers notice nothing but silence. */
  pause(): void;
  /** SIGCONT: timers that were due come first, as on a real event loop. */
  resume(): void;
}

/** One thing that happened, for observers. */
export interface VirtualEvent {
  readonly timeMs: number;
  readonly kind: 'timer' | 'soon' | 'io' | 'message' | 'world' | 'process';
  /** '' for the world itself. */
  readonly process: string;
  /** What happened to a process or connection, '' otherwise. */
  readonly detail: string;
  /** The bytes of a message. */
  readonly bytes: Uint8Array | null;
}

/** How a world is made. */
export interface VirtualWorldOptions {
  readonly path?: Partial<PathOptions> | undefined;
  readonly disk?: { readonly syncMs?: Range | undefined } | undefined;
  /** Drift of each process's clock is drawn from ± this, parts per million. Default 0. */
  readonly driftPpm?: number | undefined;
  /** What the wall clocks show at the start. */
  readonly wallMs?: number | undefined;
  /** What happens to an error that leaves a callback of a process. Default: it is thrown out of `run`, with the seed. */
  readonly onError?: ((process: VirtualProcess, error: unknown) => void) | undefined;
}

/** A world. */
export interface VirtualWorld {
  readonly seed: number | string;
  /** True time since the world began. */
  readonly nowMs: number;
  readonly random: Random;
  readonly network: VirtualNetwork;
  readonly processes: readonly VirtualProcess[];
  /** Makes a process and starts it; `main` runs at once and at every restart. */
  createProcess(name: string, main?: (runtime: VirtualProcess) => void): VirtualProcess;
  /** Calls back in true time, whatever happens to processes: for clients, faults and checks. Returns a cancel. */
  after(ms: number, callback: () => void): () => void;
  /** Lets so much time pass. */
  run(ms: number): void;
  /** Runs until the condition holds, tried after every event; false when it does not hold after `maxMs`. */
  runUntil(condition: () => boolean, maxMs: number): boolean;
  /** Runs the next event; false when there is none. */
  step(): boolean;
  /** Told of everything that happens. Returns how to stop. */
  observe(observer: (event: VirtualEvent) => void): () => void;
  /** A hash of everything that has happened so far. */
  traceHash(): string;
}
