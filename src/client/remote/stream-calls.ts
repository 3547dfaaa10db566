/** Calls with many answers: rows of a streaming read, chunks of an export. Credit keeps the node from running ahead. */
import type { ByteReader } from '../../wire/bytes.ts';
import type { QuorliteError } from '../../wire/error.ts';
import { type Column, readColumns, readRows } from '../../wire/result.ts';
import { type FrameWriter, malformed, StreamFrame } from '../../wire/stream.ts';
import { writeCall } from '../../wire/stream-requests.ts';
import type { SqlValue } from '../../wire/value.ts';
import {
  type Answered,
  Call,
  type ReadBody,
  type SawIndex,
  type SendContext,
  sendRead,
} from './calls.ts';

const MORE: Answered = { type: 'more' };
const DONE: Answered = { type: 'done' };

/** Bytes that may come before anything was taken: a loop that is left early costs little. */
const FIRST_CREDIT_BYTES = 64 * 1024;

interface Waiter<T> {
  resolve(part: T | null): void;
  reject(error: QuorliteError): void;
}

/** Parts that arrive, and the one reader who takes them. */
abstract class PartsCall<T> extends Call {
  /** Bytes granted with the request. */
  readonly credit: number;
  /** Bytes that may be on their way now. */
  #window: number;
  readonly #maxWindow: number;
  /** An answer came: the deadline was met, and repeating would deliver parts twice. */
  started = false;
  readonly #parts: { readonly part: T; readonly bytes: number }[] = [];
  #waiter: Waiter<T> | null = null;
  #ended = false;
  #error: QuorliteError | null = null;
  /** Bytes taken that were not granted again yet. */
  #taken = 0;

  constructor(maxWindow: number) {
    super();
    this.#maxWindow = maxWindow;
    this.credit = Math.min(FIRST_CREDIT_BYTES, maxWindow);
    this.#window = this.credit;
  }

  get repeatable(): boolean {
    return !this.started;
  }

  protected begun(): void {
    this.started = true;
    this.deadline = Number.POSITIVE_INFINITY;
  }

  protected arrived(part: T, bytes: number): void {
    if (this.#waiter) {
      this.#took(bytes);
      const waiter = this.#waiter;
      this.#waiter = null;
      waiter.resolve(part);
    } else {
      this.#parts.push({ part, bytes });
    }
  }

  protected finished(): void {
    this.#ended = true;
    this.#waiter?.resolve(null);
    this.#waiter = null;
  }

  fail(error: QuorliteError): void {
    this.#error = error;
    this.#ended = true;
    this.#waiter?.reject(error);
    this.#waiter = null;
  }

  /** The next part, null at the end. One at a time. */
  next(): Promise<T | null> {
    const first = this.#parts.shift();
    if (first) {
      this.#took(first.bytes);
      return Promise.resolve(first.part);
    }
    if (this.#error) return Promise.reject(this.#error);
    if (this.#ended) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
  }

  /** Credit goes back in halves of the window, which grows while the reader reads on. */
  #took(bytes: number): void {
    this.#taken += bytes;
    if (this.#taken < this.#window / 2 || this.#ended) return;
    const window = Math.min(2 * this.#window, this.#maxWindow);
    this.connection?.sendCredit(this.id, this.#taken + window - this.#window);
    this.#window = window;
    this.#taken = 0;
  }
}

/** A streaming read. */
export class RowsCall extends PartsCall<SqlValue[][]> {
  readonly frame: StreamFrame = StreamFrame.query;
  readonly #body: ReadBody;
  #columns: readonly Column[] = [];
  #opened: (() => void) | null = null;
  #refused: ((error: QuorliteError) => void) | null = null;
  /** Resolves when the columns are known. */
  readonly opening: Promise<void>;

  constructor(body: ReadBody, maxWindow: number) {
    super(maxWindow);
    this.#body = body;
    this.opening = new Promise((resolve, reject) => {
      this.#opened = resolve;
      this.#refused = reject;
    });
  }

  get columns(): readonly Column[] {
    return this.#columns;
  }

  override get patient(): boolean {
    return typeof this.#body.query.consistency === 'string';
  }

  get bytes(): number {
    return this.#body.statement.length;
  }

  send(frames: FrameWriter, context: SendContext): void {
    const { statement, query } = this.#body;
    sendRead(frames, { statement, query: { ...query, credit: this.credit } }, context);
  }

  answer(type: number, input: ByteReader, end: number, saw: SawIndex): Answered {
    const bytes = end - input.at;
    if (type === StreamFrame.columns) {
      saw(input.uint());
      this.#columns = readColumns(input);
      this.begun();
      this.#opened?.();
      return MORE;
    }
    if (type !== StreamFrame.rows) throw malformed(`a frame of type ${type} answers a stream`);
    const done = input.u8() === 1;
    this.arrived(readRows(input, this.#columns.length), bytes);
    if (done) this.finished();
    return done ? DONE : MORE;
  }

  override fail(error: QuorliteError): void {
    this.#refused?.(error);
    super.fail(error);
  }
}

/** An export. */
export class ExportCall extends PartsCall<Uint8Array> {
  readonly frame: StreamFrame = StreamFrame.call;

  get bytes(): number {
    return 0;
  }

  send(frames: FrameWriter, { timeoutMs }: SendContext): void {
    writeCall(frames.out, 'export', timeoutMs, this.credit, '{}');
  }

  answer(type: number, input: ByteReader, end: number): Answered {
    if (type !== StreamFrame.chunk) throw malformed(`a frame of type ${type} answers an export`);
    this.begun();
    const chunk = input.raw(end - input.at).slice();
    if (chunk.length === 0) {
      this.finished();
      return DONE;
    }
    this.arrived(chunk, chunk.length);
    return MORE;
  }
}
