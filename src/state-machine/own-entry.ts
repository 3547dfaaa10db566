/** Which operations the node's batcher should not join with others. Never needed for safety. */
import { Op, OpFlag, operationIsSlow } from '../wire/operation.ts';
import { isRedoProne, maintenanceOf } from './sql-text.ts';

const UPPER = 0xdf;
const LETTERS = { A: 0x41, I: 0x49, P: 0x50, R: 0x52, U: 0x55, V: 0x56 } as const;
/** As much of a text as its first words need. */
const HEAD_BYTES = 256;
const decoder = new TextDecoder();

/**
 * Whether the node's batcher should propose the operation in `bytes[start, end)` alone: maintenance must be (VACUUM, `PRAGMA optimize`),
 * migrations and slow ones hold others up, and `OR ROLLBACK` or `OR FAIL` would make the commands before it run twice.
 */
export function needsOwnEntry(bytes: Uint8Array, start: number, end: number): boolean {
  const op = bytes[start];
  if (op === Op.migrate) return true;
  if (op !== Op.execute && op !== Op.txn && op !== Op.batch) return false;
  if (operationIsSlow(bytes, start)) return true;
  // A text that joined a batch once may do so again.
  if (op !== Op.execute || (bytes[start + 1]! & OpFlag.textAbove) !== 0) return false;
  return isTextAlone(bytes, start + 2, end);
}

/** Judges the text whose length stands at `at`, as a varint: this is asked of every write. */
function isTextAlone(bytes: Uint8Array, at: number, end: number): boolean {
  let length = 0;
  let byte = 128;
  for (let scale = 1; byte > 127 && at < end; scale *= 128) {
    byte = bytes[at++]!;
    length += (byte & 127) * scale;
  }
  const textEnd = Math.min(at + length, end);
  if (!isSuspicious(bytes, at, textEnd)) return false;
  const head = decoder.decode(bytes.subarray(at, Math.min(textEnd, at + HEAD_BYTES)));
  return maintenanceOf(head) !== null || isRedoProne(head);
}

/** Cheaply, whether a text may begin with one of the words in question, or with a comment. */
function isSuspicious(bytes: Uint8Array, at: number, end: number): boolean {
  const first = bytes[at]! & UPPER;
  switch (first) {
    case LETTERS.I:
    case LETTERS.U:
      return (bytes[wordBehind(bytes, at, end)]! & UPPER) === 0x4f; // O
    case LETTERS.A:
    case LETTERS.P:
    case LETTERS.R:
    case LETTERS.V:
      return true;
    default:
      return first < LETTERS.A || first > 0x5a;
  }
}

function wordBehind(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && bytes[at]! > 0x20) at++;
  while (at < end && bytes[at]! <= 0x20) at++;
  return Math.min(at, end - 1);
}
