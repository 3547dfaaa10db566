/** The running requests of one connection: admission, the hot paths of writes and reads, cancelling. */
import type { QueryRequest } from '../../node/contract.ts';
import type { ByteReader } from '../../wire/bytes.ts';
import { asQuorliteError, QuorliteError } from '../../wire/error.ts';
import { Op } from '../../wire/operation.ts';
import { type CommandOutcome, writeOutcome } from '../../wire/result.ts';
import { type FrameWriter, malformed, restOfFrame, StreamFrame } from '../../wire/stream.ts';
import { type DecodedQuery, readCall, readQuery, writeResult } from '../../wire/stream-requests.ts';
import { startCall } from './calls.ts';
import type { ConnectionContext, StreamConnection } from './connection.ts';
import { ExportStream } from './export.ts';
import { RowStream } from './rows.ts';

/** A running request. */
export interface RunningRequest {
  /** Bytes that it holds. */
  readonly bytes: number;
  /** Gives up; nothing is answered afterwards. */
  cancel(): void;
  /** The client takes so many bytes more; streams have it. */
  credit?(bytes: number): void;
}

/** A placeholder until the service has told how to cancel. */
function nothing(): void {}

/** Starts, answers and forgets the requests of one connection. */
export class Requests {
  readonly context: ConnectionContext;
  readonly frames: FrameWriter;
  readonly #connection: StreamConnection;
  readonly #running: Map<number, RunningRequest> = new Map();
  #bytes = 0;
  #streams = 0;

  constructor(connection: StreamConnection) {
    this.context = connection.context;
    this.frames = connection.frames;
    this.#connection = connection;
  }

  get size(): number {
    return this.#running.size;
  }

  /** Starts a request; what is wrong with it is its answer. Throws only when the request id cannot be answered. */
  start(type: StreamFrame, request: number, input: ByteReader, end: number): void {
    if (request === 0 || this.#running.has(request)) throw malformed(`request id ${request}`);
    const bytes = end - input.at;
    try {
      this.#admit(bytes);
      if (type === StreamFrame.write) this.#write(request, bytes, input, end);
      else if (type === StreamFrame.query) this.#query(request, bytes, readQuery(input, end));
      else this.#call(request, bytes, input, end);
    } catch (error) {
      const failure = asQuorliteError(error);
      if (failure.code === 'CORRUPT') {
        this.context.logger.error('client request failed', { reason: failure.message });
      }
      this.fail(request, failure);
    }
  }

  #admit(bytes: number): void {
    const { limits } = this.context;
    if (this.#connection.isDraining) throw new QuorliteError('SHUTTING_DOWN', 'the node stops');
    const full = this.#bytes > 0 && this.#bytes + bytes > limits.requestBytes;
    if (full || this.#running.size >= limits.requests) {
      throw new QuorliteError('OVERLOADED', 'too many requests run on this connection');
    }
    if (this.#connection.bufferedBytes > limits.bufferedBytes) {
      throw new QuorliteError('OVERLOADED', 'the client does not take its answers');
    }
  }

  #write(request: number, bytes: number, input: ByteReader, end: number): void {
    const id = input.uint();
    const sequence = input.uint();
    const acknowledged = input.uint();
    const timeoutMs = this.#timeout(input.uint());
    const operation = restOfFrame(input, end);
    if (operation.length === 0) throw malformed('a write without operation');
    if (operation[0] === Op.tick) throw malformed('ticks are for nodes only');
    if (id !== 0 && sequence === 0) throw malformed('sequence 0');
    const session = id === 0 ? undefined : { id, sequence, acknowledged };
    this.#hold(request, { bytes, cancel: nothing });
    const cancel = this.context.service.write({ operation, session, timeoutMs }, (outcome) =>
      this.#answerWrite(request, outcome),
    );
    this.#replace(request, { bytes, cancel });
  }

  #answerWrite(request: number, outcome: CommandOutcome): void {
    if (!this.#running.has(request)) return;
    this.frames.begin(StreamFrame.outcome, request);
    writeOutcome(this.frames.out, outcome);
    this.frames.end();
    this.finish(request);
  }

