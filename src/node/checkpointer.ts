/**
 * When to take a checkpoint, and what may be forgotten afterwards. A checkpoint is cut in O(1) and written in slices, so
 * that it never stalls writes or heartbeats (architecture, section 4).
 */
import type { Platform, TimerHandle } from '../platform/contract.ts';
import type { LogStore, SnapshotStore } from '../storage/contract.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { LogIndex } from '../wire/entry.ts';
import { QuorliteError } from '../wire/error.ts';
import type { Callback } from './contract.ts';
import type { Replica } from './replica.ts';

/** Log kept for a live but slow follower, so that it need not take a snapshot, bytes. */
const FOLLOWER_BUDGET_BYTES = 64 * 1024 * 1024;

/** What a checkpointer is made of. */
export interface CheckpointerOptions {
  readonly platform: Platform;
  readonly log: LogStore;
  readonly snapshots: SnapshotStore;
  readonly logger: Logger;
  /** Log bytes and milliseconds after which a checkpoint is due. */
  readonly bytes: number;
  readonly ms: number;
  /** Bytes of pages written to scratch since the last checkpoint after which one is due; 0 without scratch. */
  readonly scratchBytes: number;
  replica(): Replica;
  /** Called when one was taken. */
  taken(): void;
}

/** What whoever asked for a checkpoint hears. */
type Answer = Callback<{ index: LogIndex; bytes: number }>;

/** Takes checkpoints, one at a time, and forgets the log behind them. */
export class Checkpointer {
  readonly #options: CheckpointerOptions;
  #running = false;
  /** Asked for while one was being written (rule S10). */
  #again: Answer[] = [];
  /** Whoever asked and has no answer yet. */
  readonly #asked = new Set<Answer>();
  #stopped: QuorliteError | null = null;
  #lastAt: number;
  #logBytesThen: number;
  #scratchThen = 0;
  #lastDeltaBytes = 0;
  /** Why the last one failed, in a sentence, or ''. */
  problem = '';

  constructor(options: CheckpointerOptions) {
    this.#options = options;
    this.#lastAt = options.platform.clock.monotonicMs();
    this.#logBytesThen = 0;
  }

  /** Whether one is being written: no snapshot may take its place meanwhile (rule S11). */
  get running(): boolean {
    return this.#running;
  }

  /** Takes one when log or time say so. Called on every tick. */
  consider(): void {
    const { log, snapshots, platform, ms, bytes } = this.#options;
    const applied = this.#options.replica().stateMachine.applied.index;
    if (
      this.#running ||
      this.#options.replica().installing ||
      applied === 0 ||
      applied === (snapshots.newest?.index ?? 0)
    )
      return;
    // A log that a snapshot replaced begins anew.
    this.#logBytesThen = Math.min(this.#logBytesThen, log.bytes);
    const grown = log.bytes - this.#logBytesThen;
    const due = Math.max(bytes, this.#lastDeltaBytes / 2);
    const late = platform.clock.monotonicMs() - this.#lastAt >= ms;
    if (grown >= due || late || this.#scratchGrown()) this.take(() => {});
  }

  /** Whether pages that only scratch has are more than the cache has room for: a checkpoint takes them over. */
  #scratchGrown(): boolean {
    const { scratchBytes } = this.#options;
    if (scratchBytes === 0) return false;
    const bytes = this.#scratch();
    // What readers hold stays there: it must not make a checkpoint due again and again.
    this.#scratchThen = Math.min(this.#scratchThen, bytes);
    return bytes - this.#scratchThen >= scratchBytes;
  }

  #scratch(): number {
    return this.#options.replica().stateMachine.stats()['pageScratchBytes'] ?? 0;
  }

