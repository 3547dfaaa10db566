/** Where a sync runs: on the event loop while the disk is healthy (fastest), on a thread after a slow one (rule P7). */
import { HEALTHY_SYNCS, SLOW_SYNC_MS } from '../limits.ts';

/** Decides by the duration of the syncs it is shown. */
export class SyncPolicy {
  #blocking = true;
  #fast = 0;

  /** True while syncs may block the event loop. */
  get blocking(): boolean {
    return this.#blocking;
  }

  /** Takes note of a sync that took `ms` milliseconds. */
  observe(ms: number): void {
    if (ms > SLOW_SYNC_MS) {
      this.#blocking = false;
      this.#fast = 0;
    } else if (!this.#blocking && ++this.#fast >= HEALTHY_SYNCS) {
      this.#blocking = true;
    }
  }
}
