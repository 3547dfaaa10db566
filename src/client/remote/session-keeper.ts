/** Opens the client's session through the log when it is needed, and again when it expired. */
import { ByteWriter } from '../../wire/bytes.ts';
import type { QuorliteError } from '../../wire/error.ts';
import { writeOperation } from '../../wire/operation.ts';
import type { CommandOutcome } from '../../wire/result.ts';
import type { CallLimits } from '../driver.ts';
import { WriteCall } from './calls.ts';
import { backoff, type RemoteLimits } from './limits.ts';
import { type ClientRuntime, randomFraction, randomId } from './runtime.ts';
import { WriteSession } from './session.ts';

/** How long opening a session may take before it is tried anew. */
const OPEN_TIMEOUT_MS = 10_000;

/** What the keeper needs of the dispatcher. */
export interface SessionKeeperOptions {
  readonly runtime: ClientRuntime;
  readonly limits: RemoteLimits;
  submit(call: WriteCall, limits: CallLimits): void;
  opened(): void;
  /** It is time to try again, if writes still wait. */
  retry(): void;
  /** No session can be had; waiting writes fail with this. */
  failed(error: QuorliteError): void;
}

/** The current session of a client. */
export class SessionKeeper {
  /** Sequences of a session that the cluster remembers. */
  window = 1;
  readonly #options: SessionKeeperOptions;
  #lastError: QuorliteError | null = null;
  #current: WriteSession | null = null;
  /** What opens a session now. */
  #opening: WriteCall | null = null;
  #failures = 0;

  constructor(options: SessionKeeperOptions) {
    this.#options = options;
  }

  /** Id of the open session, or null. */
  get id(): number | null {
    return this.#current?.id ?? null;
  }

  /** Why there is no session yet: what the last attempt to open one met, which may still be going on. */
  get lastError(): QuorliteError | null {
    return this.#opening?.lastError ?? this.#lastError;
  }

  /** Gives a write its sequence; false while there is none to give. A write keeps the one that it has. */
  prepare(call: WriteCall): boolean {
    if (call.session !== null) return true;
    const session = this.#current;
    if (session === null) {
      this.#open(call);
      return false;
    }
    if (!session.hasRoom) return false;
    call.session = session;
    call.sequence = session.take();
    return true;
  }

  /** The cluster does not know the session of this write, which gets a new one if it is sent again. */
  expired(call: WriteCall): void {
    if (call.session === this.#current) this.#current = null;
    call.session = null;
    call.sequence = 0;
  }

  /** The same id may be sent several times: opening an open session changes nothing. */
  #open(waiting: WriteCall): void {
    if (this.#opening) return;
    const { runtime, limits } = this.#options;
    const id = randomId(runtime.entropy);
    const out = new ByteWriter(16);
    writeOperation(out, { op: 'openSession', session: id });
    const call = new WriteCall(out.take(), false, (outcome) => {
      if (outcome.ok) {
        this.#failures = 0;
        this.#lastError = null;
        this.#opening = null;
        this.#current = new WriteSession(id, Math.min(this.window, limits.sessionWindow));
        this.#options.opened();
      } else {
        this.#failed(outcome);
      }
    });
    this.#opening = call;
    const left = Math.max(1, Math.ceil(waiting.deadline - runtime.monotonicMs()));
    const timeoutMs = Math.min(left, OPEN_TIMEOUT_MS);
    this.#options.submit(call, { signal: undefined, timeoutMs });
  }

  #failed({ error }: CommandOutcome & { ok: false }): void {
    const { runtime, limits, failed, retry } = this.#options;
    this.#failures++;
    this.#lastError = error;
    if (!error.retryable || error.code === 'OVERLOADED') {
      this.#opening = null;
      failed(error);
      return;
    }
    const pause = backoff(limits.retryMs, this.#failures, randomFraction(runtime.entropy));
    runtime.timers.after(pause, () => {
      this.#opening = null;
      retry();
    });
  }
}
