/** What a log has accepted, written or not: what the next call is checked against. */
import type { StorageWrite } from '../../raft/contract.ts';
import { assert } from '../../wire/assert.ts';
import type { LogIndex, Term } from '../../wire/entry.ts';
import { alignRecord, RECORD_HEADER_BYTES } from './record.ts';

/** The bounds of the log as they will be when everything accepted is written. */
export class Accepted {
  #nextIndex: LogIndex = 1;
  #compacted: LogIndex = 0;
  #term: Term = 0;

  /** What the log held when it was opened. */
  start(nextIndex: LogIndex, compacted: LogIndex, term: Term): void {
    this.#nextIndex = nextIndex;
    this.#compacted = compacted;
    this.#term = term;
  }

  /** Asserts that `write` fits; returns the most room that it needs in a segment, bytes. */
  append({ hardState, entries }: StorageWrite): number {
    if (hardState !== null) {
      assert(hardState.term >= this.#term, 'the term never goes back');
      this.#term = hardState.term;
    }
    let bytes = alignRecord(RECORD_HEADER_BYTES + 1);
    const first = entries[0];
    if (first === undefined) return bytes;
    assert(
      first.index > this.#compacted && first.index <= this.#nextIndex,
      () => `appending ${first.index} to a log of ${this.#compacted + 1} to ${this.#nextIndex - 1}`,
    );
    let index = first.index;
    for (const entry of entries) {
      assert(entry.index === index, 'entries of one write are gapless');
      index++;
      bytes += entry.bytes.length;
    }
    this.#nextIndex = index;
    return bytes;
  }

  /** False when so much was compacted before. */
  compact(index: LogIndex): boolean {
    if (index <= this.#compacted) return false;
    assert(index < this.#nextIndex, () => `compacting to ${index}, the log ends before it`);
    this.#compacted = index;
    return true;
  }

  reset(index: LogIndex): void {
    assert(index >= this.#compacted, () => `reset to ${index}, which is compacted`);
    this.#compacted = index;
    this.#nextIndex = index + 1;
  }
}
