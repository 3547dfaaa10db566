/**
 * The log in files. Hard state and entries share one ordered stream of records (rule D1) in preallocated segments.
 *
 * Group commit: one write call and one sync per batch; what is appended while a sync is in flight is the next batch.
 * With a healthy disk the sync blocks and `done` is called before `append` returns; after a slow sync it runs on a
 * thread until the disk is fast again. `append` may be called from inside a `done`: it is queued, and its own `done`
 * comes after those of all earlier appends.
 */
import type { Clock, Entropy, TimerHandle, Timers } from '../../platform/contract.ts';
import { FileError, type FileFolder } from '../../platform/files.ts';
import type { StorageWrite } from '../../raft/contract.ts';
import { assert } from '../../wire/assert.ts';
import type { LogIndex, Term } from '../../wire/entry.ts';
import { QuorliteError } from '../../wire/error.ts';
import type { LogStore, RecoveredLog, SyncMode } from '../contract.ts';
import { storageFailed, writeFully } from '../file-io.ts';
import { LOG_CLAIM_MS, LOG_SEGMENT_BYTES, LOG_SEGMENT_BYTES_MIN } from '../limits.ts';
import { Accepted } from './accepted.ts';
import { BatchBuffer, type LogState } from './batch-buffer.ts';
import { activeOf, type LiveSegment, openLog } from './open-log.ts';
import { alignRecord, RECORD_HEADER_BYTES, RECORD_OPENS } from './record.ts';
import { SegmentPool } from './segment-pool.ts';
import { SyncPolicy } from './sync-policy.ts';

/** What a file log is made of. */
export interface FileLogOptions {
  /** The folder; the caller holds its lock. */
  readonly folder: FileFolder;
  readonly sync: SyncMode;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Source of the log's salt; without one, a client's bytes could pass for a record behind a torn one. */
  readonly entropy?: Entropy | undefined;
  /** First part of the files' names; logs that share a folder need different ones. Default `log`. */
  readonly prefix?: string | undefined;
  /** Bytes of a segment. Default 8 MiB; a batch that needs more gets a larger segment of its own. */
  readonly segmentBytes?: number | undefined;
}

type Done = (error: Error | null) => void;

/** What waits in the queue. */
interface Item {
  readonly kind: 'append' | 'compact' | 'reset' | 'close';
  readonly write: StorageWrite | null;
  readonly index: LogIndex;
  readonly term: Term;
  /** Upper bound of the bytes that it adds to a segment. */
  readonly bytes: number;
  readonly since: number;
  readonly done: Done;
}

/** Where the work on the current batch stands. */
type Stage = 'pick' | 'room' | 'write' | 'deliver';

/** Room that every batch leaves behind it: one empty record that claims it as synced. */
const CLAIM_BYTES = RECORD_HEADER_BYTES;

/**
 * A log in `options.folder`.
 *
 * @example
 * const log = createFileLogStore({ folder, sync: { mode: 'durable' }, clock, timers });
 * const { entries, hardState } = log.open();
 * log.append({ token: 1, hardState: null, entries: [entry], mustSync: true }, (error) => { … });
 */
export function createFileLogStore(options: FileLogOptions): LogStore {
  return new FileLog(options);
}

class FileLog implements LogStore {
  readonly #folder: FileFolder;
  readonly #mode: SyncMode;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #entropy: Entropy | undefined;
  readonly #segmentBytes: number;
  readonly #pool: SegmentPool;
  readonly #buffer: BatchBuffer = new BatchBuffer();
  readonly #policy: SyncPolicy = new SyncPolicy();

  #state: LogState | null = null;
  #live: LiveSegment[] = [];
  /** Last record that is more than a claim; claims behind it need no sync. */
  #solid = { sequence: 0, crc: 0 };
  /** Once record `sequence` is synced, segments older than `oldest` are free. */
  #release = { sequence: 0, oldest: 0 };

  #queue: Item[] = [];
  #batch: Item[] = [];
  #stage: Stage = 'pick';
  #busy = false;
  #mustSync = false;
  #syncsInFlight = 0;
  #timer: TimerHandle | null = null;
  #claimTimer: TimerHandle | null = null;
  #error: QuorliteError | null = null;
  #failing = false;
  #closed = false;

  readonly #accepted: Accepted = new Accepted();

