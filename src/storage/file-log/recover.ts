/**
 * Reading the log at open, and the decision between a torn tail and corruption (rule D5, architecture section 4).
 *
 * The newest segment tells which older ones are needed; all must be there. Records are followed from the oldest one's
 * first to the first bad one. That one is *corruption* when any valid record behind it claims to be synced beyond it;
 * otherwise nothing at or behind it was ever acknowledged, and it is a *torn tail* (sectors of one unsynced batch may
 * land in any order).
 */
import type { FileFolder } from '../../platform/files.ts';
import type { Entry } from '../../wire/entry.ts';
import { corruptFile, readFully } from '../file-io.ts';
import {
  hasMagic,
  RECORD_ALIGN,
  RECORD_OPENS,
  type RecordHeader,
  readHeader,
  readRecordEntries,
} from './record.ts';
import type { SegmentFile } from './segment-pool.ts';

/** A good record. */
export interface ScannedRecord {
  readonly at: number;
  readonly header: RecordHeader;
  readonly entries: readonly Entry[];
}

/** A segment file with what stands in it. */
export interface ScannedSegment {
  readonly file: SegmentFile;
  readonly content: Uint8Array;
  /** The opening record and those that follow it; empty in a file that was never used. */
  readonly records: ScannedRecord[];
  /** Where the good records end. */
  end: number;
}

/** What the files say. */
export interface ScannedLog {
  /** Segments that make up the log, oldest first; empty when it is new. */
  readonly live: readonly ScannedSegment[];
  /** Files that hold nothing that is needed. */
  readonly unused: readonly ScannedSegment[];
  readonly entries: readonly Entry[];
  /** Index of the first of `entries`, or of the next entry. */
  readonly firstIndex: number;
  /** True when parts of an unsynced batch stand behind the end. */
  readonly torn: boolean;
}

/** Reads one segment file and follows its records. */
export function scanSegment(file: SegmentFile): ScannedSegment {
  const content = new Uint8Array(file.handle.size());
  const length = readFully(file.handle, content, 0);
  const segment = { file, content: content.subarray(0, length), records: [], end: 0 };
  followRecords(segment);
  return segment;
}

function followRecords(segment: ScannedSegment): void {
  const { content, records } = segment;
  let previous: RecordHeader | null = null;
  for (;;) {
    const header = readHeader(content, segment.end);
    if (header === null) return;
    const fits: boolean =
      previous === null
        ? (header.flags & RECORD_OPENS) !== 0
        : header.previousCrc === previous.crc &&
          header.generation === previous.generation &&
          header.sequence === previous.sequence + 1 &&
          header.salt === previous.salt;
    if (!fits) return;
    const entries = readRecordEntries(content, segment.end, header);
    if (entries === null) return;
    records.push({ at: segment.end, header, entries });
    segment.end += header.length;
    previous = header;
  }
}

/** Puts the segments together; throws `CORRUPT` when something that was synced is missing or bad. */
export function assembleLog(folder: FileFolder, segments: readonly ScannedSegment[]): ScannedLog {
  const byGeneration = new Map<number, ScannedSegment>();
  let newest: ScannedSegment | null = null;
  for (const segment of segments) {
    const opening = segment.records[0];
    if (opening === undefined) continue;
    byGeneration.set(opening.header.generation, segment);
    if (newest === null || opening.header.generation > generationOf(newest)) newest = segment;
  }
  if (newest === null) {
    refuseClaims(folder, segments, null, 1);
    return { live: [], unused: segments, entries: [], firstIndex: 1, torn: false };
  }
  const live = liveSegments(folder, segments, byGeneration, newest);
  const last = newest.records.at(-1)!.header;
  refuseClaims(folder, segments, newest, last.sequence + 1);
  const unused = segments.filter((segment) => !live.includes(segment));
  return { live, unused, ...joinEntries(folder, live), torn: hasTornTail(newest) };
}

function generationOf(segment: ScannedSegment): number {
  return segment.records[0]!.header.generation;
}

/** The segments from the oldest needed one to `newest`, their seams checked. */
function liveSegments(
  folder: FileFolder,
  segments: readonly ScannedSegment[],
  byGeneration: ReadonlyMap<number, ScannedSegment>,
  newest: ScannedSegment,
): ScannedSegment[] {
  const { oldestGeneration, generation } = newest.records.at(-1)!.header;
  const live: ScannedSegment[] = [];
  for (let g = oldestGeneration; g <= generation; g++) {
    const segment = byGeneration.get(g);
    if (segment === undefined) {
      // A file without a good start is probably the one.
      const suspect = segments.find(({ records }) => records.length === 0);
      const place = suspect === undefined ? folder.label : labelOf(folder, suspect);
      throw corruptFile(place, 0, `segment ${g} of the log is missing or its first record is bad`);
    }
    const { header } = segment.records[0]!;
    if (segment.content.length < header.segmentBytes) {
      const what = `the file was cut from ${header.segmentBytes} bytes`;
      throw corruptFile(labelOf(folder, segment), segment.content.length, what);
    }
    const before = live.at(-1);
    if (before !== undefined) joinSegments(folder, before, header);
    live.push(segment);
  }
  return live;
}

