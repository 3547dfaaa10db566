/** Requests between nodes, each answered once: matched by id, given up when the peer goes or time is over. */

import type { ReplicaId } from '../wire/entry.ts';
import { type ErrorCode, QuorliteError } from '../wire/error.ts';
import type { Callback } from './contract.ts';
import { type PeerError, type PeerRequest, requestFrame } from './frames.ts';

interface Open {
  readonly to: ReplicaId;
  readonly deadline: number;
  readonly done: Callback<unknown>;
}

/** Requests to other nodes that are not answered yet. */
export class PeerRequests {
  readonly #open = new Map<number, Open>();
  readonly #send: (to: ReplicaId, frame: Uint8Array) => boolean;
  readonly #now: () => number;
  #nextId = 1;

  constructor(send: (to: ReplicaId, frame: Uint8Array) => boolean, now: () => number) {
    this.#send = send;
    this.#now = now;
  }

  ask(to: ReplicaId, request: PeerRequest, timeoutMs: number, done: Callback<unknown>): void {
    const id = this.#nextId++;
    if (!this.#send(to, requestFrame(id, request))) {
      done(new QuorliteError('NOT_LEADER', 'the peer is not connected'), null);
      return;
    }
    this.#open.set(id, { to, deadline: this.#now() + timeoutMs, done });
  }

  /** A reply came in. */
  answered(from: ReplicaId, id: number, error: PeerError | null, result: unknown): void {
    const open = this.#open.get(id);
    if (!open || open.to !== from) return;
    this.#open.delete(id);
    if (error) {
      const { code, message, outcome } = error;
      open.done(new QuorliteError(code as ErrorCode, message, { outcome }), null);
    } else {
      open.done(null, result);
    }
  }

  /** The connection to a peer is gone: its requests may or may not have been done. */
  lost(peer: ReplicaId): void {
    this.#fail(({ to }) => to === peer, 'LEADER_CHANGED', 'the connection to the peer was lost');
  }

  expire(): void {
    const now = this.#now();
    this.#fail(({ deadline }) => deadline <= now, 'TIMEOUT', 'the peer did not answer in time');
  }

  /** Answers everything: the node stops. */
  stop({ code, message }: QuorliteError): void {
    this.#fail(() => true, code, message);
  }

  #fail(which: (open: Open) => boolean, code: ErrorCode, message: string): void {
    for (const [id, open] of this.#open) {
      if (!which(open)) continue;
      this.#open.delete(id);
      open.done(new QuorliteError(code, message, { outcome: 'unknown' }), null);
    }
  }
}
