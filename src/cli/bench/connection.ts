/** How `quorlite bench` reaches the cluster: inside a node, through the client protocol, or by plain HTTP requests. */
import type { Client } from '../../client/contract.ts';
import { type ErrorCode, QuorliteError } from '../../wire/error.ts';
import { openClient, type Target } from '../connection.ts';
import { fetchWithin } from '../fetch-within.ts';
import type { EmbeddedCluster } from './embedded.ts';
import { countTraffic, type Traffic } from './traffic.ts';

/** What is measured. */
export type Transport = 'embedded' | 'websocket' | 'http';

/** The few operations that workloads use. */
export interface BenchConnection {
  readonly transport: Transport;
  /** For what is not measured: making and dropping the table. */
  readonly client: Client;
  execute(sql: string, params: readonly (number | string)[]): Promise<void>;
  /** One transaction: the statement once per list. */
  many(sql: string, lists: readonly (readonly (number | string)[])[]): Promise<void>;
  /** Number of rows found. */
  query(
    sql: string,
    params: readonly (number | string)[],
    consistency: 'stale' | 'linearizable',
  ): Promise<number>;
  /** Bytes so far: to and from the cluster, or, inside a node, its peers. Null when they cannot be counted. */
  traffic(): Promise<Traffic | null>;
  close(): Promise<void>;
}

/** Over the client protocol. */
export async function openSocketConnection(target: Target): Promise<BenchConnection> {
  const counter = countTraffic();
  const client = await openClient(target);
  return {
    ...clientOperations(client, target.timeoutMs),
    transport: 'websocket',
    traffic: () => Promise.resolve(counter.read()),
    close: async () => {
      counter.close();
      await client.close();
    },
  };
}

/** Inside the leader. */
export function openEmbeddedConnection(
  { node, close }: EmbeddedCluster,
  timeoutMs: number,
): BenchConnection {
  const { client } = node;
  return {
    ...clientOperations(client, timeoutMs),
    transport: 'embedded',
    traffic: async () => {
      const metrics = await client.metrics();
      const value = (name: string): number =>
        metrics.find((metric) => metric.name === `quorlite_peer_bytes_${name}_total`)!.value;
      return { sent: value('sent'), received: value('received') };
    },
    close,
  };
}

function clientOperations(
  client: Client,
  timeoutMs: number,
): Pick<BenchConnection, 'client' | 'execute' | 'many' | 'query'> {
  return {
    client,
    execute: async (sql, params) => void (await client.execute(sql, params)),
    many: async (sql, lists) => void (await client.txn([{ sql, many: lists }], { timeoutMs })),
    query: async (sql, params, consistency) => {
      const { rows } = await client.queryRaw(sql, params, { consistency });
      return rows.length;
    },
  };
}

/** Over HTTP, one request per operation, connections kept alive by the runtime. */
export async function openHttpConnection(target: Target): Promise<BenchConnection> {
  const client = await openClient(target);
  // Its own connection is no part of what is measured.
  await client.ready();
  const counter = countTraffic();
  const url = target.urls[0]!;
  const headers: { [name: string]: string } = { 'content-type': 'application/json' };
  if (target.token !== undefined) headers['authorization'] = `Bearer ${target.token}`;
  async function post(path: string, body: unknown): Promise<unknown> {
    const init = { method: 'POST', headers, body: JSON.stringify(body) };
    return fetchWithin(url + path, target.timeoutMs, readAnswer, init);
  }
  return {
    transport: 'http',
    client,
    execute: async (sql, params) => void (await post('/v1/execute', { sql, params })),
    many: async (sql, lists) =>
      void (await post('/v1/txn', { statements: [{ sql, many: lists }] })),
    query: async (sql, params, consistency) => {
      const found = await post('/v1/query', { sql, params, consistency });
      return (found as { readonly rows: readonly unknown[] }).rows.length;
    },
    traffic: () => Promise.resolve(counter.read()),
    close: async () => {
      counter.close();
      await client.close();
    },
  };
}

async function readAnswer(answer: Response): Promise<unknown> {
  const json: unknown = await answer.json();
  if (answer.ok) return json;
  const problem = json as { readonly code?: ErrorCode; readonly detail?: string };
  throw new QuorliteError(problem.code ?? 'CORRUPT', problem.detail ?? `HTTP ${answer.status}`);
}
