/** The client inside a node: no frames, no copies; a write is encoded straight into the log entry. */
import type { NodeService, QueryRequest, QueryStream } from '../node/contract.ts';
import type { Platform } from '../platform/contract.ts';
import { asQuorliteError, type Outcome, type QuorliteError } from '../wire/error.ts';
import type { SqlValue } from '../wire/value.ts';
import { aborted, clientClosed, onAbort } from './abort.ts';
import { DEFAULT_TIMEOUT_MS } from './call-options.ts';
import { createClient } from './client.ts';
import type { Client, IntegerMode } from './contract.ts';
import type { CallLimits, Driver, DriverQuery, DriverResult, DriverStream } from './driver.ts';

/** Rows that a stream takes from the node at a time. */
const STREAM_ROWS = 256;
/** Bytes of a chunk of an export. */
const CHUNK_BYTES = 256 * 1024;

/** How an embedded client is made. */
export interface EmbeddedClientOptions {
  /** The node's own runtime. */
  readonly platform: Platform;
  /** Default `auto`. */
  readonly integers?: IntegerMode | undefined;
  /** How long calls wait unless they say otherwise; default 10,000. */
  readonly timeoutMs?: number | undefined;
}

type Callback<T> = (error: QuorliteError | null, value: T | null) => void;

/**
 * A client that calls `service` directly. `close` only ends this client, never the node.
 *
 * @example
 * const client = createEmbeddedClient(service, { platform });
 */
export function createEmbeddedClient(service: NodeService, options: EmbeddedClientOptions): Client {
  const { platform, integers = 'auto', timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  return createClient(createEmbeddedDriver(service, platform), { integers, timeoutMs });
}

function createEmbeddedDriver(service: NodeService, platform: Platform): Driver {
  const { timers, clock } = platform;
  let closed = false;

  /** Why a call may not start, or null. */
  function refusal({ signal }: CallLimits): QuorliteError | null {
    if (closed) return clientClosed('not-applied');
    return signal?.aborted ? aborted(signal, 'not-applied') : null;
  }

  /** Runs `start`, which returns how to give up; the signal gives up with `outcome`. */
  function run<T>(
    limits: CallLimits,
    outcome: Outcome,
    done: Callback<T>,
    start: (done: Callback<T>) => (() => void) | undefined,
  ): void {
    const refused = refusal(limits);
    if (refused) {
      done(refused, null);
      return;
    }
    const { signal } = limits;
    try {
      if (signal) abortable(signal, outcome, done, start);
      else start(done);
    } catch (error) {
      done(asQuorliteError(error), null);
    }
  }

  function call<T>(
    limits: CallLimits,
    outcome: Outcome,
    start: (done: Callback<T>) => (() => void) | undefined,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      run<T>(limits, outcome, (error, value) => (error ? reject(error) : resolve(value!)), start);
    });
  }

  async function now<T>(limits: CallLimits, read: () => T): Promise<T> {
    const refused = refusal(limits);
    if (refused) throw refused;
    return read();
  }

  async function* exportChunks(limits: CallLimits): AsyncGenerator<Uint8Array, void, undefined> {
    const source = await now(limits, () => service.openExport());
    try {
      for (;;) {
        const refused = refusal(limits);
        if (refused) throw refused;
        const chunk = source.read(CHUNK_BYTES);
        if (chunk === null) return;
        yield chunk;
        await new Promise<void>((resolve) => timers.soon(resolve));
      }
    } finally {
      source.close();
    }
  }

  return {
    write(operation, limits, done) {
      const { timeoutMs, signal } = limits;
      if (signal === undefined && !closed) {
        service.write({ operation, timeoutMs }, done);
        return;
      }
      run<Parameters<typeof done>[0]>(
        limits,
        'unknown',
        (error, outcome) => done(outcome ?? { ok: false, index: 0, error: error! }),
        (finish) => service.write({ operation, timeoutMs }, (outcome) => finish(null, outcome)),
      );
    },
    query(query, limits, done) {
      const request = nodeQuery(query, limits);
      if (query.tables) {
        run<DriverResult>(limits, 'not-applied', done, (finish) =>
          service.query(request, (error, result) => {
            if (result) withTables(service, query.sql, result, finish);
            else finish(error, null);
          }),
        );
      } else if (limits.signal === undefined && !closed) {
        service.query(request, done);
      } else {
        run<DriverResult>(limits, 'not-applied', done, (finish) => service.query(request, finish));
      }
    },
    async stream(query, limits) {
      const opened = await call<QueryStream>(limits, 'not-applied', (finish) =>
        service.stream(
          { ...nodeQuery(query, limits), maxRows: Infinity, maxBytes: Infinity },
          finish,
        ),
      );
      return embeddedStream(opened, limits.signal);
    },
    export: exportChunks,
    ready: (limits) =>
      call<true>(limits, 'not-applied', (finish) =>
        service.ready(limits.timeoutMs, (error) => finish(error, error ? null : true)),
      ).then(() => undefined),
    status: (limits) => now(limits, () => service.status()),
    settings: (limits) => now(limits, () => service.settings()),
    metrics: (limits) => now(limits, () => service.metrics()),
    admin: (request, limits) =>
      call(limits, 'unknown', (finish) => {
        service.admin(request, limits.timeoutMs, finish);
        return undefined;
      }),
    snapshot: (limits) =>
      call(limits, 'unknown', (finish) => {
        service.checkpoint(finish, limits.timeoutMs);
        return undefined;
      }),
    pause: (ms, signal) =>
      call<true>({ signal, timeoutMs: ms }, 'not-applied', (finish) => {
        const timer = timers.after(ms, () => finish(null, true));
        return () => timers.cancel(timer);
      }).then(() => undefined),
    monotonicMs: () => clock.monotonicMs(),
    random: () => randomFraction(platform),
    async close() {
      closed = true;
    },
  };
}