  constructor(options: FileLogOptions) {
    this.#folder = options.folder;
    this.#mode = options.sync;
    this.#clock = options.clock;
    this.#timers = options.timers;
    this.#entropy = options.entropy;
    this.#segmentBytes = alignRecord(options.segmentBytes ?? LOG_SEGMENT_BYTES);
    assert(this.#segmentBytes >= LOG_SEGMENT_BYTES_MIN, 'a segment holds some records');
    const prefix = options.prefix ?? 'log';
    this.#pool = new SegmentPool(this.#folder, this.#timers, prefix, this.#segmentBytes);
  }

  open(): RecoveredLog {
    assert(this.#state === null, 'a log is opened once');
    try {
      const log = openLog(this.#folder, this.#pool, this.#segmentBytes, this.#entropy);
      const { state } = log;
      this.#state = state;
      this.#live = log.live;
      this.#solid = { sequence: state.sequence, crc: state.crc };
      this.#accepted.start(state.nextIndex, state.compactedIndex, state.term);
      this.#claim(state);
      this.#pool.prepare();
      return log.recovered;
    } catch (error) {
      this.#pool.close();
      if (error instanceof QuorliteError) throw error;
      throw storageFailed(this.#folder.label, fileErrorOf(error), 'unknown');
    }
  }

  append(write: StorageWrite, done: Done): void {
    this.#enqueue('append', write, 0, 0, this.#accepted.append(write), done);
  }

  compact(index: LogIndex, term: Term): void {
    if (!this.#accepted.compact(index)) return;
    this.#enqueue('compact', null, index, term, RECORD_HEADER_BYTES, ignore);
  }

  reset(index: LogIndex, term: Term, done: Done): void {
    this.#accepted.reset(index);
    this.#enqueue('reset', null, index, term, RECORD_HEADER_BYTES, done);
  }

  close(done: Done): void {
    this.#enqueue('close', null, 0, 0, RECORD_HEADER_BYTES, done);
  }

  stalledMs(): number {
    const oldest = this.#batch[0] ?? this.#queue[0];
    return oldest === undefined ? 0 : this.#clock.monotonicMs() - oldest.since;
  }

  get bytes(): number {
    return this.#live.reduce((sum, segment) => sum + segment.end, 0);
  }

  #enqueue(
    kind: Item['kind'],
    write: StorageWrite | null,
    index: LogIndex,
    term: Term,
    bytes: number,
    done: Done,
  ): void {
    assert(this.#state !== null, 'a log is opened before it is used');
    assert(!this.#closed, 'a closed log takes nothing more');
    this.#closed = kind === 'close';
    const since = this.#clock.monotonicMs();
    this.#queue.push({ kind, write, index, term, bytes, since, done });
    if (this.#error !== null) this.#refuseAll();
    else if (!this.#busy) this.#run(this.#state);
  }

  /** Works until the queue is empty or a sync runs on a thread, whose end calls it again. */
  #run(state: LogState): void {
    this.#busy = true;
    while (this.#error === null) {
      if (this.#stage === 'deliver') {
        this.#deliver();
        continue;
      }
      try {
        if (this.#stage === 'pick' && !this.#pick()) {
          this.#claimLater(state);
          break;
        }
        if (!this.#advance(state)) return;
      } catch (error) {
        this.#fail(fileErrorOf(error));
      }
    }
    this.#busy = false;
  }

  /** Takes the next batch: as much as one segment holds, at least one item. A close stands alone. */
  #pick(): boolean {
    const queue = this.#queue;
    if (queue.length === 0) return false;
    const capacity = this.#segmentBytes - RECORD_HEADER_BYTES - CLAIM_BYTES;
    let count = 0;
    let bytes = 0;
    for (const item of queue) {
      if (count > 0 && (bytes + item.bytes > capacity || item.kind === 'close')) break;
      bytes += item.bytes;
      count++;
    }
    if (count === queue.length) {
      this.#queue = this.#batch;
      this.#batch = queue;
    } else {
      this.#batch = queue.splice(0, count);
    }
    this.#stage = 'room';
    return true;
  }

  /** One stage of the batch; false while a sync runs on a thread. */
  #advance(state: LogState): boolean {
    if (this.#stage === 'write') {
      this.#writeBatch(state);
      this.#stage = 'deliver';
      return !this.#mustSync || this.#sync(state);
    }
    const bytes = this.#batch.reduce((sum, item) => sum + item.bytes, 0);
    const active = activeOf(this.#live);
    const fits = active.end + bytes + CLAIM_BYTES <= active.file.bytes;
    const last = this.#batch[0]!.kind === 'close';
    // Rule D7: the old segment is synced before anything goes to a new one. A close syncs, claims, and syncs the claim.
    if ((!fits || last) && state.synced < this.#solid.sequence) return this.#sync(state);
    if (!fits && !last) this.#roll(state, bytes);
    this.#stage = 'write';
    return true;
  }

  /** Goes on in a new segment. Its opening record takes the place of a claim that was not synced yet. */
  #roll(state: LogState, bytes: number): void {
    const file = this.#pool.take(RECORD_HEADER_BYTES + bytes + CLAIM_BYTES);
    if (state.sequence > state.synced) {
      state.sequence = this.#solid.sequence;
      state.crc = this.#solid.crc;
    }
    state.generation++;
    state.segmentBytes = file.bytes;
    this.#live.push({ file, generation: state.generation, end: 0, maxIndex: 0 });
    this.#buffer.begin(state.nextIndex);
    this.#buffer.finish(state, RECORD_OPENS);
    this.#pool.prepare();
  }

  #writeBatch(state: LogState): void {
    const buffer = this.#buffer;
    this.#mustSync = false;
    for (const item of this.#batch) {
      if (item.write !== null) this.#encodeAppend(state, item.write);
      else this.#encodeControl(state, item);
    }
    if (buffer.open) buffer.finish(state);
    // A mere commit hint goes with the next record.
    if (buffer.length === 0) return;
    const active = activeOf(this.#live);
    writeFully(active.file.handle, buffer.bytes(), active.end);
    active.end += buffer.length;
    buffer.clear();
    this.#solid.sequence = state.sequence;
    this.#solid.crc = state.crc;
    if (!this.#mustSync && this.#mode.mode === 'interval') this.#startTimer(state, this.#mode.ms);
  }

  #encodeAppend(state: LogState, write: StorageWrite): void {
    const { hardState, entries } = write;
    const buffer = this.#buffer;
    const first = entries[0]?.index ?? state.nextIndex;
    if (buffer.open && first !== state.nextIndex) buffer.finish(state);
    if (this.#mode.mode === 'durable' && write.mustSync) this.#mustSync = true;
    if (hardState !== null) {
      if (hardState.term !== state.term || hardState.vote !== state.vote) {
        // Synced in every mode: a vote that is forgotten may be given twice (rule E1).
        this.#mustSync = true;
        if (!buffer.open) buffer.begin(first);
      }
      state.term = hardState.term;
      state.vote = hardState.vote;
      state.commit = hardState.commit;
    }
    if (entries.length === 0) return;
    if (!buffer.open) buffer.begin(first);
    for (const entry of entries) buffer.add(entry.bytes);
    state.nextIndex = first + entries.length;
    const active = activeOf(this.#live);
    active.maxIndex = Math.max(active.maxIndex, state.nextIndex - 1);
  }

  #encodeControl(state: LogState, item: Item): void {
    const buffer = this.#buffer;
    this.#mustSync = true;
    if (item.kind === 'reset') {
      if (buffer.open) buffer.finish(state);
      state.nextIndex = item.index + 1;
      for (const segment of this.#live) segment.maxIndex = 0;
    }
    if (item.kind !== 'close' && item.index >= state.compactedIndex) {
      state.compactedIndex = item.index;
      state.compactedTerm = item.term;
      const needed = this.#live.find((segment) => segment.maxIndex > item.index);
      state.oldestGeneration = (needed ?? activeOf(this.#live)).generation;
      this.#release = { sequence: state.sequence + 1, oldest: state.oldestGeneration };
    }
    if (!buffer.open) buffer.begin(state.nextIndex);
  }

  /** Syncs the active segment; false when it goes on on a thread. */
  #sync(state: LogState): boolean {
    const { handle } = activeOf(this.#live).file;
    const through = state.sequence;
    const start = this.#clock.monotonicMs();
    if (this.#policy.blocking) {
      handle.sync();
      this.#policy.observe(this.#clock.monotonicMs() - start);
      this.#synced(state, through);
      return true;
    }
    this.#syncsInFlight++;
    handle.syncAsync((error) => {
      this.#syncsInFlight--;
      this.#policy.observe(this.#clock.monotonicMs() - start);
      this.#afterSync(state, through, error);
      if (this.#error === null) this.#run(state);
    });
    return false;
  }

  #afterSync(state: LogState, through: number, error: FileError | null): void {
    if (this.#error !== null || this.#live.length === 0) return;
    try {
      if (error !== null) throw error;
      this.#synced(state, through);
    } catch (failure) {
      this.#fail(fileErrorOf(failure));
    }
  }

  #synced(state: LogState, through: number): void {
    state.synced = Math.max(state.synced, through);
    if (state.synced < this.#release.sequence || this.#syncsInFlight > 0) return;
    while (this.#live[0]!.generation < this.#release.oldest) {
      this.#pool.give(this.#live.shift()!.file);
    }
  }

  /** Claims when the log has been idle for a moment: a busy log's next record carries the claim, at no cost. */
  #claimLater(state: LogState): void {
    if (this.#claimTimer !== null || state.sequence !== this.#solid.sequence) return;
    this.#claimTimer = this.#timers.after(LOG_CLAIM_MS, () => {
      this.#claimTimer = null;
      if (this.#busy || this.#error !== null || this.#closed) return;
      try {
        this.#claim(state);
      } catch (error) {
        this.#fail(fileErrorOf(error));
      }
    });
  }

  /** Writes the empty record that claims everything as synced, unless one stands there; not synced itself. */
  #claim(state: LogState): void {
    const { sequence } = this.#solid;
    if (state.sequence !== sequence || state.synced < sequence || this.#closed) return;
    const active = activeOf(this.#live);
    if (active.end + CLAIM_BYTES > active.file.bytes) return;
    const buffer = this.#buffer;
    buffer.begin(state.nextIndex);
    buffer.finish(state);
    writeFully(active.file.handle, buffer.bytes(), active.end);
    active.end += buffer.length;
    buffer.clear();
  }

  #startTimer(state: LogState, ms: number): void {
    if (this.#timer !== null || this.#closed) return;
    this.#timer = this.#timers.after(ms, () => {
      this.#timer = null;
      if (this.#error !== null || state.synced >= this.#solid.sequence) return;
      const through = state.sequence;
      this.#syncsInFlight++;
      activeOf(this.#live).file.handle.syncAsync((error) => {
        this.#syncsInFlight--;
        this.#afterSync(state, through, error);
        if (this.#error !== null || this.#closed) return;
        if (state.synced < this.#solid.sequence) this.#startTimer(state, ms);
        else if (!this.#busy) this.#run(state);
      });
    });
  }

  /** Answers the batch, in order. */
  #deliver(): void {
    const batch = this.#batch;
    this.#stage = 'pick';
    if (batch[0]!.kind === 'close') this.#closeFiles();
    for (let i = 0; i < batch.length; i++) batch[i]!.done(null);
    batch.length = 0;
  }

  #closeFiles(): void {
    if (this.#timer !== null) this.#timers.cancel(this.#timer);
    this.#timer = null;
    if (this.#claimTimer !== null) this.#timers.cancel(this.#claimTimer);
    this.#claimTimer = null;
    this.#pool.close();
    for (const { file } of this.#live) file.handle.close();
    this.#live = [];
  }

  /** Rule D3: the first failure is final. Nothing of a batch that found no room is on the disk: a definite outcome. */
  #fail(error: FileError): void {
    const nothingWritten = error.kind === 'no-space' && this.#stage === 'room';
    const outcome = nothingWritten ? 'not-applied' : 'unknown';
    this.#error = storageFailed(this.#folder.label, error, outcome);
    this.#queue = this.#batch.concat(this.#queue);
    this.#batch = [];
    try {
      this.#closeFiles();
    } catch {
      // Closing after a failure is a courtesy.
    }
    this.#refuseAll();
  }

  #refuseAll(): void {
    if (this.#failing) return;
    this.#failing = true;
    for (let item = this.#queue.shift(); item !== undefined; item = this.#queue.shift()) {
      item.done(this.#error);
    }
    this.#failing = false;
  }
}

/** What is not a failure of the file layer is a broken invariant and goes on up. */
function fileErrorOf(error: unknown): FileError {
  if (error instanceof FileError) return error;
  throw error;
}

function ignore(): void {}
