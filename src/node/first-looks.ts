/**
 * First looks at reads. A look runs a read inline for up to a slice and usually answers it; one that does not has cost the
 * others a slice. Then no more is looked at in this turn of the loop: what comes waits, in a queue per client, and the
 * queues take turns, so that a client that sends many long reads at once holds up itself.
 */
import type { NodeLimits } from '../config/limits.ts';
import { QuorliteError } from '../wire/error.ts';
import type { ReadClient } from './contract.ts';

/** What looks need of the node around them. */
export interface FirstLooksHost {
  readonly limits: NodeLimits;
  now(): number;
  /** Calls back in the next turn of the loop. */
  soon(run: () => void): void;
}

/** A read that waits for its first look. */
export interface Look {
  readonly client: ReadClient | undefined;
  readonly deadline: number;
  /** Looks; false when that took a whole slice. */
  look(): boolean;
  refuse(error: QuorliteError): void;
}

/** Reads without a known client share a queue under this key. */
const NOBODY: object = {};

/** All reads of a node that wait for their first look. */
export class FirstLooks {
  readonly #host: FirstLooksHost;
  /** By client, those whose turn is next in front. */
  readonly #queues = new Map<object, Look[]>();
  #waiting = 0;
  #spent = false;
  #scheduled = false;

  constructor(host: FirstLooksHost) {
    this.#host = host;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Whether a read of `client` may be looked at now; else it must `wait`. */
  isFree(client: ReadClient | undefined): boolean {
    if (this.#spent) return false;
    return this.#waiting === 0 || !this.#queues.has(client ?? NOBODY);
  }

  /** A look took a whole slice. */
  spent(): void {
    this.#spent = true;
    this.#schedule();
  }

  /** Looks in a later turn. Returns how to give up. */
  wait(look: Look): () => void {
    if (this.#waiting >= this.#host.limits.maxPendingReads) {
      look.refuse(new QuorliteError('OVERLOADED', 'too many reads wait (limit maxPendingReads)'));
      return () => {};
    }
    const key = look.client ?? NOBODY;
    const queue = this.#queues.get(key);
    if (queue === undefined) this.#queues.set(key, [look]);
    else queue.push(look);
    this.#waiting++;
    this.#schedule();
    return () => this.#withdraw(key, look);
  }

  #withdraw(key: object, look: Look): void {
    const queue = this.#queues.get(key);
    const at = queue?.indexOf(look) ?? -1;
    if (queue === undefined || at < 0) return;
    queue.splice(at, 1);
    this.#waiting--;
    if (queue.length === 0) this.#queues.delete(key);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#host.soon(this.#turn);
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    this.#spent = false;
    const { limits, now } = this.#host;
    const end = now() + limits.readSliceMs;
    for (let look = this.#next(); look !== undefined; look = this.#next()) {
      if (!this.#isAnswered(look) || now() >= end) break;
    }
    if (this.#waiting > 0) this.#schedule();
  };

  #isAnswered(look: Look): boolean {
    if (look.deadline > this.#host.now()) return look.look();
    look.refuse(new QuorliteError('TIMEOUT', 'the read could not be served in time'));
    return true;
  }

  /** The first read of the first queue, which goes to the end of the round. */
  #next(): Look | undefined {
    for (const [key, queue] of this.#queues) {
      this.#queues.delete(key);
      this.#waiting--;
      const look = queue.shift();
      if (queue.length > 0) this.#queues.set(key, queue);
      return look;
    }
    return undefined;
  }

  /** Refuses all that wait. */
  refuseAll(error: QuorliteError): void {
    const queues = [...this.#queues.values()];
    this.#queues.clear();
    this.#waiting = 0;
    for (const queue of queues) for (const look of queue) look.refuse(error);
  }
}
