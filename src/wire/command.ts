/**
 * Commands: operations with the session and sequence that make them exactly-once, gathered into the payload of one log
 * entry.
 *
 * Payload of a `commands` entry:
 *
 *     f64   wall: milliseconds since 1970 that SQL sees while the entry is applied
 *     f64   elapsed: replicated monotonic milliseconds (expiry of sessions, keys, leases)
 *     32 B  seed of all randomness in the entry
 *     u32   number of commands
 *     …     commands: uint session, uint sequence, uint acknowledged, u8 flags,
 *           [key: text scope, text key, 16 B body hash], uint length, operation bytes
 */
import { ByteReader, ByteWriter } from './bytes.ts';
import { ENTRY_HEADER_BYTES } from './entry.ts';
import { QuorliteError } from './error.ts';

/** Bytes of an entry's seed. */
export const SEED_BYTES = 32;
const BATCH_HEADER_BYTES = 8 + 8 + SEED_BYTES + 4;
const FIRST_COMMAND = ENTRY_HEADER_BYTES + BATCH_HEADER_BYTES;
const FLAG_KEY = 1;
/** Bytes of the hash of a keyed request's body. */
export const KEY_HASH_BYTES = 16;

/** A client's idempotency key (HTTP). */
export interface IdempotencyKey {
  /** Name of the token it belongs to: keys of different tokens never meet. */
  readonly scope: string;
  readonly key: string;
  /** First 16 bytes of SHA-256 over the operation. */
  readonly hash: Uint8Array;
}

/** Who sent a command, for exactly-once. */
export interface CommandHeader {
  /** 0 for commands of the node itself that need no session (opening one, ticks). */
  readonly session: number;
  /** Grows by one per command of a session, from 1. */
  readonly sequence: number;
  /** The client has every answer below this sequence: their results may go. */
  readonly acknowledged: number;
  readonly key?: IdempotencyKey | undefined;
}

/** A command as read from an entry; `body` is a view. */
export interface Command extends CommandHeader {
  readonly body: Uint8Array;
}

/** Gathers commands for one entry in its final bytes. */
export class BatchBuilder {
  readonly writer: ByteWriter;
  count = 0;
  #bodyAt = 0;

  /** `capacity`: expected bytes; it grows when needed. */
  constructor(capacity: number = 4096) {
    this.writer = new ByteWriter(Math.max(capacity, FIRST_COMMAND + 256));
    this.writer.length = FIRST_COMMAND;
  }

  /** Bytes of the record so far. */
  get bytes(): number {
    return this.writer.length;
  }

  /** Starts a command; the caller writes the operation into `writer` and calls `end`, or `cancel` when that threw. */
  begin(session: number, sequence: number, acknowledged: number, key?: IdempotencyKey): void {
    const { writer } = this;
    this.#commandAt = writer.length;
    writer.uint(session);
    writer.uint(sequence);
    writer.uint(acknowledged);
    writer.u8(key ? FLAG_KEY : 0);
    if (key) {
      writer.text(key.scope);
      writer.text(key.key);
      writer.raw(key.hash);
    }
    writer.u32(0);
    this.#bodyAt = writer.length;
  }

  #commandAt = 0;

  /** Ends the command; returns where it begins in the record, header and all. It ends where the record does by now. */
  end(): number {
    const { writer } = this;
    writer.u32At(this.#bodyAt - 4, writer.length - this.#bodyAt);
    this.count++;
    return this.#commandAt;
  }

  /** Takes back the command that `begin` started. */
  cancel(): void {
    this.writer.length = this.#commandAt;
  }

  /** Takes back the newest command, which began at `start` and was ended. */
  cancelLast(start: number): void {
    this.writer.length = start;
    this.count--;
  }

  /** Appends a command that is already encoded (forwarded by another node). */
  append(command: Uint8Array): void {
    this.writer.raw(command);
    this.count++;
  }

  /** A copy of command bytes, for forwarding. */
  slice(range: { start: number; end: number }): Uint8Array {
    return this.writer.bytes.slice(range.start, range.end);
  }

  /** The record, ready to be stamped as an entry. The builder must not be used afterwards. */
  finish(wall: number, elapsed: number, seed: Uint8Array): Uint8Array {
    const { bytes, length } = this.writer;
    const view = new DataView(bytes.buffer, bytes.byteOffset, FIRST_COMMAND);
    view.setFloat64(ENTRY_HEADER_BYTES, wall, true);
    view.setFloat64(ENTRY_HEADER_BYTES + 8, elapsed, true);
    bytes.set(seed, ENTRY_HEADER_BYTES + 16);
    view.setUint32(ENTRY_HEADER_BYTES + 16 + SEED_BYTES, this.count, true);
    return bytes.subarray(0, length);
  }
}

/** What stands before the commands of an entry. */
export interface BatchHeader {
  readonly wall: number;
  readonly elapsed: number;
  readonly seed: Uint8Array;
  readonly count: number;
}

/** Reads the header and leaves `input` at the first command. */
export function readBatchHeader(input: ByteReader): BatchHeader {
  const wall = input.f64();
  const elapsed = input.f64();
  const seed = input.raw(SEED_BYTES);
  return { wall, elapsed, seed, count: input.u32() };
}

/** Reads the next command. */
export function readCommand(input: ByteReader): Command {
  const session = input.uint();
  const sequence = input.uint();
  const acknowledged = input.uint();
  const flags = input.u8();
  let key: IdempotencyKey | undefined;
  if (flags & FLAG_KEY) {
    key = { scope: input.text(), key: input.text(), hash: input.raw(KEY_HASH_BYTES) };
  } else if (flags !== 0) {
    throw new QuorliteError('BAD_REQUEST', `malformed bytes: command flags ${flags}`);
  }
  return { session, sequence, acknowledged, key, body: input.raw(input.u32()) };
}

/** Reads one command that stands alone (forwarding). */
export function decodeCommand(bytes: Uint8Array): Command {
  const input = new ByteReader(bytes);
  const command = readCommand(input);
  input.finish();
  return command;
}
