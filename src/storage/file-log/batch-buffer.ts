/** Gathers the records of one batch in a reused buffer, so that a batch is one write call. */
import { LOG_BUFFER_KEEP_BYTES } from '../limits.ts';
import { alignRecord, digestEntry, RECORD_HEADER_BYTES, writeHeader } from './record.ts';

/** What every record repeats of the log's state; the store owns one and keeps it current. */
export interface LogState {
  salt: number;
  segmentBytes: number;
  generation: number;
  /** Sequence number and header CRC of the last record. */
  sequence: number;
  crc: number;
  /** Last sequence number known to be synced. */
  synced: number;
  term: number;
  vote: number;
  commit: number;
  compactedIndex: number;
  compactedTerm: number;
  /** Index that the next entry will have. */
  nextIndex: number;
  /** Oldest generation still needed. */
  oldestGeneration: number;
}

/** Buffer of one batch. Usage: `begin`, `add` per entry, `finish`; repeat; `bytes()`; `clear`. */
export class BatchBuffer {
  #buffer: Uint8Array = new Uint8Array(16 * 1024);
  #length = 0;
  #start = 0;
  #count = 0;
  #digest = 0;
  #firstIndex = 0;
  #open = false;

  /** Whether a record was begun and not finished. */
  get open(): boolean {
    return this.#open;
  }

  get length(): number {
    return this.#length;
  }

  /** Starts a record whose first entry (or next one, without entries) has `firstIndex`. */
  begin(firstIndex: number): void {
    this.#reserve(RECORD_HEADER_BYTES);
    this.#start = this.#length;
    this.#length += RECORD_HEADER_BYTES;
    this.#count = 0;
    this.#digest = 0;
    this.#firstIndex = firstIndex;
    this.#open = true;
  }

  /** Appends one entry's record. */
  add(entry: Uint8Array): void {
    this.#reserve(entry.length);
    this.#buffer.set(entry, this.#length);
    this.#length += entry.length;
    this.#count++;
    this.#digest = digestEntry(this.#digest, entry);
  }

  /** Completes the record from `state`, whose `sequence` and `crc` move on to it. */
  finish(state: LogState, flags = 0): void {
    const end = this.#start + alignRecord(this.#length - this.#start);
    this.#reserve(end - this.#length);
    this.#buffer.fill(0, this.#length, end);
    this.#length = end;
    state.sequence++;
    state.crc = writeHeader(this.#buffer, this.#start, {
      crc: 0,
      length: end - this.#start,
      digest: this.#digest,
      previousCrc: state.crc,
      count: this.#count,
      flags,
      salt: state.salt,
      segmentBytes: state.segmentBytes,
      generation: state.generation,
      sequence: state.sequence,
      syncedThrough: state.synced,
      firstIndex: this.#firstIndex,
      term: state.term,
      vote: state.vote,
      commit: state.commit,
      compactedIndex: state.compactedIndex,
      compactedTerm: state.compactedTerm,
      oldestGeneration: state.oldestGeneration,
    });
    this.#open = false;
  }

  /** The finished records: a view, valid until the next `begin`. */
  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Forgets everything; gives a buffer back that one huge batch made large. */
  clear(): void {
    this.#length = 0;
    this.#open = false;
    if (this.#buffer.length > LOG_BUFFER_KEEP_BYTES) {
      this.#buffer = new Uint8Array(LOG_BUFFER_KEEP_BYTES);
    }
  }

  #reserve(count: number): void {
    const need = this.#length + count;
    if (need <= this.#buffer.length) return;
    const grown = new Uint8Array(Math.max(need, this.#buffer.length * 2));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
  }
}
