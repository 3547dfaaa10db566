/** Opens the segment files: recovers what they hold, or begins a new log; leaves everything durable. */
import type { Entropy } from '../../platform/contract.ts';
import type { FileFolder } from '../../platform/files.ts';
import { must } from '../../wire/assert.ts';
import type { RecoveredLog } from '../contract.ts';
import { writeFully } from '../file-io.ts';
import { ZERO_SLICE_BYTES } from '../limits.ts';
import { BatchBuffer, type LogState } from './batch-buffer.ts';
import { RECORD_HEADER_BYTES, RECORD_OPENS } from './record.ts';
import { assembleLog, holdsRecordBehind, type ScannedSegment, scanSegment } from './recover.ts';
import type { SegmentFile, SegmentPool } from './segment-pool.ts';

/** A segment in use. */
export interface LiveSegment {
  readonly file: SegmentFile;
  readonly generation: number;
  /** Where its next record goes. */
  end: number;
  /** Highest index of an entry in it that may still be needed; 0 for none. */
  maxIndex: number;
}

/** A log that is open. */
export interface OpenLog {
  readonly recovered: RecoveredLog;
  readonly state: LogState;
  /** Oldest first; the last one is written to. */
  readonly live: LiveSegment[];
}

/** Opens or creates; throws `CORRUPT` (rule D5) or `FileError`. On an error all files are closed again. */
export function openLog(
  folder: FileFolder,
  pool: SegmentPool,
  segmentBytes: number,
  entropy: Entropy | undefined,
): OpenLog {
  const scanned: ScannedSegment[] = [];
  try {
    for (const name of pool.list()) {
      const handle = folder.open(name, { create: false });
      const file = { name, handle, bytes: handle.size() };
      scanned.push({ file, content: new Uint8Array(0), records: [], end: 0 });
      scanned[scanned.length - 1] = scanSegment(file);
    }
    const log = assembleLog(folder, scanned);
    const newest = log.live.at(-1);
    for (const segment of log.unused) reuse(pool, segment, newest, segmentBytes);
    if (newest === undefined) return createLog(folder, pool, entropy);
    settle(newest, log.torn);
    folder.syncFolder();
    return { recovered: recoveredOf(log, newest), ...stateOf(log.live, newest) };
  } catch (error) {
    for (const { file } of scanned) file.handle.close();
    throw error;
  }
}

/**
 * A file that is not needed becomes a spare if it is whole and holds nothing of a later generation: such records, of a
 * segment that was being opened in a crash, might continue the chain once the generation is used again.
 */
function reuse(
  pool: SegmentPool,
  segment: ScannedSegment,
  newest: ScannedSegment | undefined,
  segmentBytes: number,
): void {
  const generation = newest === undefined ? 0 : newest.records[0]!.header.generation;
  if (segment.content.length === segmentBytes && !holdsRecordBehind(segment, generation)) {
    segment.file.handle.sync();
    pool.give(segment.file);
  } else {
    pool.discard(segment.file);
  }
}

/**
 * Makes the end of the log durable. Records that no later one claims as synced are written once more: after a sync that
 * failed, the operating system may show bytes that it no longer intends to write.
 */
function settle(newest: ScannedSegment, torn: boolean): void {
  const { handle, bytes } = newest.file;
  const { syncedThrough } = newest.records.at(-1)!.header;
  const unclaimed = newest.records.find(({ header }) => header.sequence > syncedThrough);
  if (unclaimed !== undefined) {
    writeFully(handle, newest.content.subarray(unclaimed.at, newest.end), unclaimed.at);
  }
  if (torn) zero(newest.file, newest.end, bytes);
  handle.sync();
}

function zero(file: SegmentFile, from: number, to: number): void {
  const zeros = new Uint8Array(Math.min(ZERO_SLICE_BYTES, to - from));
  for (let at = from; at < to; at += zeros.length) {
    writeFully(file.handle, zeros.subarray(0, Math.min(zeros.length, to - at)), at);
  }
}

function recoveredOf(log: ReturnType<typeof assembleLog>, newest: ScannedSegment): RecoveredLog {
  const { header } = newest.records.at(-1)!;
  return {
    hardState: { term: header.term, vote: header.vote, commit: header.commit },
    compacted: { index: header.compactedIndex, term: header.compactedTerm },
    entries: log.entries,
    torn: log.torn,
  };
}

function stateOf(
  segments: readonly ScannedSegment[],
  newest: ScannedSegment,
): { state: LogState; live: LiveSegment[] } {
  const last = newest.records.at(-1)!.header;
  const state: LogState = {
    salt: last.salt,
    segmentBytes: newest.file.bytes,
    generation: last.generation,
    sequence: last.sequence,
    crc: last.crc,
    synced: last.sequence,
    term: last.term,
    vote: last.vote,
    commit: last.commit,
    compactedIndex: last.compactedIndex,
    compactedTerm: last.compactedTerm,
    nextIndex: last.firstIndex + last.count,
    oldestGeneration: last.oldestGeneration,
  };
  const live = segments.map(({ file, records, end }) => ({
    file,
    generation: records[0]!.header.generation,
    end,
    maxIndex: records.reduce((max, { header }) => {
      return header.count === 0 ? max : Math.max(max, header.firstIndex + header.count - 1);
    }, 0),
  }));
  return { state, live };
}

function createLog(folder: FileFolder, pool: SegmentPool, entropy: Entropy | undefined): OpenLog {
  const file = pool.take(0);
  const salt = new Uint8Array(4);
  entropy?.fill(salt);
  const state: LogState = {
    salt: new DataView(salt.buffer).getUint32(0, true),
    segmentBytes: file.bytes,
    generation: 1,
    sequence: 0,
    crc: 0,
    synced: 0,
    term: 0,
    vote: 0,
    commit: 0,
    compactedIndex: 0,
    compactedTerm: 0,
    nextIndex: 1,
    oldestGeneration: 1,
  };
  const buffer = new BatchBuffer();
  buffer.begin(1);
  buffer.finish(state, RECORD_OPENS);
  writeFully(file.handle, buffer.bytes(), 0);
  file.handle.sync();
  folder.syncFolder();
  state.synced = state.sequence;
  const live = [{ file, generation: 1, end: RECORD_HEADER_BYTES, maxIndex: 0 }];
  const recovered: RecoveredLog = {
    hardState: { term: 0, vote: 0, commit: 0 },
    compacted: { index: 0, term: 0 },
    entries: [],
    torn: false,
  };
  return { recovered, state, live };
}

/** The segment that is written to. */
export function activeOf(live: readonly LiveSegment[]): LiveSegment {
  return must(live.at(-1), 'an open log has a segment');
}
