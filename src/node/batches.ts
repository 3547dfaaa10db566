/** Writes on their way into the log: gathered in batches, one entry each, encoded as they come. */
import type { NodeLimits } from '../config/limits.ts';
import { BatchBuilder } from '../wire/command.ts';
import { commandBytes, type PendingWrite } from './pending-write.ts';

/** Room of the first builder; later ones are as large as what was proposed before them. */
const FIRST_BYTES = 4096;

/** One log entry to be. */
export interface Batch {
  readonly builder: BatchBuilder;
  readonly writes: PendingWrite[];
  slow: boolean;
  /** Nothing may join it: it holds a command that wants an entry of its own. */
  sealed: boolean;
}

/** How a command wants to be proposed. */
export interface Manner {
  readonly slow: boolean;
  /** It must have an entry to itself. */
  readonly alone: boolean;
}

/** Batches that are not proposed yet, in order; only the last one is open. */
export class Batches {
  readonly #limits: Pick<NodeLimits, 'maxBatchBytes' | 'maxBatchCommands'>;
  #batches: Batch[] = [];
  #lastBytes = FIRST_BYTES;
  /** Some write was given up before it was proposed: it must not be. */
  #withdrawn = false;

  constructor(limits: Pick<NodeLimits, 'maxBatchBytes' | 'maxBatchCommands'>) {
    this.#limits = limits;
  }

  get length(): number {
    return this.#batches.length;
  }

  /** The batch that takes `extra` more bytes. */
  open(extra: number = 0): Batch {
    const last = this.#batches[this.#batches.length - 1];
    const { maxBatchBytes, maxBatchCommands } = this.#limits;
    if (
      last &&
      !last.sealed &&
      last.builder.bytes + extra < maxBatchBytes &&
      last.writes.length < maxBatchCommands
    ) {
      return last;
    }
    return this.#add();
  }

  #add(): Batch {
    const builder = new BatchBuilder(this.#lastBytes);
    const batch: Batch = { builder, writes: [], slow: false, sealed: false };
    this.#batches.push(batch);
    return batch;
  }

  /** The write that was just encoded into `batch` belongs to it, or gets one of its own. */
  enter(batch: Batch, write: PendingWrite, { slow, alone }: Manner): void {
    if (alone && batch.writes.length > 0) {
      write.command = batch.builder.copy(write);
      batch.builder.cancelLast(write.start);
      batch.sealed = true;
      this.push(write, { slow, alone });
      return;
    }
    batch.writes.push(write);
    batch.slow ||= slow;
    batch.sealed ||= alone;
  }

  /** Adds a write whose command stands alone. */
  push(write: PendingWrite, { slow, alone }: Manner): void {
    const command = commandBytes(write);
    const batch = this.open(command.length);
    const target = alone && batch.writes.length > 0 ? this.#add() : batch;
    target.builder.append(command);
    target.writes.push(write);
    target.slow ||= slow;
    target.sealed ||= alone;
  }

  /** Nothing could be encoded into `batch`, the open one. */
  refused(batch: Batch): void {
    if (batch.writes.length === 0) this.#batches.pop();
  }

  /** A write that may be in here was given up: it will not be proposed. */
  withdrawn(): void {
    this.#withdrawn = true;
  }

  /** The batch to propose next; undefined when there is none. */
  next(): Batch | undefined {
    if (this.#withdrawn) this.#dropWithdrawn();
    return this.#batches[0];
  }

  #dropWithdrawn(): void {
    this.#withdrawn = false;
    for (const [at, batch] of this.#batches.entries()) {
      if (batch.writes.every(({ done }) => done !== null)) continue;
      const live = batch.writes.filter(({ done }) => done !== null);
      const builder = new BatchBuilder(batch.builder.bytes);
      for (const write of live) builder.append(commandBytes(write));
      this.#batches[at] = { ...batch, builder, writes: live };
    }
    this.#batches = this.#batches.filter(({ writes }) => writes.length > 0);
  }

  /** The next batch was proposed, as a record of so many bytes. */
  proposed(bytes: number): void {
    this.#batches.shift();
    this.#lastBytes = bytes + (bytes >> 2);
  }

  /** Takes everything out. */
  drain(): PendingWrite[] {
    const writes = this.#batches.flatMap((batch) => batch.writes);
    this.#batches = [];
    this.#withdrawn = false;
    return writes;
  }
}
