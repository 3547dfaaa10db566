/**
 * The log in memory: entries behind a compacted index, and the cursors that say what became of them.
 *
 *     compacted < … ≤ applied ≤ given ≤ min(commit, stable)   and   stable ≤ accepted ≤ last
 *
 * `accepted` is the last entry handed to storage, `stable` the last one that storage made durable, `given` the last
 * one handed out for applying.
 */
import { assert } from '../wire/assert.ts';
import { type Entry, EntryKind, type LogIndex, type Term } from '../wire/entry.ts';
import type { RaftStart } from './contract.ts';
import { TermRuns } from './terms.ts';

/** Entries and cursors of one replica. Every method keeps the order of the cursors. */
export class RaftLog {
  commit: LogIndex;
  applied: LogIndex;
  given: LogIndex;
  stable: LogIndex;
  accepted: LogIndex;
  /** Bytes given out and not yet applied. */
  givenBytes: number = 0;
  #entries: Entry[];
  #terms: TermRuns;

  /** Takes what storage recovered; all of it is durable. A commit hint beyond the log is cut (rule D8). */
  constructor(start: RaftStart) {
    const { compacted, applied, entries } = start;
    this.#entries = [];
    this.#terms = new TermRuns(compacted.index, compacted.term);
    for (const entry of entries) this.#push(entry);
    assert(applied.index >= compacted.index, 'the log does not reach back to the checkpoint');
    assert(applied.index <= this.last, 'the log ends before the checkpoint');
    assert(this.matches(applied.index, applied.term), 'log and checkpoint disagree about a term');
    this.applied = applied.index;
    this.given = applied.index;
    this.commit = Math.max(applied.index, Math.min(start.hardState.commit, this.last));
    this.stable = this.last;
    this.accepted = this.last;
  }

  /** Index of the entry just before the first one kept. */
  get compacted(): LogIndex {
    return this.#terms.base;
  }

  get last(): LogIndex {
    return this.#terms.last;
  }

  get lastTerm(): Term {
    return this.#terms.at(this.last)!;
  }

  /** Term of the entry at `index`; null when it is compacted away or not there yet. */
  termAt(index: LogIndex): Term | null {
    return this.#terms.at(index);
  }

  /** Whether the log holds (index, term), or held it when it was compacted just there. */
  matches(index: LogIndex, term: Term): boolean {
    return this.#terms.at(index) === term;
  }

  /** Whether a log that ends at (index, term) may be voted for (rule E2): terms first, then length. */
  isUpToDate(index: LogIndex, term: Term): boolean {
    return term > this.lastTerm || (term === this.lastTerm && index >= this.last);
  }

  /** See `TermRuns.lastAtOrBelow`. */
  lastAtOrBelow(index: LogIndex, term: Term): { index: LogIndex; term: Term } {
    return this.#terms.lastAtOrBelow(index, term);
  }

  /** Appends one entry of this replica's own leadership. */
  append(entry: Entry): void {
    this.#push(entry);
  }

  /**
   * Takes entries from a leader that follow an entry which matched. Truncates only where an index holds another term
   * (rule R1), never a committed one (rule R3). Returns the first index truncated, null when nothing was.
   */
  merge(entries: readonly Entry[]): LogIndex | null {
    let cut: LogIndex | null = null;
    for (const entry of entries) {
      if (entry.index <= this.last) {
        if (this.matches(entry.index, entry.term)) continue;
        cut = entry.index;
        this.#truncate(cut);
      }
      this.#push(entry);
    }
    return cut;
  }