/**
 * A segment's opening record continues the chain of the one before it, which was synced by then (rule D7). It may take
 * the place of trailing empty records: claims that were never synced.
 */
function joinSegments(folder: FileFolder, before: ScannedSegment, opening: RecordHeader): void {
  const { records } = before;
  for (let i = records.length - 1; i >= 0; i--) {
    const { header } = records[i]!;
    if (header.sequence === opening.sequence - 1 && header.crc === opening.previousCrc) {
      records.length = i + 1;
      return;
    }
    if (header.count > 0) break;
  }
  throw corruptFile(labelOf(folder, before), before.end, 'a record of the log is bad');
}

/** Throws when a record anywhere behind the good ones claims that record `sequence` was synced. */
function refuseClaims(
  folder: FileFolder,
  segments: readonly ScannedSegment[],
  newest: ScannedSegment | null,
  sequence: number,
): void {
  const salt = newest === null ? undefined : newest.records[0]!.header.salt;
  for (const segment of segments) {
    // Older segments are whole: their seams were checked.
    if (segment !== newest && segment.records.length > 0 && newest !== null) {
      const last = segment.records.at(-1)!.header;
      if (last.generation >= newest.records[0]!.header.oldestGeneration) continue;
    }
    const claim = findRecord(
      segment.content,
      segment.end,
      (header) => header.syncedThrough >= sequence && (salt === undefined || header.salt === salt),
    );
    if (claim === null) continue;
    const bad = newest ?? segment;
    const what = `a record of the log is bad, but a later one (${labelOf(folder, segment)} at ${claim}) says that it was synced`;
    throw corruptFile(labelOf(folder, bad), bad.end, what);
  }
}

function findRecord(
  content: Uint8Array,
  from: number,
  test: (header: RecordHeader) => boolean,
): number | null {
  for (let at = from; at < content.length; at += RECORD_ALIGN) {
    if (!hasMagic(content, at)) continue;
    const header = readHeader(content, at);
    if (header !== null && test(header)) return at;
  }
  return null;
}

/** Whether a file holds any record of a generation behind `generation`. */
export function holdsRecordBehind(segment: ScannedSegment, generation: number): boolean {
  return findRecord(segment.content, 0, (header) => header.generation > generation) !== null;
}

/** Whether a batch began behind the end of the newest segment; what older generations left there does not count. */
function hasTornTail(newest: ScannedSegment): boolean {
  const { content, end } = newest;
  const { generation, salt } = newest.records[0]!.header;
  const own = (header: RecordHeader): boolean =>
    header.generation === generation && header.salt === salt;
  if (findRecord(content, end, own) !== null) return true;
  return hasMagic(content, end) && readHeader(content, end) === null;
}

/** Replays the records: each replaces the entries at and behind its first index. */
function joinEntries(
  folder: FileFolder,
  live: readonly ScannedSegment[],
): { entries: Entry[]; firstIndex: number } {
  let firstIndex = live[0]!.records[0]!.header.firstIndex;
  let entries: Entry[] = [];
  for (const segment of live) {
    for (const { header, entries: added, at } of segment.records) {
      const keep = header.firstIndex - firstIndex;
      const reset = keep > entries.length;
      if (reset && header.compactedIndex !== header.firstIndex - 1) {
        throw corruptFile(labelOf(folder, segment), at, 'entries of the log are missing');
      }
      if (reset || keep < 0) {
        entries = [];
        firstIndex = header.firstIndex;
      } else {
        entries.length = keep;
      }
      for (const entry of added) entries.push(entry);
    }
  }
  const newest = live.at(-1)!;
  const { compactedIndex } = newest.records.at(-1)!.header;
  if (compactedIndex + 1 < firstIndex) {
    throw corruptFile(
      labelOf(folder, newest),
      newest.end,
      'the first entries of the log are missing',
    );
  }
  const kept = entries.slice(compactedIndex + 1 - firstIndex);
  return { entries: kept, firstIndex: compactedIndex + 1 };
}

function labelOf(folder: FileFolder, segment: ScannedSegment): string {
  return `${folder.label}/${segment.file.name}`;
}
