/** Writes on their way, as objects and as intrusive lists. */
import type { BatchBuilder } from '../wire/command.ts';
import type { CommandOutcome } from '../wire/result.ts';

/** One write that waits for its outcome. */
export interface PendingWrite {
  /** Null once answered or given up. */
  done: ((outcome: CommandOutcome) => void) | null;
  /** Monotonic milliseconds; Infinity for those that another node watches over. */
  readonly deadline: number;
  /** True when it took a sequence of this node's own session. */
  readonly own: boolean;
  readonly sequence: number;
  /** Bytes that may have left this process, or entered the log, how often: decides whether the outcome is unknown. */
  attempts: number;
  /** The encoded command: a range of its batch's buffer. */
  builder: BatchBuilder | null;
  start: number;
  end: number;
  /** Where in that buffer the text stands that it refers to, 0 when it has its own. */
  textAt: number;
  /** The bytes when they stand alone. */
  command: Uint8Array | null;
  /** Request id while it is forwarded, 0 otherwise. */
  forwardedAs: number;
  /** When it is forwarded again unless it is answered, monotonic milliseconds. */
  resendAt: number;
  /** Its size, once it waits. */
  bytes: number;
  previous: PendingWrite | null;
  next: PendingWrite | null;
}

/** A write that has no bytes yet. */
export function pendingWrite(
  done: (outcome: CommandOutcome) => void,
  deadline: number,
  own: boolean,
  sequence: number,
): PendingWrite {
  return {
    done,
    deadline,
    own,
    sequence,
    attempts: 0,
    builder: null,
    start: 0,
    end: 0,
    textAt: 0,
    command: null,
    forwardedAs: 0,
    resendAt: 0,
    bytes: 0,
    previous: null,
    next: null,
  };
}

/** The command's bytes as it stands alone. */
export function commandBytes(write: PendingWrite): Uint8Array {
  if (write.command !== null) return write.command;
  const { builder, start, end, textAt } = write;
  write.command = textAt === 0 ? builder!.writer.bytes.subarray(start, end) : builder!.copy(write);
  return write.command;
}

/** A doubly linked list in arrival order; O(1) to add and to remove. */
export class PendingList {
  head: PendingWrite | null = null;
  #tail: PendingWrite | null = null;
  length = 0;
  /** Bytes of all commands in the list. */
  bytes = 0;

  push(write: PendingWrite): void {
    write.bytes = write.command?.length ?? write.end - write.start;
    this.bytes += write.bytes;
    write.previous = this.#tail;
    write.next = null;
    if (this.#tail) this.#tail.next = write;
    else this.head = write;
    this.#tail = write;
    this.length++;
  }

  remove(write: PendingWrite): void {
    if (write.previous) write.previous.next = write.next;
    else this.head = write.next;
    if (write.next) write.next.previous = write.previous;
    else this.#tail = write.previous;
    write.previous = null;
    write.next = null;
    this.length--;
    this.bytes -= write.bytes;
  }
}
