/**
 * The driver of a client without WebSockets: each call is a request of the HTTP API. Writes are exactly-once by their
 * keys. What HTTP has no way for is `NOT_SUPPORTED`: interactive transactions, which need to know what a read depended on.
 */
import type { ClusterStatus, Metric } from '../../node/contract.ts';
import { ByteWriter } from '../../wire/bytes.ts';
import { asQuorliteError, QuorliteError } from '../../wire/error.ts';
import { aborted } from '../abort.ts';
import type { CallLimits, Driver, DriverQuery, DriverResult } from '../driver.ts';
import { HttpExchange, type HttpOptions } from './http-exchange.ts';
import { rowsFromJson } from './http-json.ts';
import { adminRequest, type HttpRequest, queryRequest, writeRequest } from './http-requests.ts';

/** Bytes of chance in a key. */
const KEY_BYTES = 16;
const READY_MS = 100;

/**
 * For `connect`'s option `http`: reaches the cluster by plain requests where there is no WebSocket. A part of its own
 * (`quorlite/client/http`), so that others do not load it.
 *
 * @example
 * import { overHttp } from 'quorlite/client/http';
 *
 * const db = connect('https://db.example.com', { token, http: overHttp });
 */
export function overHttp(options: HttpOptions): Driver {
  const exchange = new HttpExchange(options);

  function read(request: HttpRequest, limits: CallLimits): Promise<{ [name: string]: unknown }> {
    return exchange.json({ request, limits, key: null, repeatable: true });
  }

  async function query(asked: DriverQuery, limits: CallLimits): Promise<DriverResult> {
    if (asked.tables) {
      throw new QuorliteError('NOT_SUPPORTED', 'transaction() needs a WebSocket', {
        hint: 'use txn() with a guard',
      });
    }
    const answer = await read(queryRequest(asked, exchange), limits);
    const { columns, rows, index, lagMs } = answer as unknown as DriverResult;
    return { columns, rows: rowsFromJson(rows), index, lagMs };
  }

  async function* exportChunks(limits: CallLimits): AsyncGenerator<Uint8Array, void, undefined> {
    const request = { method: 'GET', path: '/v1/export' } as const;
    const call = { request, limits, key: null, repeatable: true };
    const body = await exchange.send(call, async ({ body }) => body);
    const reader = body?.getReader();
    try {
      for (;;) {
        const next = await reader?.read();
        if (next === undefined || next.done) return;
        yield next.value;
      }
    } finally {
      await reader?.cancel().catch(() => {});
    }
  }

  return {
    write(operation, limits, done) {
      run(exchange, operation, limits).then(done, (error) =>
        done({ ok: false, index: 0, error: asQuorliteError(error) }),
      );
    },
    query(asked, limits, done) {
      query(asked, limits).then(
        (result) => done(null, result),
        (error) => done(asQuorliteError(error), null),
      );
    },
    async stream(asked, limits) {
      const { columns, rows } = await query(asked, limits);
      let left: DriverResult['rows'] | null = rows;
      return {
        columns,
        async next() {
          const now = left;
          left = null;
          return now;
        },
        close() {
          left = null;
        },
      };
    },
    export: exportChunks,
    async ready(limits) {
      const until = performance.now() + limits.timeoutMs;
      for (;;) {
        const found = await status(limits);
        if (found.leader !== null && found.waiting === '') return;
        if (performance.now() + READY_MS >= until) {
          throw new QuorliteError('NO_QUORUM', found.waiting || 'no leader is known');
        }
        await pause(READY_MS, limits.signal);
      }
    },
    status,
    settings: async (limits) =>
      (await read({ method: 'GET', path: '/v1/settings' }, limits))['settings'] as {
        [name: string]: number;
      },
    async metrics(limits) {
      const request = { method: 'GET', path: '/metrics' } as const;
      const call = { request, limits, key: null, repeatable: true };
      return metricsFromText(await exchange.send(call, (response) => response.text()));
    },
    admin: async (request, limits) =>
      (await exchange.json({
        request: adminRequest(request),
        limits,
        key: null,
        repeatable: false,
      })) as unknown as ClusterStatus,
    async snapshot(limits) {
      const path = `/v1/snapshot?timeoutMs=${Math.ceil(limits.timeoutMs)}`;
      return { index: (await read({ method: 'POST', path }, limits))['index'] as number };
    },
    pause,
    monotonicMs: () => performance.now(),
    random: () => Math.random(),
    async close() {
      exchange.closed = true;
    },
  };

  async function status(limits: CallLimits): Promise<ClusterStatus> {
    const found = await read({ method: 'GET', path: '/v1/cluster' }, limits);
    return found as unknown as ClusterStatus;
  }
}

async function run(
  exchange: HttpExchange,
  operation: (out: ByteWriter) => void,
  limits: CallLimits,
): Promise<Parameters<Parameters<Driver['write']>[2]>[0]> {
  let write: ReturnType<typeof writeRequest>;
  try {
    const out = new ByteWriter(256);
    operation(out);
    write = writeRequest(out.take());
  } catch (error) {
    return { ok: false, index: 0, error: asQuorliteError(error, 'not-applied') };
  }
  const chance = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
  const key = [...chance].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const { request, result } = write;
  const answer = await exchange.json({ request, limits, key, repeatable: true });
  return { ok: true, index: answer['index'] as number, result: result(answer) };
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    function stop(): void {
      clearTimeout(timer);
      reject(aborted(signal!, 'not-applied'));
    }
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}

/** Samples out of Prometheus' text. */
function metricsFromText(text: string): Metric[] {
  const help = new Map<string, string>();
  const types = new Map<string, string>();
  const metrics: Metric[] = [];
  for (const line of text.split('\n')) {
    const about = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line);
    if (about !== null) (about[1] === 'HELP' ? help : types).set(about[2]!, about[3]!);
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (sample === null) continue;
    const [, name, labels, value] = sample;
    metrics.push({
      name: name!,
      type: types.get(name!) === 'counter' ? 'counter' : 'gauge',
      help: help.get(name!) ?? '',
      value: Number(value),
      ...(labels === undefined ? {} : { labels: labelsFromText(labels) }),
    });
  }
  return metrics;
}

function labelsFromText(text: string): { [name: string]: string } {
  const labels: { [name: string]: string } = {};
  for (const [, name, value] of text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
    labels[name!] = value!.replace(/\\(.)/g, (_, escaped) => (escaped === 'n' ? '\n' : escaped));
  }
  return labels;
}
