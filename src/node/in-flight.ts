/** Writes that this node proposed as leader, by the index of their entry. */
import type { LogIndex, Term } from '../wire/entry.ts';
import type { PendingWrite } from './pending-write.ts';

interface Proposed {
  readonly term: Term;
  readonly writes: PendingWrite[];
  /** Its leadership ended: the writes are on their way to the next leader as well. */
  old: boolean;
}

/** Proposed and not applied yet. */
export class InFlight {
  readonly #entries = new Map<LogIndex, Proposed>();
  #current = 0;

  /** Entries of the present leadership. */
  get current(): number {
    return this.#current;
  }

  add(index: LogIndex, term: Term, writes: PendingWrite[]): void {
    this.#entries.set(index, { term, writes, old: false });
    this.#current++;
  }

  /**
   * The entry at `index` and `term` is about to be applied: who waits for it, null when nobody does. Where another
   * leader's entry stands ours was truncated, and its writes are on their way to the next leader already.
   */
  take(index: LogIndex, term: Term): readonly PendingWrite[] | null {
    const proposed = this.#entries.get(index);
    if (!proposed) return null;
    this.#remove(index, proposed);
    return proposed.term === term ? proposed.writes : null;
  }

  #remove(index: LogIndex, { old }: Proposed): void {
    this.#entries.delete(index);
    if (!old) this.#current--;
  }

  /** Leadership ended: all its writes are in doubt. They stay here as well, in case their entries are committed yet. */
  leadershipEnded(): PendingWrite[] {
    const inDoubt: PendingWrite[] = [];
    for (const proposed of this.#entries.values()) {
      if (!proposed.old) inDoubt.push(...proposed.writes);
      proposed.old = true;
    }
    this.#current = 0;
    return inDoubt;
  }

  /** A snapshot took the place of the log up to `index`; returns writes that wait nowhere else (rule S9). */
  skipped(index: LogIndex): PendingWrite[] {
    const lost: PendingWrite[] = [];
    for (const [at, proposed] of this.#entries) {
      if (at > index) continue;
      if (!proposed.old) lost.push(...proposed.writes);
      this.#remove(at, proposed);
    }
    return lost;
  }
}
