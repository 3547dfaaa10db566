/**
 * Writes on their way to the leader. Frames may be lost, theirs or the one with the answer, so what is not answered for
 * long is sent again: every command carries a session and a sequence, and takes effect once (rules C1 to C3).
 */
import type { ReplicaId } from '../wire/entry.ts';
import { commandBytes, type PendingWrite } from './pending-write.ts';

/** Commands in one frame to the leader. */
const MAX_FRAME_WRITES = 512;
/** Bytes of commands in one frame, beyond which the next one begins. */
const MAX_FRAME_BYTES = 1024 * 1024;
/** The wait before a write is sent again doubles so often. */
const MAX_DOUBLINGS = 5;

/** What forwarding needs of the node around it. */
export interface ForwardingHost {
  now(): number;
  /** Wait before a write is sent again for the first time, milliseconds. */
  readonly resendMs: number;
  /** Sends commands to the leader; false when there is no connection, or no room in it. */
  forward(leader: ReplicaId, writes: readonly { id: number; command: Uint8Array }[]): boolean;
}

/** Writes that the leader was asked to propose. */
export class Forwarding {
  readonly #host: ForwardingHost;
  readonly #sent = new Map<number, PendingWrite>();
  #nextId = 1;

  constructor(host: ForwardingHost) {
    this.#host = host;
  }

  /** Sends writes in order; returns those that could not be sent. */
  send(leader: ReplicaId, writes: readonly PendingWrite[]): PendingWrite[] {
    for (let from = 0; from < writes.length; ) {
      const to = frameEnd(writes, from);
      if (!this.#sendFrame(leader, writes.slice(from, to))) return writes.slice(from);
      from = to;
    }
    return [];
  }

  #sendFrame(leader: ReplicaId, writes: readonly PendingWrite[]): boolean {
    const items = writes.map((write) => ({ id: this.#nextId++, command: commandBytes(write) }));
    if (!this.#host.forward(leader, items)) return false;
    const now = this.#host.now();
    writes.forEach((write, i) => {
      write.attempts++;
      write.forwardedAs = items[i]!.id;
      write.resendAt = now + this.#patience(write);
      this.#sent.set(write.forwardedAs, write);
    });
    return true;
  }

  #patience({ attempts }: PendingWrite): number {
    return this.#host.resendMs * 2 ** Math.min(attempts - 1, MAX_DOUBLINGS);
  }

  /** The leader answered `id`: the write that it was, if it still waits. */
  answered(id: number): PendingWrite | undefined {
    const write = this.#sent.get(id);
    if (write) this.forget(write);
    return write?.done ? write : undefined;
  }

  /** Nobody waits for its answer any more. */
  forget(write: PendingWrite): void {
    this.#sent.delete(write.forwardedAs);
    write.forwardedAs = 0;
  }

  /** Takes what should have been answered by now. */
  overdue(): PendingWrite[] {
    const now = this.#host.now();
    return this.#take((write) => write.resendAt <= now);
  }

  /** Takes everything: another leader will have to do it. */
  drain(): PendingWrite[] {
    return this.#take(() => true);
  }

  #take(which: (write: PendingWrite) => boolean): PendingWrite[] {
    const taken = [...this.#sent.values()].filter(which);
    for (const write of taken) this.forget(write);
    return taken;
  }
}

function frameEnd(writes: readonly PendingWrite[], from: number): number {
  let bytes = 0;
  let to = from;
  while (to < writes.length && to - from < MAX_FRAME_WRITES) {
    bytes += commandBytes(writes[to]!).length;
    if (to > from && bytes > MAX_FRAME_BYTES) break;
    to++;
  }
  return to;
}
