/** Answers: JSON with the headers and fields that all of them carry. */
import { NODE_LIMITS } from '../config/limits.ts';
import type { ClusterSummary } from '../node/contract.ts';
import { QuorliteError } from '../wire/error.ts';
import type { ApiContext, Call } from './context.ts';
import { integer, type JsonSchema, type Shape } from './shape.ts';

/** Cluster id and leader as this node knows them now. */
export function summaryOf({ service }: ApiContext): ClusterSummary {
  return service.summary === undefined ? service.status() : service.summary();
}

/** A response of JSON text, with `quorlite-served-by` and `quorlite-leader`. */
export function jsonResponse(api: ApiContext, json: string, status: number = 200): Response {
  return respond(api.service.id, summaryOf(api).leader, json, status);
}

/**
 * An answer about the database: the fields in `json` (`"rows":[],…`), then `index` and `history`, the cluster that the
 * index belongs to.
 */
export function answerAt(call: Call<unknown>, json: string, index: number): Response {
  const { clusterId, leader } = summaryOf(call.api);
  return respond(
    call.api.service.id,
    leader,
    `{${json},"index":${index},"history":"${clusterId}"}`,
    200,
  );
}

function respond(id: number, leader: number | null, json: string, status: number): Response {
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'quorlite-served-by': String(id),
  };
  if (leader !== null) headers['quorlite-leader'] = String(leader);
  return new Response(json, { status, headers });
}

/** Says on an error, too, who answered and who leads. */
export function sayWhoServed(api: ApiContext, headers: Headers): void {
  headers.set('quorlite-served-by', String(api.service.id));
  let leader: number | null = null;
  try {
    leader = summaryOf(api).leader;
  } catch {
    // A node that cannot even say who leads still says why the request failed.
  }
  if (leader !== null) headers.set('quorlite-leader', String(leader));
}

/** How long the caller is willing to wait. */
export const timeoutShape: Shape<number> = integer(
  'how long to wait for the answer, milliseconds',
  1,
  NODE_LIMITS.maxRequestTimeoutMs.max,
);

/** The timeout that a request names, or this node's default times `factor`. Throws `BAD_REQUEST` beyond the limit. */
export function timeoutOf(
  call: Call<unknown>,
  named: number | undefined,
  factor: number = 1,
): number {
  const { requestTimeoutMs, maxRequestTimeoutMs } = call.api.limits;
  if (named === undefined) return Math.min(requestTimeoutMs * factor, maxRequestTimeoutMs);
  if (named <= maxRequestTimeoutMs) return named;
  throw new QuorliteError('BAD_REQUEST', `timeoutMs must be at most ${maxRequestTimeoutMs}`);
}

/** The timeout behind `?`. */
export function timeoutQuery(call: Call<unknown>): number | undefined {
  const named = call.query?.get('timeoutMs') ?? null;
  return named === null ? undefined : timeoutShape.read(digits(named), ['timeoutMs']);
}

/** The number that a path or query parameter spells in decimal digits; else the text, for a shape to refuse. */
export function digits(value: string | undefined): number | string {
  return value !== undefined && /^\d{1,16}$/.test(value) ? Number(value) : String(value);
}

/** `index` and `history` in a schema of answers. */
export const POSITION_SCHEMA: JsonSchema = {
  index: { type: 'integer', description: 'index of the log entry' },
  history: { type: 'string', description: 'id of the cluster that the index belongs to' },
};

/**
 * Waits for a callback of the node, or for the caller to hang up; then `giveUp` is called and `ABORTED` thrown. The
 * signal is not touched when the node calls back at once.
 */
export function untilDone<T>(
  call: Call<unknown>,
  start: (resolve: (value: T) => void, reject: (error: QuorliteError) => void) => () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    let settled = false;
    let signal: AbortSignal | undefined;
    function settle(): boolean {
      if (settled) return false;
      settled = true;
      signal?.removeEventListener('abort', aborted);
      return true;
    }
    function aborted(): void {
      if (!settle()) return;
      giveUp();
      reject(new QuorliteError('ABORTED', 'the caller hung up', { outcome: call.outcome }));
    }
    const giveUp = start(
      (value) => {
        if (settle()) resolve(value);
      },
      (error) => {
        if (settle()) reject(error);
      },
    );
    if (settled) return;
    signal = call.request.signal;
    if (signal.aborted) aborted();
    else signal.addEventListener('abort', aborted, { once: true });
  });
}
