/**
 * The calls of a remote client: sent when there is a connection, a session and room; sent again, under the same
 * session and sequence, until answered; ended at their deadline with what is known. Writes are exactly-once (C1), and
 * an outcome is never guessed (C2, C3).
 */
import { type ByteReader, ByteWriter } from '../../wire/bytes.ts';
import { QuorliteError } from '../../wire/error.ts';
import { writeOperation } from '../../wire/operation.ts';
import { readError } from '../../wire/result.ts';
import { StreamFrame } from '../../wire/stream.ts';
import type { StreamWelcome } from '../../wire/stream-handshake.ts';
import { aborted, clientClosed, onAbort } from '../abort.ts';
import type { CallLimits } from '../driver.ts';
import { type Answered, type Call, WriteCall } from './calls.ts';
import type { ClientConnection } from './connection.ts';
import { Deadlines } from './deadlines.ts';
import { connectionLost, type FailedAttempt, judge, notServed, withOutcome } from './judge.ts';
import { backoff, type RemoteLimits } from './limits.ts';
import { Router, type RouterOptions } from './router.ts';
import { type ClientRuntime, randomFraction } from './runtime.ts';
import { SessionKeeper } from './session-keeper.ts';

/** How a dispatcher is made. */
export type DispatcherOptions = Omit<RouterOptions, 'events'>;

/** The node gets a little less time than the caller, so that its answer, which knows more, comes first. */
const MARGIN_MS = 100;

/** Sends calls and settles them. */
export class Dispatcher {
  readonly runtime: ClientRuntime;
  readonly limits: RemoteLimits;
  readonly #router: Router;
  readonly #sessions: SessionKeeper;
  readonly #deadlines: Deadlines;
  readonly #saw = (index: number): void => {
    if (index > this.#index) this.#index = index;
  };
  /** Every unsettled call by request id. */
  readonly #calls: Map<number, Call> = new Map();
  /** Calls to be sent, oldest first. Writes under the session may have to wait for it, or for room in its window. */
  #waitingWrites: Set<WriteCall> = new Set();
  #waitingOthers: Set<Call> = new Set();
  #bytes = 0;
  #nextId = 1;
  #index = 0;
  #closed = false;

