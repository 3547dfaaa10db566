/**
 * The node's own session: requests without a key of their own take a sequence of it, so that forwarding inside the
 * cluster is safe to repeat (architecture, section 5). Opened through the log when first needed.
 */
import { QuorliteError } from '../wire/error.ts';
import { writeOperation } from '../wire/operation.ts';
import type { CommandOutcome } from '../wire/result.ts';
import type { WriteRequest } from './contract.ts';
import { NO_SESSION } from './no-session.ts';
import type { PendingWrite } from './pending-write.ts';
import type { Proposals } from './proposals.ts';

/** Waiting for the session to open; beyond this, `OVERLOADED`. */
const MAX_WAITING = 10_000;

interface Waiting {
  readonly request: WriteRequest;
  readonly done: (outcome: CommandOutcome) => void;
  readonly handle: WriteHandle;
}

/** A write that can be given up. */
export interface WriteHandle {
  write: PendingWrite | null;
  abandoned: boolean;
}

/** What the node's session needs of the node around it. */
export interface NodeSessionHost {
  mintSession(): number;
  /** Results that a session may have unacknowledged (cluster setting `sessionWindow`). */
  window(): number;
}

/** The node's own session and the writes that wait for it to open. */
export class NodeSession {
  readonly #proposals: Proposals;
  readonly #host: NodeSessionHost;
  /** 0 while there is none. */
  #session = 0;
  #opening = false;
  #nextSequence = 1;
  /** The lowest sequence that is not answered. */
  #floor = 1;
  /** Answered sequences above the floor. */
  readonly #answered = new Set<number>();
  #waiting: Waiting[] = [];

  constructor(proposals: Proposals, host: NodeSessionHost) {
    this.#proposals = proposals;
    this.#host = host;
  }

  /** Opens the session ahead of the first write. */
  open(timeoutMs: number): void {
    if (this.#session !== 0 || this.#opening) return;
    this.#opening = true;
    const session = this.#host.mintSession();
    const operation: WriteRequest = {
      operation: (out) => writeOperation(out, { op: 'openSession', session }),
      timeoutMs,
    };
    try {
      this.#proposals.submit(operation, NO_SESSION, true, (outcome) => {
        this.#opened(session, outcome);
      });
    } catch (error) {
      this.#opened(session, { ok: false, index: 0, error: error as QuorliteError });
    }
  }

  #opened(session: number, outcome: CommandOutcome): void {
    this.#opening = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    if (outcome.ok) {
      this.#session = session;
      this.#nextSequence = 1;
      this.#floor = 1;
      this.#answered.clear();
      for (const { request, done, handle } of waiting) {
        if (!handle.abandoned) this.#submit(request, done, handle, true);
      }
      return;
    }
    // Nothing of the waiting writes was sent: whatever kept the session from opening is their definite answer.
    const { error } = outcome;
    const definite = new QuorliteError(error.code, error.message, { outcome: 'not-applied' });
    for (const { done, handle } of waiting) {
      if (!handle.abandoned) done({ ok: false, index: 0, error: definite });
    }
  }

  /** Runs a write under the node's session. Throws like `Proposals.submit`. */
  write(request: WriteRequest, done: (outcome: CommandOutcome) => void): WriteHandle {
    const handle: WriteHandle = { write: null, abandoned: false };
    if (this.#session === 0) this.#wait(request, done, handle);
    else this.#submit(request, done, handle, true);
    return handle;
  }

  #wait(request: WriteRequest, done: (o: CommandOutcome) => void, handle: WriteHandle): void {
    if (this.#waiting.length >= MAX_WAITING) throw overloaded('writes wait for a leader');
    this.#waiting.push({ request, done, handle });
    this.open(request.timeoutMs);
  }

  #submit(
    request: WriteRequest,
    done: (outcome: CommandOutcome) => void,
    handle: WriteHandle,
    mayReopen: boolean,
  ): void {
    if (this.#nextSequence - this.#floor >= this.#host.window()) {
      throw overloaded('writes of this node are unanswered (cluster setting sessionWindow)');
    }
    const session = this.#session;
    const sequence = this.#nextSequence;
    const header = { session, sequence, acknowledged: this.#floor };
    handle.write = this.#proposals.submit(request, header, true, (outcome) => {
      if (session === this.#session) this.#settle(sequence);
      if (!outcome.ok && outcome.error.code === 'SESSION_EXPIRED') {
        this.#expired(session, request, done, handle, mayReopen);
      } else {
        done(outcome);
      }
    });
    this.#nextSequence++;
  }

  /** The session is unknown to the cluster. What was sent only once was certainly not applied, and goes again. */
  #expired(
    session: number,
    request: WriteRequest,
    done: (outcome: CommandOutcome) => void,
    handle: WriteHandle,
    mayReopen: boolean,
  ): void {
    if (session === this.#session) this.#session = 0;
    if (mayReopen && (handle.write?.attempts ?? 1) <= 1 && !handle.abandoned) {
      this.#wait(request, done, handle);
      return;
    }
    const error = new QuorliteError('SESSION_EXPIRED', "the node's session ended meanwhile", {
      outcome: 'unknown',
    });
    done({ ok: false, index: 0, error });
  }

  #settle(sequence: number): void {
    if (sequence !== this.#floor) {
      this.#answered.add(sequence);
      return;
    }
    this.#floor++;
    while (this.#answered.delete(this.#floor)) this.#floor++;
  }
}

function overloaded(what: string): QuorliteError {
  return new QuorliteError('OVERLOADED', `too many ${what}`);
}
