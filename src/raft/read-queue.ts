/** Linearizable reads waiting at the leader: counted by round, never keyed by what the caller sent (rule L2). */
import type { LogIndex, ReplicaId } from '../wire/entry.ts';

/** Who asked, and under which number: this replica's own context, or a follower's sequence. */
export interface Asker {
  readonly replica: ReplicaId;
  readonly context: number;
}

/** A read and the index that must be applied before it runs. */
export interface PendingRead {
  readonly asker: Asker;
  readonly index: LogIndex;
  readonly round: number;
}

/**
 * Reads of one leadership, in order. A round is one broadcast of heartbeats; a read belongs to the first round sent
 * after it arrived, and a quorum of answers to that round or a later one confirms it.
 */
export class ReadQueue {
  /** Number of the last round sent. */
  round: number = 0;
  /** Reads that came before the leader committed an entry of its term (rule L1). */
  #early: Asker[] = [];
  #pending: PendingRead[] = [];
  /** Some pending read waits for a round that was not sent yet. */
  #open = false;

  get size(): number {
    return this.#early.length + this.#pending.length;
  }

  /** Keeps a read until the leader is ready. */
  delay(asker: Asker): void {
    this.#early.push(asker);
  }

  /** Adds a read at the commit index `index`. */
  add(asker: Asker, index: LogIndex): void {
    this.#pending.push({ asker, index, round: this.round + 1 });
    this.#open = true;
  }

  /** The leader is ready: all early reads start at `index`. */
  ready(index: LogIndex): void {
    for (const asker of this.#early) this.add(asker, index);
    this.#early = [];
  }

  /** Whether a round of heartbeats is due; the caller sends it. */
  startRound(): boolean {
    if (!this.#open) return false;
    this.#open = false;
    this.round++;
    return true;
  }

  /** A quorum answered `round`: takes the reads that it confirms. */
  confirm(round: number): PendingRead[] {
    let count = 0;
    while (count < this.#pending.length && this.#pending[count]!.round <= round) count++;
    return count === 0 ? [] : this.#pending.splice(0, count);
  }

  /** Leadership ended or moves: takes everybody who still waits. */
  drain(): Asker[] {
    const askers = this.#pending.map((read) => read.asker).concat(this.#early);
    this.#pending = [];
    this.#early = [];
    this.#open = false;
    return askers;
  }
}
