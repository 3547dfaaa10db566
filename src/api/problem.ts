/** Errors as `application/problem+json` (RFC 9457). */
import { type ErrorCode, type Outcome, QuorliteError } from '../wire/error.ts';
import { described, type Shape } from './shape.ts';

/** The media type of errors. */
export const PROBLEM_TYPE = 'application/problem+json';

/** Seconds after which a caller may try again, by code. */
const RETRY_AFTER: { readonly [code in ErrorCode]?: number } = {
  RATE_LIMITED: 10,
  OVERLOADED: 1,
  NO_QUORUM: 1,
  NOT_LEADER: 1,
  LEADER_CHANGED: 1,
  NOT_READY: 1,
  SHUTTING_DOWN: 5,
};

/** An error in the words of the API. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly outcome: Outcome;
  readonly retryable: boolean;
  readonly leader?: string | undefined;
  readonly statement?: number | undefined;
  readonly offset?: number | undefined;
  readonly sqliteCode?: string | undefined;
  readonly hint?: string | undefined;
  readonly cause?: { readonly code: ErrorCode; readonly detail: string } | undefined;
}

/** Headers and status that an error wants beside those of its code. */
export interface ProblemInit {
  readonly status?: number | undefined;
  readonly headers?: { readonly [name: string]: string } | undefined;
}

/** The error as a plain object. Causes are shown when they are operating errors themselves; others may hold internals. */
export function toProblem(error: QuorliteError, status: number = error.status): Problem {
  const { cause } = error;
  return {
    type: `urn:quorlite:error:${kebab(error.code)}`,
    title: titleOf(error.code),
    status,
    code: error.code,
    detail: error.message,
    outcome: error.outcome,
    retryable: error.retryable,
    leader: error.leader,
    statement: error.statement,
    offset: error.offset,
    sqliteCode: error.sqliteCode,
    hint: error.hint,
    cause: cause instanceof QuorliteError ? { code: cause.code, detail: cause.message } : undefined,
  };
}

/** The error as a response. */
export function problemResponse(error: QuorliteError, init: ProblemInit = {}): Response {
  const status = init.status ?? error.status;
  return new Response(JSON.stringify(toProblem(error, status)), {
    status,
    headers: { ...problemHeaders(error), ...init.headers },
  });
}

/** The headers that every error has. */
export function problemHeaders(error: QuorliteError): Record<string, string> {
  const headers: Record<string, string> = {
    'content-type': PROBLEM_TYPE,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  };
  if (error.code === 'UNAUTHENTICATED') headers['www-authenticate'] = 'Bearer realm="quorlite"';
  const seconds = RETRY_AFTER[error.code];
  if (seconds !== undefined) headers['retry-after'] = String(seconds);
  return headers;
}

function kebab(code: ErrorCode): string {
  return code.toLowerCase().replaceAll('_', '-');
}

/** `SQL_CONSTRAINT` → `SQL constraint`: the same for every error of a code, as RFC 9457 wants titles. */
function titleOf(code: ErrorCode): string {
  const words = code.toLowerCase().replaceAll('_', ' ').replace('sql', 'SQL');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** A problem, for OpenAPI. */
export const problemShape: Shape<unknown> = described('Problem', {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'detail', 'outcome', 'retryable'],
  properties: {
    type: { type: 'string', description: 'URN of the code' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string', description: 'stable; decide by this' },
    detail: { type: 'string' },
    outcome: {
      type: 'string',
      enum: ['not-applied', 'applied', 'unknown'],
      description: 'what is known about the write; never a guess',
    },
    retryable: { type: 'boolean', description: 'whether the same request may succeed later' },
    leader: { type: 'string', description: 'URL or number of the leader' },
    statement: { type: 'integer', description: 'position of the failing statement, from 0' },
    offset: { type: 'integer', description: 'of the offending token, UTF-16 units' },
    sqliteCode: { type: 'string', description: 'such as SQLITE_CONSTRAINT_UNIQUE' },
    hint: { type: 'string', description: 'what to do about it' },
    cause: { type: 'object', properties: { code: { type: 'string' }, detail: { type: 'string' } } },
  },
});
