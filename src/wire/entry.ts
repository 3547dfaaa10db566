/**
 * The log entry: one encoding for log and network. The leader encodes it once; the same bytes are written, sent and
 * applied, and the checksum holds from proposal to apply.
 *
 * Record, little-endian:
 *
 *     0  u32  length of the whole record, header included
 *     4  u32  CRC-32C of bytes [8, length)
 *     8  u53  term
 *    16  u53  index
 *    24  u8   kind
 *    25  u8   flags
 *    26  u16  format version
 *    28  u32  reserved, 0
 *    32  …    payload
 */
import { assert } from './assert.ts';
import { crc32c } from './crc32c.ts';
import { QuorliteError } from './error.ts';

/** A position in the log; the first entry has index 1. */
export type LogIndex = number;
/** A leadership period; grows forever. */
export type Term = number;
/** Who takes part in consensus: a random 53-bit id minted when a storage is created, never used again. */
export type ReplicaId = number;

/** Bytes before the payload. */
export const ENTRY_HEADER_BYTES = 32;
/** Version of the record that this release writes. */
export const ENTRY_VERSION = 1;

/** What an entry is for. */
export const EntryKind = {
  /** The no-op with which a leader starts its term. */
  empty: 0,
  /** A batch of clients' commands. */
  commands: 1,
  /** A change of the membership. */
  membership: 2,
} as const;
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind];

/** Flag: holds a command marked `slow`. */
export const ENTRY_SLOW = 1;

/** One entry of the log. `bytes` is the whole record and never changes once stamped. */
export interface Entry {
  readonly term: Term;
  readonly index: LogIndex;
  readonly kind: EntryKind;
  readonly bytes: Uint8Array;
}

/** The bytes behind the header. */
export function entryPayload(entry: Entry): Uint8Array {
  return entry.bytes.subarray(ENTRY_HEADER_BYTES);
}

/** Whether the entry holds a command marked `slow`. */
export function entryIsSlow(entry: Entry): boolean {
  return (entry.bytes[25]! & ENTRY_SLOW) !== 0;
}

/**
 * Turns a record whose payload stands at offset `ENTRY_HEADER_BYTES` into an entry: writes header and checksum in
 * place. `record` belongs to the entry from now on.
 */
export function stampEntry(
  record: Uint8Array,
  term: Term,
  index: LogIndex,
  kind: EntryKind,
  flags: number = 0,
): Entry {
  assert(record.length >= ENTRY_HEADER_BYTES, 'a record has room for its header');
  const view = new DataView(record.buffer, record.byteOffset, ENTRY_HEADER_BYTES);
  view.setUint32(0, record.length, true);
  setU53(view, 8, term);
  setU53(view, 16, index);
  view.setUint8(24, kind);
  view.setUint8(25, flags);
  view.setUint16(26, ENTRY_VERSION, true);
  view.setUint32(28, 0, true);
  view.setUint32(4, crc32c(record, 8), true);
  return { term, index, kind, bytes: record };
}

/** An entry made of a payload that has no header room yet (copies it). */
export function makeEntry(
  term: Term,
  index: LogIndex,
  kind: EntryKind,
  payload: Uint8Array = new Uint8Array(0),
  flags: number = 0,
): Entry {
  const record = new Uint8Array(ENTRY_HEADER_BYTES + payload.length);
  record.set(payload, ENTRY_HEADER_BYTES);
  return stampEntry(record, term, index, kind, flags);
}

/**
 * Reads the record that starts at `at`; the entry is a view of `bytes`. Throws `CORRUPT` when length, version or
 * checksum are wrong.
 */
export function readEntry(bytes: Uint8Array, at: number = 0): Entry {
  if (bytes.length - at < ENTRY_HEADER_BYTES) throw corrupt('a record is cut off');
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, ENTRY_HEADER_BYTES);
  const length = view.getUint32(0, true);
  if (length < ENTRY_HEADER_BYTES || length > bytes.length - at) {
    throw corrupt(`a record claims ${length} bytes, ${bytes.length - at} are there`);
  }
  const version = view.getUint16(26, true);
  const record = bytes.subarray(at, at + length);
  if (view.getUint32(4, true) !== crc32c(record, 8)) throw corrupt('a record fails its checksum');
  if (version !== ENTRY_VERSION) throw corrupt(`a record has format version ${version}`);
  const kind = view.getUint8(24);
  if (kind > EntryKind.membership) throw corrupt(`a record has the unknown kind ${kind}`);
  return { term: getU53(view, 8), index: getU53(view, 16), kind: kind as EntryKind, bytes: record };
}

/** Checks the checksum of an entry that was kept in memory. */
export function verifyEntry(entry: Entry): boolean {
  const { bytes } = entry;
  const view = new DataView(bytes.buffer, bytes.byteOffset, ENTRY_HEADER_BYTES);
  return view.getUint32(4, true) === crc32c(bytes, 8);
}

function setU53(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 4294967296, true);
  view.setUint32(at + 4, Math.floor(value / 4294967296), true);
}

function getU53(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 4294967296 + view.getUint32(at, true);
}

function corrupt(what: string): QuorliteError {
  return new QuorliteError('CORRUPT', what, { outcome: 'unknown' });
}