  #query(request: number, bytes: number, query: DecodedQuery): void {
    const asked: QueryRequest = {
      sql: query.sql,
      params: query.params,
      consistency: query.consistency,
      minIndex: query.minIndex || undefined,
      history: query.history || undefined,
      timeoutMs: this.#timeout(query.timeoutMs),
      client: this.#connection,
      maxRows: query.stream ? Number.POSITIVE_INFINITY : query.maxRows || undefined,
      maxBytes: query.stream ? Number.POSITIVE_INFINITY : query.maxBytes || undefined,
    };
    if (query.stream) {
      this.#stream(request, new RowStream(this, request, asked, bytes, query.credit));
      return;
    }
    this.#hold(request, { bytes, cancel: nothing });
    const { service } = this.context;
    const cancel = service.query(asked, (error, result) => {
      if (!this.#running.has(request)) return;
      if (error || !result) {
        this.fail(request, asQuorliteError(error, 'not-applied'));
        return;
      }
      this.frames.begin(StreamFrame.result, request);
      try {
        const tables = query.tables ? service.tablesRead(query.sql) : undefined;
        writeResult(this.frames.out, tables ? { ...result, tables } : result);
      } catch (failure) {
        this.frames.cancel();
        this.fail(request, asQuorliteError(failure, 'not-applied'));
        return;
      }
      this.frames.end();
      this.finish(request);
    });
    this.#replace(request, { bytes, cancel });
  }

  #call(request: number, bytes: number, input: ByteReader, end: number): void {
    const call = readCall(input, end);
    if (call.method === 'export') {
      this.#stream(request, new ExportStream(this, request, call.credit));
      return;
    }
    this.#hold(request, { bytes, cancel: nothing });
    startCall(this, request, { ...call, timeoutMs: this.#timeout(call.timeoutMs) });
  }

  #stream(request: number, stream: RunningRequest & { start(): void }): void {
    if (this.#streams >= this.context.limits.streams) {
      throw new QuorliteError('OVERLOADED', 'too many row streams run on this connection');
    }
    this.#hold(request, stream);
    stream.start();
  }

  #timeout(asked: number): number {
    return Math.min(Math.max(asked, 1), this.context.limits.timeoutMs);
  }

  #hold(request: number, running: RunningRequest): void {
    this.#running.set(request, running);
    this.#bytes += running.bytes;
    if (running.credit) this.#streams++;
  }

  /** The request may have been answered before its cancel function was known. */
  #replace(request: number, running: RunningRequest): void {
    if (this.#running.has(request)) this.#running.set(request, running);
  }

  /** Whether the request still waits for its (last) answer. */
  isRunning(request: number): boolean {
    return this.#running.has(request);
  }

  /** Sends what was written for a request that goes on. */
  flushSoon(): void {
    this.#connection.flushSoon();
  }

  /** Ends a request whose answer was written. */
  finish(request: number): void {
    this.#forget(request);
    this.#connection.flushSoon();
    this.#connection.leaveWhenIdle();
  }

  /** Ends a request with an error. */
  fail(request: number, error: QuorliteError): void {
    this.#connection.sendError(request, error);
    this.finish(request);
  }

  #forget(request: number): RunningRequest | undefined {
    const running = this.#running.get(request);
    if (!running) return undefined;
    this.#running.delete(request);
    this.#bytes -= running.bytes;
    if (running.credit) this.#streams--;
    return running;
  }

  /** The client takes so many bytes more. */
  credit(request: number, bytes: number): void {
    this.#running.get(request)?.credit?.(bytes);
  }

  /** The client does not want the answer any more. */
  cancel(request: number): void {
    this.#forget(request)?.cancel();
    this.#connection.leaveWhenIdle();
  }

  /** The connection is gone. */
  cancelAll(): void {
    const running = [...this.#running.values()];
    this.#running.clear();
    for (const request of running) request.cancel();
  }
}
