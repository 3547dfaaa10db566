/** How `quorlite bench` reaches the cluster: the client library over a WebSocket, or plain HTTP requests. */
import type { Client } from '../../client/contract.ts';
import { type ErrorCode, QuorliteError } from '../../wire/error.ts';
import { openClient, type Target } from '../connection.ts';
import { fetchWithin } from '../fetch-within.ts';

/** The few operations that workloads use. */
export interface BenchConnection {
  execute(sql: string, params: readonly (number | string)[]): Promise<void>;
  /** One transaction: the statement once per list. */
  many(sql: string, lists: readonly (readonly (number | string)[])[]): Promise<void>;
  /** Number of rows found. */
  query(
    sql: string,
    params: readonly (number | string)[],
    consistency: 'stale' | 'linearizable',
  ): Promise<number>;
  close(): Promise<void>;
}

/** Over the client protocol. */
export async function openSocketConnection(target: Target): Promise<BenchConnection> {
  const client: Client = await openClient(target);
  return {
    execute: async (sql, params) => void (await client.execute(sql, params)),
    many: async (sql, lists) =>
      void (await client.txn([{ sql, many: lists }], { timeoutMs: target.timeoutMs })),
    query: async (sql, params, consistency) => {
      const { rows } = await client.queryRaw(sql, params, { consistency });
      return rows.length;
    },
    close: () => client.close(),
  };
}

/** Over HTTP, one request per operation, connections kept alive by the runtime. */
export function openHttpConnection(target: Target): BenchConnection {
  const url = target.urls[0]!;
  const headers: { [name: string]: string } = { 'content-type': 'application/json' };
  if (target.token !== undefined) headers['authorization'] = `Bearer ${target.token}`;
  async function post(path: string, body: unknown): Promise<unknown> {
    const init = { method: 'POST', headers, body: JSON.stringify(body) };
    return fetchWithin(url + path, target.timeoutMs, readAnswer, init);
  }
  return {
    execute: async (sql, params) => void (await post('/v1/execute', { sql, params })),
    many: async (sql, lists) =>
      void (await post('/v1/txn', { statements: [{ sql, many: lists }] })),
    query: async (sql, params, consistency) => {
      const found = await post('/v1/query', { sql, params, consistency });
      return (found as { readonly rows: readonly unknown[] }).rows.length;
    },
    close: () => Promise.resolve(),
  };
}

async function readAnswer(answer: Response): Promise<unknown> {
  const json: unknown = await answer.json();
  if (answer.ok) return json;
  const problem = json as { readonly code?: ErrorCode; readonly detail?: string };
  throw new QuorliteError(problem.code ?? 'CORRUPT', problem.detail ?? `HTTP ${answer.status}`);
}
