/**
 * Turns for work that would hold others up: slices of reads. Each gets its turn after all that came before it, and the
 * loop serves sockets and timers between two turns, however many reads there are.
 */

/** What turns need of the node around them. */
export interface TurnsHost {
  now(): number;
  /** Calls back in the next turn of the loop. */
  soon(run: () => void): void;
  /** Milliseconds of work in one turn of the loop. */
  turnMs(): number;
}

/** A queue of jobs, run a few per turn of the loop, first come, first served. */
export class Turns {
  readonly #host: TurnsHost;
  #jobs: (() => void)[] = [];
  #scheduled = false;

  constructor(host: TurnsHost) {
    this.#host = host;
  }

  /** Whether nothing waits for its turn. */
  get idle(): boolean {
    return this.#jobs.length === 0;
  }

  /** Runs `job` when its turn has come, never at once. It must not throw. */
  after(job: () => void): void {
    this.#jobs.push(job);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#host.soon(this.#turn);
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    const jobs = this.#jobs;
    this.#jobs = [];
    const end = this.#host.now() + this.#host.turnMs();
    let at = 0;
    do jobs[at++]!();
    while (at < jobs.length && this.#host.now() < end);
    if (at < jobs.length) this.#jobs = [...jobs.slice(at), ...this.#jobs];
    if (this.#jobs.length > 0) this.#schedule();
  };
}
