/**
 * Requests to a cluster until one is answered: another node after one that fails, the same write under the same key, so
 * that it happens once. An outcome is never guessed (C2, C3).
 */
import { asQuorliteError, QuorliteError } from '../../wire/error.ts';
import { aborted, clientClosed } from '../abort.ts';
import type { CallLimits } from '../driver.ts';
import { errorFromProblem } from './http-json.ts';
import type { HttpRequest } from './http-requests.ts';
import { notServed, PASSING, withOutcome } from './judge.ts';
import { backoff } from './limits.ts';

/** What requests are made with. */
export interface HttpOptions {
  readonly urls: readonly string[];
  readonly token: string | undefined;
  /** Default: the global one. */
  readonly fetch?: typeof fetch | undefined;
}

/** How a request is made. */
export interface HttpCall {
  readonly request: HttpRequest;
  readonly limits: CallLimits;
  /** Key of a write; null for a read. */
  readonly key: string | null;
  /** Whether it may be sent again although its answer was lost. */
  readonly repeatable: boolean;
}

/** Codes that only the log gives: what they say of a write is known for good. */
const DECIDED =
  /^(SQL_|NO_ROWS|TOO_MANY|EXPECTATION|CONFLICT|MIGRATION|TRANSACTION|RESULT_|IDEMPOTENCY)/;
const RETRY_MS = [10, 500] as const;
/** The node gets a little less time than the caller, so that its answer, which knows more, comes first. */
const MARGIN_MS = 100;

/** Sends requests. */
export class HttpExchange {
  /** The newest index that was answered, and its history. */
  index = 0;
  history = '';
  closed = false;
  readonly #options: HttpOptions;
  /** Which node is asked first. */
  #first = 0;

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  /** The answer as parsed JSON. Throws what the cluster says, or that it cannot be reached. */
  async json(call: HttpCall): Promise<{ readonly [name: string]: unknown }> {
    const response = await this.send(call, async (found) => (await found.json()) as object);
    const answer = response as { readonly index?: number; readonly history?: string };
    if (typeof answer.history === 'string' && answer.history !== '') {
      if (this.history !== '' && this.history !== answer.history) {
        throw new QuorliteError('CLUSTER_MISMATCH', 'the answer is of another cluster', {
          outcome: call.key === null ? 'not-applied' : 'applied',
          hint: 'make a new client',
        });
      }
      this.history = answer.history;
      if (typeof answer.index === 'number') this.index = Math.max(this.index, answer.index);
    }
    return answer as { readonly [name: string]: unknown };
  }

  /** Sends until an answer could be read by `read`, or the time is over. */
  async send<T>(call: HttpCall, read: (response: Response) => Promise<T>): Promise<T> {
    const { signal, timeoutMs } = call.limits;
    if (this.closed) throw clientClosed('not-applied');
    if (signal?.aborted) throw aborted(signal, 'not-applied');
    const deadline = performance.now() + timeoutMs;
    let inDoubt = false;
    for (let attempt = 1; ; attempt++) {
      let error: QuorliteError;
      try {
        return await this.#once(call, deadline, read);
      } catch (failure) {
        error = asQuorliteError(failure);
      }
      const decided = DECIDED.test(error.code);
      const unknown = call.key !== null && error.outcome === 'unknown';
      const outcome = inDoubt && !decided ? 'unknown' : error.outcome;
      inDoubt ||= unknown && !decided;
      if (signal?.aborted) throw aborted(signal, call.key === null ? 'not-applied' : 'unknown');
      const lost = error.outcome === 'unknown' && !call.repeatable;
      if (decided || lost || !PASSING.has(error.code)) throw withOutcome(error, outcome);
      this.#first = (this.#first + 1) % this.#options.urls.length;
      const pause = backoff(RETRY_MS, attempt, Math.random());
      if (performance.now() + pause >= deadline) throw notServed(error, outcome);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  async #once<T>(
    { request, limits, key }: HttpCall,
    deadline: number,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    const { method, path, body, timed } = request;
    const { token, fetch: send = globalThis.fetch } = this.#options;
    const left = Math.max(1, deadline - performance.now());
    const timeoutMs = Math.max(1, Math.floor(left - Math.min(MARGIN_MS, left / 4)));
    const sent = body && JSON.stringify(timed ? { ...body, timeoutMs } : body);
    const headers: Record<string, string> = {};
    if (sent !== undefined) headers['content-type'] = 'application/json';
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
    if (key !== null) headers['idempotency-key'] = key;
    const timer = AbortSignal.timeout(Math.ceil(left));
    const signal = limits.signal ? AbortSignal.any([limits.signal, timer]) : timer;
    const url = this.#options.urls[this.#first]!;
    let response: Response;
    try {
      response = await send(url + path, { method, headers, signal, ...(sent && { body: sent }) });
      if (response.ok) return await read(response);
    } catch (cause) {
      if (cause instanceof QuorliteError) throw cause;
      const outcome = key === null ? 'not-applied' : 'unknown';
      if (timer.aborted) {
        throw new QuorliteError('TIMEOUT', 'no answer came in time', { outcome, cause });
      }
      throw new QuorliteError('NO_QUORUM', `${url}: ${describe(cause)}`, { outcome, cause });
    }
    const problem = await response.json().catch(() => null);
    throw errorFromProblem(problem as { [name: string]: unknown } | null, response.status);
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error ? `${error.message}: ${cause.message}` : error.message;
}
