/**
 * The lanes towards one peer. Control frames enter the link at once; bulk and snapshot frames wait in bounded queues
 * while the link has a window's worth buffered, so that a control frame never stands behind more than one window and one
 * frame (rule R11). A snapshot frame goes only when no bulk frame waits.
 */
import type { Link } from '../platform/links.ts';
import { FrameKind } from './frames.ts';
import type { TransportLimits } from './limits.ts';

/** A queue of messages with its size in bytes. */
class MessageQueue {
  bytes = 0;
  readonly #limit: number;
  #items: Uint8Array[] = [];
  #head = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get empty(): boolean {
    return this.bytes === 0;
  }

  /** Whether `count` more bytes fit; a single message always does, however large. */
  admits(count: number): boolean {
    return this.bytes === 0 || this.bytes + count <= this.#limit;
  }

  push(message: Uint8Array): void {
    this.#items.push(message);
    this.bytes += message.length;
  }

  shift(): Uint8Array {
    const message = this.#items[this.#head]!;
    this.bytes -= message.length;
    if (++this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    } else if (this.#head >= 64) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    return message;
  }
}

/** Sends frames over one link, by lane. */
export class Outbox {
  readonly #link: Link;
  readonly #window: number;
  readonly #bulk: MessageQueue;
  readonly #snapshot: MessageQueue;

  constructor(link: Link, limits: TransportLimits) {
    this.#link = link;
    this.#window = limits.windowBytes;
    this.#bulk = new MessageQueue(limits.bulkQueueBytes);
    this.#snapshot = new MessageQueue(limits.snapshotQueueBytes);
  }

  /** Whether frames wait for the link. */
  get waiting(): boolean {
    return !this.#bulk.empty || !this.#snapshot.empty;
  }

  /** Bytes waiting on a lane. */
  waitingBytes(lane: number): number {
    if (lane === FrameKind.bulk) return this.#bulk.bytes;
    return lane === FrameKind.snapshot ? this.#snapshot.bytes : 0;
  }

  /** Whether a message of `bytes` would be taken on a lane now; asked before the message is built. */
  admits(lane: number, bytes: number): boolean {
    if (lane === FrameKind.bulk) return this.#bulk.admits(bytes);
    return lane !== FrameKind.snapshot || this.#snapshot.admits(bytes);
  }

  /** Sends a message, or keeps it until the link has room. */
  send(lane: number, message: Uint8Array): void {
    if (lane === FrameKind.bulk) {
      this.#bulk.push(message);
      this.drain();
    } else if (lane === FrameKind.snapshot) {
      this.#snapshot.push(message);
      this.drain();
    } else {
      this.#link.send(message);
    }
  }

  /** Moves as much as the window takes. */
  drain(): void {
    while (!this.#bulk.empty && this.#link.bufferedBytes < this.#window) {
      this.#link.send(this.#bulk.shift());
    }
    while (this.#bulk.empty && !this.#snapshot.empty && this.#link.bufferedBytes < this.#window) {
      this.#link.send(this.#snapshot.shift());
    }
  }
}
