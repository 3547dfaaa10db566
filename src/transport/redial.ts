/** One address to keep a connection to: dials, and after failures dials again, later and later, at a random moment. */
import type { Platform, TimerHandle } from '../platform/contract.ts';
import type { TransportLimits } from './limits.ts';

/** What a target needs from the transport. */
export interface RedialOwner {
  readonly limits: TransportLimits;
  readonly platform: Platform;
  /** Whether a connection to the node exists; then nothing is dialled. */
  connected(node: number): boolean;
  dial(target: RedialTarget): void;
}

/** A node and where to dial it. */
export class RedialTarget {
  readonly node: number;
  readonly url: string;
  readonly #owner: RedialOwner;
  #timer: TimerHandle | null = null;
  #dialling = false;
  #stopped = false;
  /** Attempts since the last connection that lasted. */
  #attempts = 0;
  #upAt = 0;

  constructor(owner: RedialOwner, node: number, url: string) {
    this.#owner = owner;
    this.node = node;
    this.url = url;
  }

  /** Dials now, unless it dials already. */
  dial(): void {
    if (this.#stopped || this.#dialling || this.#owner.connected(this.node)) return;
    this.#cancel();
    this.#dialling = true;
    this.#attempts++;
    this.#owner.dial(this);
  }

  /** A dial failed; `refused` when trying again soon would only be refused again. */
  failed(refused: boolean): void {
    this.#dialling = false;
    if (refused) this.#attempts = Number.MAX_SAFE_INTEGER;
    this.#schedule();
  }

  /** This node's dial became a connection, or was given up because another connection exists. */
  settled(): void {
    this.#dialling = false;
  }

  /** A connection to the node exists. */
  up(): void {
    this.#upAt = this.#owner.platform.clock.monotonicMs();
    this.#cancel();
  }

  /**
   * The connection is gone. One that lasted is dialled again at once; one that came and went goes on waiting, so that
   * two nodes cannot spin; one that ended with a goodbye waits, too.
   */
  down(clean: boolean): void {
    const lasted = this.#owner.platform.clock.monotonicMs() - this.#upAt;
    const stable = lasted >= this.#owner.limits.redialMaxMs;
    if (stable) this.#attempts = 0;
    if (stable && !clean) this.dial();
    else this.#schedule();
  }

  /** Never dials again. */
  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #schedule(): void {
    if (this.#stopped || this.#dialling || this.#timer !== null) return;
    const { limits, platform } = this.#owner;
    const bits = new Uint8Array(2);
    platform.entropy.fill(bits);
    const jitter = (bits[0]! * 256 + bits[1]!) / 65536;
    const ms = redialPause(this.#attempts, limits) * (0.5 + jitter / 2);
    this.#timer = platform.timers.after(ms, () => {
      this.#timer = null;
      this.dial();
    });
  }

  #cancel(): void {
    if (this.#timer === null) return;
    this.#owner.platform.timers.cancel(this.#timer);
    this.#timer = null;
  }
}

/** The longest pause after so many attempts, milliseconds. */
export function redialPause(attempts: number, limits: TransportLimits): number {
  let pause = limits.redialMinMs;
  for (let i = 1; i < attempts && pause < limits.redialMaxMs; i++) pause *= 2;
  return Math.min(pause, limits.redialMaxMs);
}
