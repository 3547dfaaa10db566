/**
 * One record of the file log: a header that carries everything the log knows, then entries as their wire records.
 *
 * Header, little-endian:
 *
 *       0  u32  magic `QLOG`
 *       4  u32  CRC-32C of header bytes [8, 120)
 *       8  u32  length of the record: header, entries, padding to 8 bytes
 *      12  u32  digest of the entries: CRC-32C over each one's first 8 bytes (its length and its own CRC)
 *      16  u32  header CRC of the previous record, also across segments (chain, rule D6)
 *      20  u32  number of entries
 *      24  u16  format version
 *      26  u16  flags: 1 = opens a segment
 *      28  u32  salt of this log: bytes that a client sent can not pass for a record
 *      32  u32  bytes of the segment's file
 *      36  u32  reserved, 0
 *      40  u53  generation of the segment
 *      48  u53  sequence number of the record
 *      56  u53  syncedThrough: the last sequence number known to be synced when this was written (rule D5)
 *      64  u53  index of the first entry; without entries: the index that the next entry will have
 *      72  u53  term        80  u53  vote        88  u53  commit      (hard state, rule D1)
 *      96  u53  compacted index                 104  u53  compacted term
 *     112  u53  oldest generation that the log still needs
 *
 * What detects what: the header's CRC covers the digest, the digest covers every entry's length and CRC, and each of
 * those covers the rest of its entry. So all bytes but the padding are checked, and payloads only once.
 */
import { crc32c } from '../../wire/crc32c.ts';
import { type Entry, readEntry } from '../../wire/entry.ts';

/** Bytes before a record's entries. */
export const RECORD_HEADER_BYTES = 120;
/** Records start at multiples of this. */
export const RECORD_ALIGN = 8;
/** Flag: the first record of a segment. */
export const RECORD_OPENS = 1;

const MAGIC = 0x474f4c51;
const VERSION = 1;
const TWO_32 = 4294967296;

/** A header, decoded. */
export interface RecordHeader {
  readonly crc: number;
  readonly length: number;
  readonly digest: number;
  readonly previousCrc: number;
  readonly count: number;
  readonly flags: number;
  readonly salt: number;
  readonly segmentBytes: number;
  readonly generation: number;
  readonly sequence: number;
  readonly syncedThrough: number;
  readonly firstIndex: number;
  readonly term: number;
  readonly vote: number;
  readonly commit: number;
  readonly compactedIndex: number;
  readonly compactedTerm: number;
  readonly oldestGeneration: number;
}

/** Rounds up to where the next record starts. */
export function alignRecord(bytes: number): number {
  return Math.ceil(bytes / RECORD_ALIGN) * RECORD_ALIGN;
}

/** Extends the digest of a record by one entry. */
export function digestEntry(digest: number, entry: Uint8Array): number {
  return crc32c(entry, 0, 8, digest);
}

/** Writes `header` at `at` and returns its CRC. `header.crc` is ignored. */
export function writeHeader(out: Uint8Array, at: number, header: RecordHeader): number {
  const view = new DataView(out.buffer, out.byteOffset + at, RECORD_HEADER_BYTES);
  view.setUint32(0, MAGIC, true);
  view.setUint32(8, header.length, true);
  view.setUint32(12, header.digest, true);
  view.setUint32(16, header.previousCrc, true);
  view.setUint32(20, header.count, true);
  view.setUint16(24, VERSION, true);
  view.setUint16(26, header.flags, true);
  view.setUint32(28, header.salt, true);
  view.setUint32(32, header.segmentBytes, true);
  view.setUint32(36, 0, true);
  setU53(view, 40, header.generation);
  setU53(view, 48, header.sequence);
  setU53(view, 56, header.syncedThrough);
  setU53(view, 64, header.firstIndex);
  setU53(view, 72, header.term);
  setU53(view, 80, header.vote);
  setU53(view, 88, header.commit);
  setU53(view, 96, header.compactedIndex);
  setU53(view, 104, header.compactedTerm);
  setU53(view, 112, header.oldestGeneration);
  const crc = crc32c(out, at + 8, at + RECORD_HEADER_BYTES);
  view.setUint32(4, crc, true);
  return crc;
}

/** The header at `at`, or null unless magic, bounds, checksum and version all hold. Never allocates by what it reads. */
export function readHeader(bytes: Uint8Array, at: number): RecordHeader | null {
  if (at + RECORD_HEADER_BYTES > bytes.length || !hasMagic(bytes, at)) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, RECORD_HEADER_BYTES);
  const length = view.getUint32(8, true);
  if (length < RECORD_HEADER_BYTES || length % RECORD_ALIGN !== 0) return null;
  const crc = view.getUint32(4, true);
  if (crc !== crc32c(bytes, at + 8, at + RECORD_HEADER_BYTES)) return null;
  if (view.getUint16(24, true) !== VERSION) return null;
  return {
    crc,
    length,
    digest: view.getUint32(12, true),
    previousCrc: view.getUint32(16, true),
    count: view.getUint32(20, true),
    flags: view.getUint16(26, true),
    salt: view.getUint32(28, true),
    segmentBytes: view.getUint32(32, true),
    generation: getU53(view, 40),
    sequence: getU53(view, 48),
    syncedThrough: getU53(view, 56),
    firstIndex: getU53(view, 64),
    term: getU53(view, 72),
    vote: getU53(view, 80),
    commit: getU53(view, 88),
    compactedIndex: getU53(view, 96),
    compactedTerm: getU53(view, 104),
    oldestGeneration: getU53(view, 112),
  };
}

/** The entries of the record at `at` as views, or null when one of them or their digest is bad. */
export function readRecordEntries(
  bytes: Uint8Array,
  at: number,
  header: RecordHeader,
): Entry[] | null {
  const end = at + header.length;
  if (end > bytes.length) return null;
  const body = bytes.subarray(0, end);
  const entries: Entry[] = [];
  let digest = 0;
  let position = at + RECORD_HEADER_BYTES;
  try {
    for (let i = 0; i < header.count; i++) {
      const entry = readEntry(body, position);
      if (entry.index !== header.firstIndex + i) return null;
      digest = digestEntry(digest, entry.bytes);
      entries.push(entry);
      position += entry.bytes.length;
    }
  } catch {
    return null;
  }
  if (digest !== header.digest || alignRecord(position - at) !== header.length) return null;
  return entries;
}

/** Whether the magic number stands at `at`. */
export function hasMagic(bytes: Uint8Array, at: number): boolean {
  return (
    bytes[at] === (MAGIC & 255) &&
    bytes[at + 1] === ((MAGIC >>> 8) & 255) &&
    bytes[at + 2] === ((MAGIC >>> 16) & 255) &&
    bytes[at + 3] === MAGIC >>> 24
  );
}

function setU53(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % TWO_32, true);
  view.setUint32(at + 4, Math.floor(value / TWO_32), true);
}

function getU53(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * TWO_32 + view.getUint32(at, true);
}
