/** A read whose rows go to the client as they come, as fast as it takes them. */
import type { QueryRequest, QueryStream } from '../../node/contract.ts';
import { asQuorliteError, type QuorliteError } from '../../wire/error.ts';
import { writeColumns, writeRows } from '../../wire/result.ts';
import { StreamFrame } from '../../wire/stream.ts';
import type { SqlValue } from '../../wire/value.ts';
import type { Requests, RunningRequest } from './requests.ts';

/** Rows that are asked for first; afterwards as many as fill a frame. */
const FIRST_ROWS = 16;
const MAX_ROWS = 4096;

/** One streaming read. Frames are sent while the client's credit is positive, so at most one frame exceeds it. */
export class RowStream implements RunningRequest {
  readonly bytes: number;
  readonly #requests: Requests;
  readonly #request: number;
  readonly #asked: QueryRequest;
  #credit: number;
  #stream: QueryStream | null = null;
  #cancelOpening: () => void = () => {};
  #rows = FIRST_ROWS;
  #pulling = false;
  #ended = false;

  constructor(
    requests: Requests,
    request: number,
    asked: QueryRequest,
    bytes: number,
    credit: number,
  ) {
    this.bytes = bytes;
    this.#requests = requests;
    this.#request = request;
    this.#asked = asked;
    this.#credit = Math.min(credit, requests.context.limits.streamCreditBytes);
  }

  start(): void {
    const cancel = this.#requests.context.service.stream(this.#asked, (error, stream) => {
      if (this.#ended) stream?.close();
      else if (error || !stream) this.#fail(asQuorliteError(error, 'not-applied'));
      else this.#open(stream);
    });
    this.#cancelOpening = cancel;
  }

  #open(stream: QueryStream): void {
    this.#stream = stream;
    const { frames } = this.#requests;
    frames.begin(StreamFrame.columns, this.#request);
    frames.out.uint(stream.index);
    writeColumns(frames.out, stream.columns);
    frames.end();
    this.#requests.flushSoon();
    this.#pullSoon();
  }

  credit(bytes: number): void {
    this.#credit = Math.min(this.#credit + bytes, this.#requests.context.limits.streamCreditBytes);
    this.#pullSoon();
  }

  cancel(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#stream) this.#stream.close();
    else this.#cancelOpening();
  }

  /** One frame per turn of the loop: a long stream must not hold the node up. */
  #pullSoon(): void {
    if (this.#pulling || this.#ended || !this.#stream || this.#credit <= 0) return;
    const stream = this.#stream;
    this.#pulling = true;
    this.#requests.context.platform.timers.soon(() => {
      if (!this.#ended) this.#pull(stream);
    });
  }

  #pull(stream: QueryStream): void {
    stream.next(this.#rows, (error, rows, done) => {
      this.#pulling = false;
      if (this.#ended) return;
      if (error) {
        this.#fail(error);
        return;
      }
      this.#send(rows, done);
      this.#pullSoon();
    });
  }

  #send(rows: SqlValue[][], done: boolean): void {
    const { frames } = this.#requests;
    const { rowsFrameBytes } = this.#requests.context.limits;
    frames.begin(StreamFrame.rows, this.#request);
    frames.out.u8(done ? 1 : 0);
    writeRows(frames.out, rows);
    const bytes = frames.end();
    this.#credit -= bytes;
    if (rows.length > 0) {
      const fitting = Math.floor((rowsFrameBytes * rows.length) / bytes);
      this.#rows = Math.max(1, Math.min(fitting, this.#rows * 4, MAX_ROWS));
    }
    if (done) {
      this.#ended = true;
      this.#requests.finish(this.#request);
    } else {
      this.#requests.flushSoon();
    }
  }

  #fail(error: QuorliteError): void {
    this.#ended = true;
    this.#requests.fail(this.#request, error);
  }
}
