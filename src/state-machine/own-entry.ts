/** Which operations the node's batcher should not join with others. Never needed for safety. */
import { ByteReader } from '../wire/bytes.ts';
import { Op } from '../wire/operation.ts';
import { isRedoProne, maintenanceOf } from './sql-text.ts';

const UPPER = 0xdf;
const LETTERS = { A: 0x41, I: 0x49, P: 0x50, R: 0x52, U: 0x55, V: 0x56 } as const;
/** As much of a text as its first words need. */
const HEAD_BYTES = 256;
const decoder = new TextDecoder();

/**
 * Whether the node's batcher should propose an operation alone: maintenance must be (VACUUM, `PRAGMA optimize`),
 * migrations and slow ones hold others up, and `OR ROLLBACK` or `OR FAIL` would make the commands before it run twice.
 */
export function needsOwnEntry(body: Uint8Array): boolean {
  const op = body[0];
  if (op === Op.migrate) return true;
  if (op !== Op.execute && op !== Op.txn && op !== Op.batch) return false;
  if ((body[1]! & 1) !== 0) return true;
  if (op !== Op.execute) return false;
  const input = new ByteReader(body, 2);
  const length = input.uint();
  const end = Math.min(input.at + length, body.length);
  if (!isSuspicious(body, input.at, end)) return false;
  const head = decoder.decode(body.subarray(input.at, Math.min(end, input.at + HEAD_BYTES)));
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
  return Math.min(at, bytes.length - 1);
}