  constructor(options: DispatcherOptions) {
    this.runtime = options.runtime;
    this.limits = options.limits;
    this.#router = new Router({ ...options, events: this });
    this.#deadlines = new Deadlines(this.runtime, this.#calls, (call) => this.#expired(call));
    this.#sessions = new SessionKeeper({
      runtime: this.runtime,
      limits: this.limits,
      // The bound is for callers: their calls may be waiting for this very one.
      submit: (call, limits) => this.#accept(call, limits),
      opened: () => this.#pump(),
      retry: () => this.#pump(),
      failed: (error) => {
        for (const call of [...this.#waitingWrites]) {
          this.#fail(call, withOutcome(error, call.outcome));
        }
      },
    });
  }

  /** Takes a call; its end is told through the call. */
  submit(call: Call, { signal, timeoutMs }: CallLimits): void {
    const refused = this.#refusal(call, signal);
    if (refused) {
      call.settled = true;
      call.fail(refused);
      return;
    }
    this.#accept(call, { signal, timeoutMs });
  }

  #accept(call: Call, { signal, timeoutMs }: CallLimits): void {
    call.id = this.#nextId++;
    call.deadline = this.runtime.monotonicMs() + timeoutMs;
    if (signal) {
      call.stopListening = onAbort(signal, () => this.#giveUp(call, aborted(signal, call.outcome)));
    }
    this.#calls.set(call.id, call);
    this.#bytes += call.bytes;
    this.#deadlines.watch(call.deadline);
    this.#wait(call);
    this.#pump();
  }

  #refusal(call: Call, signal: AbortSignal | undefined): QuorliteError | null {
    if (this.#closed) return clientClosed('not-applied');
    if (signal?.aborted) return aborted(signal, 'not-applied');
    const { calls, callBytes } = this.limits;
    const tooMany = this.#calls.size >= calls;
    if (tooMany || (this.#bytes > 0 && this.#bytes + call.bytes > callBytes)) {
      return new QuorliteError('OVERLOADED', 'too many calls of this client are unanswered');
    }
    return null;
  }

  #wait(call: Call): void {
    if (isKeyed(call)) this.#waitingWrites.add(call);
    else this.#waitingOthers.add(call);
  }

  /** What was sent before goes first: its sequence may be what the session's window waits for. */
  #waitFirst(calls: readonly Call[]): void {
    this.#waitingWrites = new Set([...calls.filter(isKeyed), ...this.#waitingWrites]);
    const others = calls.filter((call) => !isKeyed(call));
    this.#waitingOthers = new Set([...others, ...this.#waitingOthers]);
  }

  isWanted(): boolean {
    return this.#waitingWrites.size + this.#waitingOthers.size > 0;
  }

  /** Sends what can be sent. */
  #pump(): void {
    if (!this.isWanted()) return;
    const connection = this.#router.active;
    if (!connection) {
      this.#router.connect();
      return;
    }
    for (const call of this.#waitingWrites) {
      if (!connection.hasRoom) return;
      if (!this.#sessions.prepare(call)) break;
      this.#waitingWrites.delete(call);
      this.#send(call, connection);
    }
    for (const call of this.#waitingOthers) {
      if (!connection.hasRoom) return;
      this.#waitingOthers.delete(call);
      this.#send(call, connection);
    }
  }

  #send(call: Call, connection: ClientConnection): void {
    const { maxCallBytes } = connection;
    if (call.bytes > maxCallBytes) {
      this.#fail(call, tooLarge(call, maxCallBytes));
      return;
    }
    const left = call.deadline - this.runtime.monotonicMs();
    call.connection = connection;
    call.attempts++;
    connection.calls.add(call);
    const { frames } = connection;
    frames.begin(call.frame, call.id);
    call.send(frames, {
      timeoutMs: Math.max(1, Math.floor(left - Math.min(MARGIN_MS, left / 4))),
      index: this.#index,
      history: this.#router.history,
    });
    frames.end();
    connection.flushSoon();
  }

  answer(
    connection: ClientConnection,
    type: number,
    request: number,
    input: ByteReader,
    end: number,
  ): void {
    const call = this.#calls.get(request);
    if (call?.connection !== connection) return;
    const answered: Answered =
      type === StreamFrame.error
        ? { type: 'failed', error: readError(input), decided: false }
        : call.answer(type, input, end, this.#saw);
    if (answered.type === 'more') return;
    this.#detach(call);
    if (answered.type === 'done') this.#settle(call);
    else this.#failed(call, connection, answered);
    this.#router.settle(connection);
    this.#pump();
  }

  /** No answer is awaited any more. */
  #detach(call: Call): void {
    call.connection?.calls.delete(call);
    call.connection = null;
  }

  #failed(call: Call, connection: ClientConnection, attempt: FailedAttempt): void {
    const verdict = judge(call, attempt);
    call.lastError = attempt.error;
    if (verdict.expiredSession && call instanceof WriteCall) this.#sessions.expired(call);
    if (verdict.avoid) this.#router.avoid(connection);
    const pause = verdict.again ? this.#pause(call) : 0;
    if (!verdict.again || this.runtime.monotonicMs() + pause >= call.deadline) {
      this.#fail(call, withOutcome(attempt.error, verdict.outcome));
      return;
    }
    this.runtime.timers.after(pause, () => {
      if (call.settled) return;
      this.#waitFirst([call]);
      this.#pump();
    });
  }

  #pause(call: Call): number {
    return backoff(this.limits.retryMs, call.attempts, randomFraction(this.runtime.entropy));
  }

  available(_connection: ClientConnection, welcome: StreamWelcome): void {
    this.#sessions.window = welcome.sessionWindow;
    this.#pump();
  }

  /** What waited for an answer is sent again, before what is newer; in doubt are only writes. */
  lost(connection: ClientConnection, error: QuorliteError): void {
    const again: Call[] = [];
    for (const call of [...connection.calls].sort((a, b) => a.id - b.id)) {
      call.lastError = error;
      const { outcome } = call;
      call.lost();
      this.#detach(call);
      if (call.repeatable) again.push(call);
      else this.#fail(call, connectionLost(error, outcome));
    }
    this.#waitFirst(again);
  }

  refused(error: QuorliteError): void {
    for (const call of [...this.#calls.values()]) {
      if (call.connection === null) this.#fail(call, withOutcome(error, call.outcome));
    }
  }

  #expired(call: Call): void {
    const { outcome } = call;
    const reason =
      call.lastError ??
      (isKeyed(call) && call.session === null ? this.#sessions.lastError : null) ??
      (this.#router.active === null ? this.#router.lastError : null);
    // A node that just takes the call again, after it or another one knew of no leader, has no other answer.
    const served = call.connection !== null && reason?.code !== 'NO_QUORUM';
    if (!served && (reason !== null || this.#router.active === null)) {
      this.#giveUp(call, notServed(reason, outcome));
      return;
    }
    const cause = reason ?? undefined;
    this.#giveUp(call, new QuorliteError('TIMEOUT', 'no answer came in time', { outcome, cause }));
  }

  /** Ends a call whose answer is not wanted any more. */
  #giveUp(call: Call, error: QuorliteError): void {
    const { connection } = call;
    connection?.sendEmpty(StreamFrame.cancel, call.id);
    this.#detach(call);
    this.#fail(call, error);
    if (connection) this.#router.settle(connection);
    this.#pump();
  }

  /** Ends a call that its caller left (streams). */
  abandon(call: Call): void {
    if (call.settled) return;
    this.#giveUp(call, new QuorliteError('ABORTED', 'the loop was left'));
  }

  #fail(call: Call, error: QuorliteError): void {
    if (call.settled) return;
    this.#settle(call);
    call.fail(error);
  }

  #settle(call: Call): void {
    call.settled = true;
    call.stopListening?.();
    this.#calls.delete(call.id);
    this.#bytes -= call.bytes;
    this.#waitingOthers.delete(call);
    if (isKeyed(call)) {
      this.#waitingWrites.delete(call);
      call.session?.answered(call.sequence);
    }
    if (this.#calls.size === 0) this.#deadlines.stop();
  }

  /** Ends every call, and tells the node that the session is over, if that is quick. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const call of [...this.#calls.values()]) {
      const { outcome } = call;
      this.#detach(call);
      this.#fail(call, clientClosed(outcome));
    }
    await this.#closeSession();
    this.#router.close();
  }

  /** A session that is not closed expires; closing it early frees its place. */
  #closeSession(): Promise<void> {
    const { id } = this.#sessions;
    if (id === null || !this.#router.active?.hasRoom) return Promise.resolve();
    return new Promise((resolve) => {
      const out = new ByteWriter(16);
      writeOperation(out, { op: 'closeSession', session: id });
      const call = new WriteCall(out.take(), false, () => resolve());
      this.#accept(call, { signal: undefined, timeoutMs: this.limits.closeMs });
    });
  }
}

function isKeyed(call: Call): call is WriteCall {
  return call instanceof WriteCall && call.keyed;
}

/** Sent all the same, it would cost the connection, again and again. */
function tooLarge({ bytes, outcome }: Call, limit: number): QuorliteError {
  return new QuorliteError(
    'ENTRY_TOO_LARGE',
    `the call has ${bytes} bytes, the node takes ${limit} (its limit maxBodyBytes)`,
    { outcome },
  );
}
