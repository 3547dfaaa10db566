/**
 * The node's own session: requests without a key of their own take a sequence of it, so that forwarding inside the
 * cluster is safe to repeat (architecture, section 5). Opened through the log when first needed.
 */
import { asQuorliteError, QuorliteError } from '../wire/error.ts';
import { writeOperation } from '../wire/operation.ts';
import type { CommandOutcome } from '../wire/result.ts';
import type { WriteRequest } from './contract.ts';
import { NO_SESSION } from './no-session.ts';
import type { PendingWrite } from './pending-write.ts';
import type { Proposals } from './proposals.ts';
import { noAnswer } from './write-errors.ts';

/** Waiting for the session to open; beyond this, `OVERLOADED`. */
const MAX_WAITING = 10_000;

type Done = (outcome: CommandOutcome) => void;

interface Waiting {
  readonly request: WriteRequest;
  readonly deadline: number;
  readonly done: Done;
  readonly handle: WriteHandle;
}

/** A write that can be given up. */
export interface WriteHandle {
  write: PendingWrite | null;
  abandoned: boolean;
}

/** What the node's session needs of the node around it. */
export interface NodeSessionHost {
  now(): number;
  mintSession(): number;
  /** Results that a session may have unacknowledged (cluster setting `sessionWindow`). */
  window(): number;
  /** How long one attempt to open the session waits. */
  readonly openMs: number;
}

/** The node's own session and the writes that wait for it to open. */
export class NodeSession {
  readonly #proposals: Proposals;
  readonly #host: NodeSessionHost;
  /** 0 while there is none. */
  #session = 0;
  /** The id that is being opened, again and again until the cluster says that it is; 0 when none is. */
  #wanted = 0;
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
  open(): void {
    if (this.#session !== 0 || this.#opening) return;
    this.#opening = true;
    this.#wanted ||= this.#host.mintSession();
    const session = this.#wanted;
    const operation: WriteRequest = {
      operation: (out) => writeOperation(out, { op: 'openSession', session }),
      timeoutMs: this.#host.openMs,
    };
    try {
      this.#proposals.submit(operation, NO_SESSION, true, (outcome) => {
        this.#opened(session, outcome);
      });
    } catch (error) {
      this.#opened(session, refused(asQuorliteError(error)));
    }
  }

  #opened(session: number, outcome: CommandOutcome): void {
    this.#opening = false;
    if (!outcome.ok && isTimely(outcome.error)) {
      // Whoever has time left waits on: opening the same session twice does no harm.
      this.expire(false);
      if (this.#waiting.length > 0) this.open();
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#wanted = 0;
    if (outcome.ok) this.#begin(session);
    for (const { request, deadline, done, handle } of waiting) {
      const left = { ...request, timeoutMs: deadline - this.#host.now() };
      if (!outcome.ok) done(refused(outcome.error));
      else this.#trySubmit(left, done, handle);
    }
  }

  #begin(session: number): void {
    this.#session = session;
    this.#nextSequence = 1;
    this.#floor = 1;
    this.#answered.clear();
  }

  #trySubmit(request: WriteRequest, done: Done, handle: WriteHandle): void {
    try {
      this.#submit(request, done, handle);
    } catch (error) {
      done(refused(asQuorliteError(error)));
    }
  }

  /** Runs a write under the node's session. Throws like `Proposals.submit`. */
  write(request: WriteRequest, done: Done): WriteHandle {
    const handle: WriteHandle = { write: null, abandoned: false };
    if (this.#session === 0) this.#wait(request, done, handle);
    else this.#submit(request, done, handle);
    return handle;
  }

  #wait(request: WriteRequest, done: Done, handle: WriteHandle): void {
    if (this.#waiting.length >= MAX_WAITING) throw overloaded('writes wait for a leader');
    const deadline = this.#host.now() + request.timeoutMs;
    this.#waiting.push({ request, deadline, done, handle });
    this.open();
  }

  /** Answers those who waited too long for the session; nothing of theirs was sent. Called on ticks. */
  expire(leaderKnown: boolean): void {
    if (this.#waiting.length === 0) return;
    const now = this.#host.now();
    const late = this.#waiting.filter(({ deadline }) => deadline <= now);
    if (late.length === 0) return;
    this.#waiting = this.#waiting.filter(({ deadline }) => deadline > now);
    for (const { done } of late) done(refused(noAnswer(leaderKnown, 'not-applied')));
  }

  /** Gives up a write: `done` is called with `error`, whose outcome tells what may still happen. */
  abandon(handle: WriteHandle, error: (outcome: 'unknown' | 'not-applied') => QuorliteError): void {
    if (handle.abandoned) return;
    handle.abandoned = true;
    if (handle.write) {
      this.#proposals.abandon(handle.write, error);
      return;
    }
    const at = this.#waiting.findIndex((waiting) => waiting.handle === handle);
    if (at < 0) return;
    const [waiting] = this.#waiting.splice(at, 1);
    waiting!.done(refused(error('not-applied')));
  }

  #submit(request: WriteRequest, done: Done, handle: WriteHandle): void {
    if (this.#nextSequence - this.#floor >= this.#host.window()) {
      throw overloaded('writes of this node are unanswered (cluster setting sessionWindow)');
    }
    const session = this.#session;
    const sequence = this.#nextSequence;
    const header = { session, sequence, acknowledged: this.#floor };
    const write = this.#proposals.submit(request, header, true, (outcome) => {
      if (session === this.#session) this.#settle(sequence);
      if (!outcome.ok && outcome.error.code === 'SESSION_EXPIRED') {
        this.#expired(session, request, write, done, handle);
      } else {
        done(outcome);
      }
    });
    handle.write = write;
    this.#nextSequence++;
  }

  /** The session is unknown to the cluster. What was sent only once was certainly not applied, and goes again. */
  #expired(
    session: number,
    request: WriteRequest,
    write: PendingWrite,
    done: Done,
    handle: WriteHandle,
  ): void {
    if (session === this.#session) this.#session = 0;
    const timeoutMs = write.deadline - this.#host.now();
    if (write.attempts > 1 || handle.abandoned || timeoutMs <= 0) {
      const outcome = write.attempts > 1 ? 'unknown' : 'not-applied';
      const message = "the node's session ended meanwhile";
      done(refused(new QuorliteError('SESSION_EXPIRED', message), outcome));
      return;
    }
    handle.write = null;
    const again = { ...request, timeoutMs };
    try {
      if (this.#session === 0) this.#wait(again, done, handle);
      else this.#submit(again, done, handle);
    } catch (error) {
      done(refused(asQuorliteError(error)));
    }
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

/** Whether opening failed for want of a leader or of time. */
function isTimely({ code }: QuorliteError): boolean {
  return (
    code === 'TIMEOUT' || code === 'NO_QUORUM' || code === 'NOT_LEADER' || code === 'LEADER_CHANGED'
  );
}

/** Whatever it was, by default nothing of the write was sent: a definite answer. */
function refused(
  { code, message, hint }: QuorliteError,
  outcome: 'unknown' | 'not-applied' = 'not-applied',
): CommandOutcome {
  return { ok: false, index: 0, error: new QuorliteError(code, message, { outcome, hint }) };
}

function overloaded(what: string): QuorliteError {
  return new QuorliteError('OVERLOADED', `too many ${what}`);
}
