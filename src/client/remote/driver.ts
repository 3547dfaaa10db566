/** The driver of a remote client: calls into bytes, answers into promises and callbacks. */
import type { ClusterStatus, Metric } from '../../node/contract.ts';
import { ByteWriter } from '../../wire/bytes.ts';
import { asQuorliteError, type QuorliteError } from '../../wire/error.ts';
import { type StreamMethod, writeQueryStatement } from '../../wire/stream-requests.ts';
import { aborted, onAbort } from '../abort.ts';
import type { CallLimits, Driver, DriverQuery, DriverStream } from '../driver.ts';
import { JsonCall, type ReadBody, ReadCall, WriteCall } from './calls.ts';
import { Dispatcher, type DispatcherOptions } from './dispatcher.ts';
import { randomFraction } from './runtime.ts';
import { ExportCall, RowsCall } from './stream-calls.ts';

/** A driver over connections to nodes. */
export function createRemoteDriver(options: DispatcherOptions): Driver {
  const { runtime, limits: remoteLimits } = options;
  const dispatcher = new Dispatcher(options);
  const scratch = new ByteWriter(1024);

  /** What a call holds is encoded when it is made: what the caller changes later does not matter. */
  function encode(write: (out: ByteWriter) => void): Uint8Array {
    scratch.length = 0;
    write(scratch);
    return scratch.take();
  }

  function readBody(query: DriverQuery, stream: boolean): ReadBody {
    const { sql, params, consistency, minIndex = 0, tables } = query;
    return {
      query: { stream, tables, consistency, minIndex, maxRows: 0, maxBytes: 0, credit: 0 },
      statement: encode((out) => writeQueryStatement(out, sql, params)),
    };
  }

  function json<T>(
    method: StreamMethod,
    argument: object,
    repeatable: boolean,
    limits: CallLimits,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      function done(error: QuorliteError | null, value: unknown): void {
        if (error) reject(error);
        else resolve(value as T);
      }
      const call = new JsonCall(method, JSON.stringify(argument), repeatable, done);
      dispatcher.submit(call, limits);
    });
  }

  async function* exportChunks(limits: CallLimits): AsyncGenerator<Uint8Array, void, undefined> {
    const call = new ExportCall(remoteLimits.streamCreditBytes);
    dispatcher.submit(call, limits);
    try {
      for (;;) {
        const chunk = await call.next();
        if (chunk === null) return;
        yield chunk;
      }
    } finally {
      dispatcher.abandon(call);
    }
  }

  return {
    write(operation, limits, done) {
      let body: Uint8Array;
      try {
        body = encode(operation);
      } catch (error) {
        done({ ok: false, index: 0, error: asQuorliteError(error, 'not-applied') });
        return;
      }
      dispatcher.submit(new WriteCall(body, true, done), limits);
    },
    query(query, limits, done) {
      dispatcher.submit(new ReadCall(readBody(query, false), done), limits);
    },
    async stream(query, limits) {
      const call = new RowsCall(readBody(query, true), remoteLimits.streamCreditBytes);
      dispatcher.submit(call, limits);
      await call.opening;
      const stream: DriverStream = {
        columns: call.columns,
        next: () => call.next(),
        close: () => dispatcher.abandon(call),
      };
      return stream;
    },
    export: exportChunks,
    ready: (limits) => json<void>('ready', {}, true, limits).then(() => undefined),
    status: (limits) => json<ClusterStatus>('status', {}, true, limits),
    settings: (limits) => json<{ [name: string]: number }>('settings', {}, true, limits),
    metrics: (limits) => json<Metric[]>('metrics', {}, true, limits),
    admin: (request, limits) => json<ClusterStatus>('admin', request, false, limits),
    snapshot: (limits) => json<{ index: number }>('snapshot', {}, true, limits),
    pause: (ms, signal) => pause(runtime.timers, ms, signal),
    monotonicMs: () => runtime.monotonicMs(),
    random: () => randomFraction(runtime.entropy),
    close: () => dispatcher.close(),
  };
}

function pause(
  timers: DispatcherOptions['runtime']['timers'],
  ms: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(aborted(signal, 'not-applied'));
      return;
    }
    const stop = signal
      ? onAbort(signal, () => {
          timers.cancel(timer);
          reject(aborted(signal, 'not-applied'));
        })
      : undefined;
    const timer = timers.after(ms, () => {
      stop?.();
      resolve();
    });
  });
}