  #push(entry: Entry): void {
    assert(entry.index === this.last + 1, () => `entry ${entry.index} follows ${this.last}`);
    this.#terms.push(entry.term);
    this.#entries.push(entry);
  }

  #truncate(from: LogIndex): void {
    assert(from > this.commit, () => `truncating at ${from}, but ${this.commit} is committed`);
    this.#terms.truncate(from - 1);
    this.#entries.length = from - 1 - this.compacted;
    this.stable = Math.min(this.stable, from - 1);
    this.accepted = Math.min(this.accepted, from - 1);
  }

  /** Entries [from, to], at most `maxBytes` of them but at least one. */
  slice(from: LogIndex, to: LogIndex, maxBytes: number): Entry[] {
    assert(from > this.compacted && to <= this.last, () => `no entries ${from} to ${to}`);
    const first = from - this.compacted - 1;
    const limit = to - this.compacted;
    let bytes = 0;
    let end = first;
    for (; end < limit; end++) {
      bytes += this.#entries[end]!.bytes.length;
      if (bytes > maxBytes && end > first) break;
    }
    return this.#entries.slice(first, end);
  }

  /** Bytes of entries [from, to]. */
  bytesOf(from: LogIndex, to: LogIndex): number {
    let bytes = 0;
    for (let at = from - this.compacted - 1; at < to - this.compacted; at++) {
      bytes += this.#entries[at]!.bytes.length;
    }
    return bytes;
  }

  /** Whether a membership entry is among [from, to]. */
  holdsMembership(from: LogIndex, to: LogIndex): boolean {
    for (let at = from - this.compacted - 1; at < to - this.compacted; at++) {
      if (this.#entries[at]!.kind === EntryKind.membership) return true;
    }
    return false;
  }

  /** Entries that storage has not been given yet; it counts as given from now on. */
  accept(): Entry[] {
    const entries = this.#entries.slice(this.accepted - this.compacted);
    this.accepted = this.last;
    return entries;
  }

  /**
   * Storage made everything up to `index` durable. `term` is the term that the entry had when it was handed out: an
   * old completion can only arrive here for an entry that is still the same one (rule D11).
   */
  markStable(index: LogIndex, term: Term): void {
    if (index <= this.stable) return;
    assert(index <= this.accepted, () => `${index} is durable, but was never handed to storage`);
    assert(this.matches(index, term), () => `storage completed another entry at ${index}`);
    this.stable = index;
  }

  /** Moves the commit index forward. */
  commitTo(index: LogIndex): void {
    if (index <= this.commit) return;
    assert(index <= this.last, () => `committing ${index}, but the log ends at ${this.last}`);
    this.commit = index;
  }

  /** Index of the last entry that may be applied: committed and durable here. */
  get applicable(): LogIndex {
    return Math.min(this.commit, this.stable);
  }

  /** Gives out the next committed entries while less than `maxBytes` of them wait to be applied. */
  give(maxBytes: number): Entry[] {
    if (!this.canGive(maxBytes)) return [];
    const room = Math.max(0, maxBytes - this.givenBytes);
    const entries = this.slice(this.given + 1, this.applicable, room);
    for (const entry of entries) this.givenBytes += entry.bytes.length;
    this.given += entries.length;
    return entries;
  }

  /** Whether `give` has something to give. */
  canGive(maxBytes: number): boolean {
    return this.given < this.applicable && (this.givenBytes === 0 || this.givenBytes < maxBytes);
  }

  /** The state machine has applied everything up to `index`. */
  markApplied(index: LogIndex): void {
    if (index <= this.applied) return;
    assert(index <= this.given, () => `${index} was applied, but only ${this.given} was given out`);
    this.givenBytes -= this.bytesOf(this.applied + 1, index);
    this.applied = index;
  }

  /** Forgets entries up to `index`; a checkpoint holds them. */
  compact(index: LogIndex): void {
    if (index <= this.compacted) return;
    assert(index <= this.applied, () => `compacting ${index}, but only ${this.applied} is applied`);
    this.#entries.splice(0, index - this.compacted);
    this.#terms.compact(index);
  }

  /** A snapshot at an entry that the log holds: what follows stays (rule S3). */
  forward(index: LogIndex): void {
    this.commitTo(index);
    this.stable = Math.max(this.stable, index);
    this.accepted = Math.max(this.accepted, index);
    this.given = Math.max(this.given, index);
    this.applied = Math.max(this.applied, index);
    this.givenBytes = this.bytesOf(this.applied + 1, this.given);
  }

  /** A snapshot at an entry that the log does not hold: all of the log goes, not only what lies below (rule S3). */
  reset(index: LogIndex, term: Term): void {
    assert(index > this.commit, 'a snapshot may not replace committed entries');
    this.#entries = [];
    this.#terms = new TermRuns(index, term);
    this.commit = index;
    this.stable = index;
    this.accepted = index;
    this.given = index;
    this.applied = index;
    this.givenBytes = 0;
  }
}