function withTables(
  service: NodeService,
  sql: string,
  result: DriverResult,
  done: Callback<DriverResult>,
): void {
  let tables: readonly string[];
  try {
    tables = service.tablesRead(sql);
  } catch (error) {
    done(asQuorliteError(error, 'not-applied'), null);
    return;
  }
  done(null, { ...result, tables });
}

function nodeQuery(query: DriverQuery, { timeoutMs }: CallLimits): QueryRequest {
  const { sql, params, consistency, minIndex } = query;
  return { sql, params, consistency, minIndex, timeoutMs };
}

/** Gives up when the signal fires first. */
function abortable<T>(
  signal: AbortSignal,
  outcome: Outcome,
  done: Callback<T>,
  start: (done: Callback<T>) => (() => void) | undefined,
): void {
  let finished = false;
  let giveUp: (() => void) | undefined;
  const stop = onAbort(signal, () => {
    if (finished) return;
    // The node may know more than that nothing is known, and says so while it gives up.
    giveUp?.();
    if (finished) return;
    finished = true;
    done(aborted(signal, outcome), null);
  });
  giveUp = start((error, value) => {
    if (finished) return;
    finished = true;
    stop();
    done(error, value);
  });
}

/** One step at a time; an abort ends it between two slices of the node, also when they give no row. */
function embeddedStream(stream: QueryStream, signal: AbortSignal | undefined): DriverStream {
  let done = false;

  function close(): void {
    if (!done) stream.close();
    done = true;
  }

  function step(finish: Callback<SqlValue[][]>): () => void {
    stream.next(STREAM_ROWS, (error, rows, end) => {
      done ||= end || error !== null;
      finish(error, error ? null : rows);
    });
    return close;
  }

  return {
    columns: stream.columns,
    next: () =>
      new Promise<SqlValue[][] | null>((resolve, reject) => {
        function finish(error: QuorliteError | null, rows: SqlValue[][] | null): void {
          if (error) reject(error);
          else resolve(rows);
        }
        if (signal?.aborted) reject(aborted(signal, 'not-applied'));
        else if (done) resolve(null);
        else if (signal) abortable(signal, 'not-applied', finish, step);
        else step(finish);
      }),
    close,
  };
}

function randomFraction({ entropy }: Platform): number {
  const bytes = new Uint8Array(4);
  entropy.fill(bytes);
  return new DataView(bytes.buffer).getUint32(0, true) / 4294967296;
}
