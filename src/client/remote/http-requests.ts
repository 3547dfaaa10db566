/** Operations as requests of the HTTP API, and what their answers mean. */

import { assert } from '../../wire/assert.ts';
import { type DecodedOperation, decodeOperation } from '../../wire/operation.ts';
import type { OperationResult } from '../../wire/result.ts';
import type { DriverAdmin, DriverQuery } from '../driver.ts';
import { jsonParams, statementFromJson, statementsFromJson } from './http-json.ts';

/** A request of the API. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  /** What the body holds; `timeoutMs` is added where `timed`. */
  readonly body?: { readonly [name: string]: unknown } | undefined;
  readonly timed?: boolean | undefined;
}

/** A write as a request, and its result out of the answer. */
export interface HttpWrite {
  readonly request: HttpRequest;
  result(answer: { readonly [name: string]: unknown }): OperationResult;
}

/** The request of an encoded operation. Throws `BAD_REQUEST`. */
export function writeRequest(operation: Uint8Array): HttpWrite {
  const decoded = decodeOperation(operation);
  switch (decoded.op) {
    case 'execute': {
      const { sql, params, slow } = decoded;
      return {
        request: post('/v1/execute', { sql, params: jsonParams(params), slow }),
        result: (answer) => ({ type: 'statement', result: statementFromJson(answer) }),
      };
    }
    case 'txn':
      return {
        request: post('/v1/txn', txnBody(decoded)),
        result: ({ results }) => ({ type: 'statements', results: statementsFromJson(results) }),
      };
    case 'batch': {
      const { sql, atomic, slow } = decoded;
      return {
        request: post('/v1/batch', { sql, atomic, slow }),
        result: ({ results }) => ({ type: 'statements', results: statementsFromJson(results) }),
      };
    }
    case 'migrate':
      return {
        request: post('/v1/migrate', { migrations: decoded.migrations }),
        result: ({ applied, current }) =>
          ({ type: 'migrated', applied, current }) as unknown as OperationResult,
      };
    default:
      assert(decoded.op === 'settings', () => `${decoded.op} is no operation of HTTP clients`);
      return {
        request: { method: 'PATCH', path: '/v1/settings', body: decoded.patch },
        result: ({ settings }) => ({ type: 'settings', settings }) as unknown as OperationResult,
      };
  }
}

function post(path: string, body: HttpRequest['body']): HttpRequest {
  return { method: 'POST', path, body, timed: true };
}

function txnBody({
  statements,
  guard,
  slow,
}: DecodedOperation & { op: 'txn' }): NonNullable<HttpRequest['body']> {
  return {
    guard,
    slow,
    statements: statements.map(({ sql, params, many, expect }) => ({
      sql,
      params: jsonParams(params),
      many: many?.map((one) => jsonParams(one) ?? []),
      expect,
    })),
  };
}

/** The request of a read; `history` belongs to `minIndex`. */
export function queryRequest(
  { sql, params, consistency, minIndex }: DriverQuery,
  seen: { readonly index: number; readonly history: string },
): HttpRequest {
  const floor = minIndex ?? (consistency === 'session' ? seen.index : 0);
  const position = floor > 0 ? { minIndex: floor, history: seen.history || undefined } : {};
  return post('/v1/query', { sql, params: jsonParams(params), consistency, ...position });
}

/** The request of a change of the cluster. */
export function adminRequest(request: DriverAdmin): HttpRequest {
  switch (request.op) {
    case 'addMember': {
      const { id, url, voter } = request;
      return post('/v1/cluster/members', { id, url, voter });
    }
    case 'removeMember':
      return { method: 'DELETE', path: `/v1/cluster/members/${request.id}` };
    case 'promote':
      return post(`/v1/cluster/members/${request.id}/promote`, {});
    case 'transfer':
      return post('/v1/cluster/transfer', { to: request.to });
  }
}
