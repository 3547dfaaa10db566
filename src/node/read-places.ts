/**
 * Places for reads that take more than a slice. Each holds the rows of its answer until it ends, so only so many run at
 * a time; and no client, whatever it sends at once, keeps the others from having theirs: each has a queue of its own,
 * and the queues take turns.
 */
import type { NodeLimits } from '../config/limits.ts';
import { QuorliteError } from '../wire/error.ts';
import type { ReadClient } from './contract.ts';

/** What places need of the node around them. */
export interface ReadPlacesHost {
  readonly limits: NodeLimits;
  now(): number;
}

interface Waiting {
  readonly deadline: number;
  readonly start: () => void;
  readonly refuse: (error: QuorliteError) => void;
}

interface Lane {
  readonly client: ReadClient | undefined;
  running: number;
  waiting: Waiting[];
}

/** A place that was asked for. */
export interface Place {
  /** Gives it back, or is no longer asked for. May be called again. */
  leave(): void;
}

/** All places of a node. */
export class ReadPlaces {
  readonly #host: ReadPlacesHost;
  /** By client, those whose turn is next in front; a read of no known client has a lane of its own. */
  readonly #lanes = new Map<object, Lane>();
  #running = 0;
  #waiting = 0;
  #filling = false;

  constructor(host: ReadPlacesHost) {
    this.#host = host;
  }

  /** Reads that have a place. */
  get running(): number {
    return this.#running;
  }

  /** Reads that wait for one. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Asks for a place: `start` is called when there is one, at once or later; `refuse` when there are too many already, or
   * none is free until `deadline`.
   */
  ask(
    client: ReadClient | undefined,
    deadline: number,
    start: () => void,
    refuse: (error: QuorliteError) => void,
  ): Place {
    if (this.#waiting >= this.#host.limits.maxPendingReads) {
      refuse(new QuorliteError('OVERLOADED', 'too many long reads wait (limit maxPendingReads)'));
      return { leave() {} };
    }
    const key: object = client ?? {};
    let lane = this.#lanes.get(key);
    if (lane === undefined) this.#lanes.set(key, (lane = { client, running: 0, waiting: [] }));
    let state: 'waiting' | 'running' | 'left' = 'waiting';
    const asked: Waiting = {
      deadline,
      start() {
        state = 'running';
        start();
      },
      refuse(error) {
        state = 'left';
        refuse(error);
      },
    };
    lane.waiting.push(asked);
    this.#waiting++;
    this.#fill();
    return {
      leave: () => {
        if (state === 'left') return;
        if (state === 'running') {
          lane.running--;
          this.#running--;
        } else {
          lane.waiting = lane.waiting.filter((one) => one !== asked);
          this.#waiting--;
        }
        state = 'left';
        this.#forget(key, lane);
        this.#fill();
      },
    };
  }

  #forget(key: object, lane: Lane): void {
    if (lane.running === 0 && lane.waiting.length === 0) this.#lanes.delete(key);
  }

  /** Gives free places away, one per client and round. */
  #fill(): void {
    // What is started may end, or ask for the next one, at once.
    if (this.#filling || this.#waiting === 0) return;
    this.#filling = true;
    for (let given = true; given; ) {
      given = false;
      for (const [key, lane] of [...this.#lanes]) {
        if (!this.#isFree(lane)) continue;
        given = true;
        // To the end of the round.
        this.#lanes.delete(key);
        this.#lanes.set(key, lane);
        lane.running++;
        this.#running++;
        this.#waiting--;
        lane.waiting.shift()!.start();
      }
    }
    this.#filling = false;
  }

  #isFree({ client, running, waiting }: Lane): boolean {
    const { maxRunningReads, maxClientReads, maxClientBufferBytes } = this.#host.limits;
    if (waiting.length === 0 || this.#running >= maxRunningReads) return false;
    return running < maxClientReads && (client?.bufferedBytes ?? 0) <= maxClientBufferBytes;
  }

  /** Refuses whose time is over, and looks again at clients that had not taken their answers. Called on ticks. */
  expire(): void {
    if (this.#waiting === 0) return;
    const now = this.#host.now();
    const late = (one: Waiting): boolean => one.deadline <= now;
    this.#refuse(
      late,
      new QuorliteError('TIMEOUT', 'the read found no place among long ones in time'),
    );
    this.#fill();
  }

  /** Refuses all that wait. */
  refuseAll(error: QuorliteError): void {
    this.#refuse(() => true, error);
  }

  #refuse(which: (one: Waiting) => boolean, error: QuorliteError): void {
    for (const [key, lane] of [...this.#lanes]) {
      const refused = lane.waiting.filter(which);
      if (refused.length === 0) continue;
      lane.waiting = lane.waiting.filter((one) => !which(one));
      this.#waiting -= refused.length;
      this.#forget(key, lane);
      for (const one of refused) one.refuse(error);
    }
  }
}