  /**
   * Takes one now; joins a request made while one is being written to the next. Answers once: after `timeoutMs` with
   * `TIMEOUT`, when the node stops with its reason, whatever the disk does.
   */
  take(done: Answer, timeoutMs?: number): void {
    if (this.#stopped) done(this.#stopped, null);
    else this.#take(this.#ask(done, timeoutMs));
  }

  #ask(done: Answer, timeoutMs: number | undefined): Answer {
    const { timers } = this.#options.platform;
    let timer: TimerHandle | null = null;
    const answer: Answer = (error, taken) => {
      if (!this.#asked.delete(answer)) return;
      if (timer !== null) timers.cancel(timer);
      done(error, taken);
    };
    this.#asked.add(answer);
    if (timeoutMs !== undefined) {
      timer = timers.after(timeoutMs, () => {
        const what = 'the checkpoint was not finished in time';
        answer(new QuorliteError('TIMEOUT', what, { outcome: 'unknown' }), null);
      });
    }
    return answer;
  }

  /** Answers everybody: the node stops. */
  stop(error: QuorliteError): void {
    this.#stopped = error;
    for (const answer of [...this.#asked]) answer(error, null);
  }

  #take(done: Answer): void {
    if (this.#running) {
      this.#again.push(done);
      return;
    }
    const { snapshots, platform } = this.#options;
    const { stateMachine, raft, installing, stopped } = this.#options.replica();
    if (stopped) {
      done(new QuorliteError('NOT_READY', 'this node has stopped'), null);
      return;
    }
    if (installing) {
      done(new QuorliteError('NOT_READY', 'a snapshot is being installed'), null);
      return;
    }
    const since = snapshots.newest?.index ?? 0;
    const { index } = stateMachine.applied;
    if (index === since && index > 0) {
      done(null, { index, bytes: snapshots.bytes });
      return;
    }
    if (index === 0) {
      done(new QuorliteError('NOT_READY', 'there is nothing to take a checkpoint of yet'), null);
      return;
    }
    this.#running = true;
    const cut = stateMachine.cut(since, raft.membership);
    this.#lastDeltaBytes = cut.pages.length * 4096;
    snapshots.write(
      cut,
      (work) => platform.timers.soon(work),
      (error) => this.#written(index, error, done),
    );
  }

  #written(index: LogIndex, error: Error | null, done: Answer): void {
    const { log, snapshots, platform, logger } = this.#options;
    this.#running = false;
    const { stopped } = this.#options.replica();
    if (stopped) error ??= new QuorliteError('SHUTTING_DOWN', 'this node has stopped');
    this.#lastAt = platform.clock.monotonicMs();
    this.#logBytesThen = log.bytes;
    if (error) {
      // The log still holds everything: the node serves on, says so, and tries again.
      if (!stopped) logger.error('checkpoint failed', { error: error.message });
      this.problem = `the last checkpoint failed: ${error.message}`;
      const failed = new QuorliteError('STORAGE_FAILED', error.message, { cause: error });
      const waiting = [done, ...this.#again];
      this.#again = [];
      for (const callback of waiting) callback(failed, null);
      return;
    }
    this.problem = '';
    this.#options.replica().stateMachine.checkpointed(index);
    this.#scratchThen = this.#options.scratchBytes === 0 ? 0 : this.#scratch();
    this.#compact();
    this.#options.taken();
    logger.debug('checkpoint', { index, bytes: snapshots.bytes });
    done(null, { index, bytes: snapshots.bytes });
    const again = this.#again;
    this.#again = [];
    for (const callback of again) if (this.#asked.has(callback)) this.#take(callback);
  }

  /** Forgets log that neither the previous checkpoint nor a live follower needs (rule S6). */
  #compact(): void {
    const { log, snapshots } = this.#options;
    const { raft } = this.#options.replica();
    let floor = snapshots.previousIndex;
    if (log.bytes < FOLLOWER_BUDGET_BYTES) {
      for (const { match, active } of raft.progress()) if (active) floor = Math.min(floor, match);
    }
    const term = floor >= raft.firstIndex ? raft.termAt(floor) : null;
    if (term === null) return;
    raft.compact(floor);
    log.compact(floor, term);
    this.#logBytesThen = log.bytes;
  }
}
