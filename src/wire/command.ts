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
 *           [key: text scope, text key, 16 B body hash], u32 length, operation bytes
 *
 * An `execute` whose text is that of the last one before it that has any leaves it out (`OpFlag.textAbove`).
 */
import { ByteReader, ByteWriter } from './bytes.ts';
import { ENTRY_HEADER_BYTES } from './entry.ts';
import { QuorliteError } from './error.ts';
import { OpFlag } from './operation.ts';
import { TextAbove } from './text-above.ts';

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

/** Where a command stands in its batch. */
export interface CommandRange {
  readonly start: number;
  readonly end: number;
  /** Where the text stands that it refers to, 0 when it has its own. */
  readonly textAt: number;
}

/** Gathers commands for one entry in its final bytes. */
export class BatchBuilder {
  readonly writer: ByteWriter;
  count = 0;
  readonly #above = new TextAbove();
  #bodyAt = 0;

  /** `capacity`: expected bytes; it grows when needed. */
  constructor(capacity: number = 4096) {
    this.writer = new ByteWriter(Math.max(capacity, FIRST_COMMAND + 256));
    this.writer.length = FIRST_COMMAND;
    this.writer.above = this.#above;
  }

  /** Bytes of the record so far. */
  get bytes(): number {
    return this.writer.length;
  }

  /** Starts a command; the caller writes the operation into `writer` and calls `end`, or `cancel` when that threw. */
  begin(session: number, sequence: number, acknowledged: number, key?: IdempotencyKey): void {
    const { writer } = this;
    this.#commandAt = writer.length;
    this.#above.begin();
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
    this.#above.settle();
    this.count++;
    return this.#commandAt;
  }

  /** Where the text stands that the newest command refers to, 0 when it has all its bytes itself. */
  get textAt(): number {
    return this.#above.used ? this.#above.at : 0;
  }

  /** Bytes of that text, 0 without. */
  get textBytes(): number {
    return this.#above.used ? this.#above.end - this.#above.at : 0;
  }

  /** Takes back the command that `begin` started. */
  cancel(): void {
    this.writer.length = this.#commandAt;
  }

  /** Takes back the newest command, which began at `start` and was ended. */
  cancelLast(start: number): void {
    this.writer.length = start;
    this.#above.forget();
    this.count--;
  }

  /** Appends a command that is already encoded (forwarded by another node). */
  append(command: Uint8Array): void {
    this.writer.raw(command);
    this.#above.forget();
    this.count++;
  }

  /** A copy of a command that stands alone, with its text where it only referred to one. */
  copy({ start, end, textAt }: CommandRange): Uint8Array {
    const { bytes } = this.writer;
    if (textAt === 0) return bytes.slice(start, end);
    const input = new ByteReader(bytes, start, end);
    const bodyAt = readCommand(input).body.byteOffset - bytes.byteOffset;
    const text = new ByteReader(bytes, textAt);
    text.skip(text.uint());
    const out = new ByteWriter(end - start + text.at - textAt);
    out.raw(bytes.subarray(start, bodyAt - 4));
    out.u32(end - bodyAt + text.at - textAt);
    out.u8(bytes[bodyAt]!);
    out.u8(bytes[bodyAt + 1]! & ~OpFlag.textAbove);
    out.raw(bytes.subarray(textAt, text.at));
    out.raw(bytes.subarray(bodyAt + 2, end));
    return out.view();
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
