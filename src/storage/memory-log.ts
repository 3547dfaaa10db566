/** A log in memory: for the volatile cache group and for tests. Durable as long as the object lives. */
import type { StorageWrite } from '../raft/contract.ts';
import { assert } from '../wire/assert.ts';
import type { Entry, LogIndex, Term } from '../wire/entry.ts';
import type { LogStore, RecoveredLog } from './contract.ts';

type Done = (error: Error | null) => void;

/** A log that forgets everything when the process ends. `open` after `close` finds what was kept. */
export function createMemoryLogStore(): LogStore {
  return new MemoryLog();
}

class MemoryLog implements LogStore {
  #entries: Entry[] = [];
  #compacted = { index: 0, term: 0 };
  #hardState = { term: 0, vote: 0, commit: 0 };
  #bytes = 0;
  #open = false;
  readonly #dones: Done[] = [];
  #delivering = false;

  open(): RecoveredLog {
    assert(!this.#open, 'a log is opened once');
    this.#open = true;
    return {
      hardState: { ...this.#hardState },
      compacted: { ...this.#compacted },
      entries: this.#entries.slice(),
      torn: false,
    };
  }

  append(write: StorageWrite, done: Done): void {
    assert(this.#open, 'a log is opened before it is used');
    const { entries, hardState } = write;
    if (hardState !== null) {
      assert(hardState.term >= this.#hardState.term, 'the term never goes back');
      this.#hardState = { term: hardState.term, vote: hardState.vote, commit: hardState.commit };
    }
    const first = entries[0];
    if (first !== undefined) {
      const at = first.index - this.#compacted.index - 1;
      const last = this.#compacted.index + this.#entries.length;
      assert(at >= 0 && at <= this.#entries.length, () => {
        return `appending ${first.index} to a log of ${this.#compacted.index + 1}..${last}`;
      });
      this.#drop(this.#entries.splice(at));
      for (let i = 0; i < entries.length; i++) {
        const entry = entries[i]!;
        assert(entry.index === first.index + i, 'entries of one write are gapless');
        this.#entries.push(entry);
        this.#bytes += entry.bytes.length;
      }
    }
    this.#deliver(done);
  }

  compact(index: LogIndex, term: Term): void {
    const count = index - this.#compacted.index;
    if (count <= 0) return;
    assert(count <= this.#entries.length, () => `compacting to ${index}, the log ends before it`);
    this.#drop(this.#entries.splice(0, count));
    this.#compacted = { index, term };
  }

  reset(index: LogIndex, term: Term, done: Done): void {
    assert(index >= this.#compacted.index, () => `reset to ${index}, which is compacted`);
    this.#entries = [];
    this.#bytes = 0;
    this.#compacted = { index, term };
    this.#deliver(done);
  }

  close(done: Done): void {
    assert(this.#open, 'a log is closed once');
    this.#open = false;
    this.#deliver(done);
  }

  stalledMs(): number {
    return 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  #drop(entries: readonly Entry[]): void {
    for (const entry of entries) this.#bytes -= entry.bytes.length;
  }

  /** Calls back in the order of the calls, also when a callback appends. */
  #deliver(done: Done): void {
    this.#dones.push(done);
    if (this.#delivering) return;
    this.#delivering = true;
    for (let next = this.#dones.shift(); next !== undefined; next = this.#dones.shift()) next(null);
    this.#delivering = false;
  }
}
