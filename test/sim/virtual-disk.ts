/** A disk in memory that tells written from durable, and loses what is only written. */
import type { HardState, RaftStart, StorageWrite } from '../../src/raft/contract.ts';
import { assert } from '../../src/wire/assert.ts';
import type { Entry, LogIndex, Term } from '../../src/wire/entry.ts';
import { EMPTY_MEMBERSHIP, type Membership } from '../../src/wire/membership.ts';

/** A state machine's content at an index. `hash` runs over every entry applied. */
export interface Checkpoint {
  readonly index: LogIndex;
  readonly term: Term;
  readonly membership: Membership;
  readonly hash: number;
}

/** What is left of the writes under way when the power fails. */
export interface Remains {
  /** Whole writes that reached the platter, from the oldest on. */
  readonly writes: number;
  /** Entries of the next one that did, too; its hard state comes first (rule D1). */
  readonly entries: number;
}

const NOTHING: Checkpoint = { index: 0, term: 0, membership: EMPTY_MEMBERSHIP, hash: 0 };

/** Log and checkpoint of one replica. Writes wait in `queue` until they are synced, in order. */
export class VirtualDisk {
  hardState: HardState = { term: 0, vote: 0, commit: 0 };
  compacted: { index: LogIndex; term: Term } = { index: 0, term: 0 };
  entries: Entry[] = [];
  checkpoint: Checkpoint = NOTHING;
  readonly queue: StorageWrite[] = [];

  get last(): LogIndex {
    return this.compacted.index + this.entries.length;
  }

  /** Term of a durable entry; null outside the log. */
  termAt(index: LogIndex): Term | null {
    if (index === this.compacted.index) return this.compacted.term;
    return this.entries[index - this.compacted.index - 1]?.term ?? null;
  }

  /** Whether (index, term) is durable here, in the log or in the checkpoint. */
  holds(index: LogIndex, term: Term): boolean {
    return index <= this.compacted.index || this.termAt(index) === term;
  }

  /** Makes the oldest `count` writes durable; returns their tokens. */
  sync(count: number = this.queue.length): number[] {
    const synced = this.queue.splice(0, count);
    for (const write of synced) this.#perform(write, write.entries.length);
    return synced.map((write) => write.token);
  }

  #perform(write: StorageWrite, count: number): void {
    if (write.hardState !== null) this.hardState = write.hardState;
    const entries = write.entries.slice(0, count);
    const first = entries[0]?.index;
    if (first === undefined) return;
    assert(first > this.compacted.index && first <= this.last + 1, `a write has a gap at ${first}`);
    this.entries.length = first - this.compacted.index - 1;
    this.entries.push(...entries);
  }

  /** The power fails. */
  crash({ writes, entries }: Remains): void {
    this.sync(writes);
    const torn = this.queue.shift();
    if (torn !== undefined && entries > 0) this.#perform(torn, entries);
    this.queue.length = 0;
  }

  /** Replaces the checkpoint and forgets entries up to `keepFrom`, at most up to the checkpoint. */
  save(checkpoint: Checkpoint, compactTo: LogIndex): void {
    this.checkpoint = checkpoint;
    this.compactTo(Math.min(compactTo, checkpoint.index));
  }

  compactTo(index: LogIndex): void {
    const term = this.termAt(index);
    if (index <= this.compacted.index || term === null) return;
    this.entries.splice(0, index - this.compacted.index);
    this.compacted = { index, term };
  }

  /** A peer's checkpoint takes the place of everything; `keepLog` when the log holds its entry. */
  install(checkpoint: Checkpoint, keepLog: boolean): void {
    this.checkpoint = checkpoint;
    if (keepLog) return;
    this.entries = [];
    this.compacted = { index: checkpoint.index, term: checkpoint.term };
  }

  /** What a core starts from after opening this disk. */
  recovered(): Pick<RaftStart, 'hardState' | 'applied' | 'compacted' | 'membership' | 'entries'> {
    const { hardState, compacted, checkpoint } = this;
    const applied = { index: checkpoint.index, term: checkpoint.term };
    const { membership } = checkpoint;
    return { hardState, applied, compacted, membership, entries: [...this.entries] };
  }
}
