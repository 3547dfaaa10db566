/** Calls of a remote client: what is sent, what an answer means, what is known when none comes. */
import type { ByteReader } from '../../wire/bytes.ts';
import type { Outcome, QuorliteError } from '../../wire/error.ts';
import { type CommandOutcome, readOutcome } from '../../wire/result.ts';
import { type FrameWriter, malformed, StreamFrame } from '../../wire/stream.ts';
import {
  readResult,
  type StreamMethod,
  type StreamQuery,
  writeCall,
  writeQueryHeader,
  writeWriteHeader,
} from '../../wire/stream-requests.ts';
import type { DriverResult } from '../driver.ts';
import type { ClientConnection } from './connection.ts';
import type { WriteSession } from './session.ts';

/** What calls are told when they are sent. */
export interface SendContext {
  /** Milliseconds that the node may take. */
  readonly timeoutMs: number;
  /** The newest index that this client has seen, and its history. */
  readonly index: number;
  readonly history: string;
}

/** Is told an index of the log that the caller has seen. */
export type SawIndex = (index: number) => void;

/** What became of an answer. */
export type Answered =
  /** The call is over. */
  | { readonly type: 'done' }
  /** More answers follow. */
  | { readonly type: 'more' }
  /** This attempt failed; `decided` by the log, or merely refused by a node. */
  | { readonly type: 'failed'; readonly error: QuorliteError; readonly decided: boolean };

const DONE: Answered = { type: 'done' };

/** One call, from submission to its end. The dispatcher owns the public fields. */
export abstract class Call {
  id = 0;
  /** Monotonic milliseconds. */
  deadline = 0;
  /** Where an answer is awaited. */
  connection: ClientConnection | null = null;
  /** Why the last attempt failed. */
  lastError: QuorliteError | null = null;
  attempts = 0;
  settled = false;
  /** Stops listening to the caller's signal. */
  stopListening: (() => void) | null = null;

  /** Type of the frame that sends it. */
  abstract readonly frame: StreamFrame;
  /** Bytes that the call holds. */
  abstract readonly bytes: number;
  /** Whether it may be sent again after a connection was lost. */
  abstract readonly repeatable: boolean;
  /** Appends the frame's body. */
  abstract send(frames: FrameWriter, context: SendContext): void;
  /**
   * Takes an answer other than an error frame and tells `saw` the index that it is as of. Throws for an answer that
   * does not belong to the request.
   */
  abstract answer(type: number, input: ByteReader, end: number, saw: SawIndex): Answered;
  /** Tells the caller that the call failed. */
  abstract fail(error: QuorliteError): void;

  /** Whether `NOT_READY` is worth waiting for; a read that asks for little lag wants to know at once. */
  get patient(): boolean {
    return true;
  }

  /** What is known when the call ends now without an answer. */
  get outcome(): Outcome {
    return 'not-applied';
  }

  /** The connection was lost while an answer was awaited. */
  lost(): void {}
}

/** A write. Keyed ones take a sequence of the session, others may be repeated as they are. */
export class WriteCall extends Call {
  readonly frame: StreamFrame = StreamFrame.write;
  readonly keyed: boolean;
  session: WriteSession | null = null;
  sequence = 0;
  /** An attempt may have been applied. */
  inDoubt = false;
  readonly #operation: Uint8Array;
  readonly #done: (outcome: CommandOutcome) => void;

  constructor(operation: Uint8Array, keyed: boolean, done: (outcome: CommandOutcome) => void) {
    super();
    this.keyed = keyed;
    this.#operation = operation;
    this.#done = done;
  }

  get bytes(): number {
    return this.#operation.length;
  }

  get repeatable(): boolean {
    return true;
  }

  override get outcome(): Outcome {
    return this.inDoubt || this.connection !== null ? 'unknown' : 'not-applied';
  }

  override lost(): void {
    this.inDoubt = true;
  }

  send({ out }: FrameWriter, { timeoutMs }: SendContext): void {
    const { session } = this;
    writeWriteHeader(out, session?.id ?? 0, this.sequence, session?.acknowledged ?? 0, timeoutMs);
    out.raw(this.#operation);
  }

  answer(type: number, input: ByteReader, _end: number, saw: SawIndex): Answered {
    if (type !== StreamFrame.outcome) throw malformed(`a frame of type ${type} answers a write`);
    const outcome = readOutcome(input);
    saw(outcome.index);
    if (!outcome.ok) {
      return { type: 'failed', error: outcome.error, decided: outcome.index > 0 };
    }
    this.#done(outcome);
    return DONE;
  }

  fail(error: QuorliteError): void {
    this.#done({ ok: false, index: 0, error });
  }
}

/** What a read asks for, its statement encoded. */
export interface ReadBody {
  readonly query: Omit<StreamQuery, 'timeoutMs' | 'history'>;
  readonly statement: Uint8Array;
}

/** Appends a read. A `session` read is at least as new as everything that this client has seen. */
export function sendRead(
  frames: FrameWriter,
  { query, statement }: ReadBody,
  context: SendContext,
): void {
  const { timeoutMs, history } = context;
  const isSession = query.consistency === 'session';
  const minIndex = isSession ? Math.max(query.minIndex, context.index) : query.minIndex;
  writeQueryHeader(frames.out, { ...query, minIndex, history, timeoutMs });
  frames.out.raw(statement);
}

/** A read that is answered at once. */
export class ReadCall extends Call {
  readonly frame: StreamFrame = StreamFrame.query;
  readonly #body: ReadBody;
  readonly #done: (error: QuorliteError | null, result: DriverResult | null) => void;

  constructor(
    body: ReadBody,
    done: (error: QuorliteError | null, result: DriverResult | null) => void,
  ) {
    super();
    this.#body = body;
    this.#done = done;
  }

  get bytes(): number {
    return this.#body.statement.length;
  }

  get repeatable(): boolean {
    return true;
  }

  override get patient(): boolean {
    return typeof this.#body.query.consistency === 'string';
  }

  send(frames: FrameWriter, context: SendContext): void {
    sendRead(frames, this.#body, context);
  }

  answer(type: number, input: ByteReader, end: number, saw: SawIndex): Answered {
    if (type !== StreamFrame.result) throw malformed(`a frame of type ${type} answers a read`);
    const result = readResult(input, end);
    saw(result.index);
    this.#done(null, result);
    return DONE;
  }

  fail(error: QuorliteError): void {
    this.#done(error, null);
  }
}

/** A JSON call. */
export class JsonCall extends Call {
  readonly frame: StreamFrame = StreamFrame.call;
  readonly repeatable: boolean;
  readonly #method: StreamMethod;
  readonly #argument: string;
  readonly #done: (error: QuorliteError | null, value: unknown) => void;

  /** `repeatable`: asking twice does no harm. */
  constructor(
    method: StreamMethod,
    argument: string,
    repeatable: boolean,
    done: (error: QuorliteError | null, value: unknown) => void,
  ) {
    super();
    this.repeatable = repeatable;
    this.#method = method;
    this.#argument = argument;
    this.#done = done;
  }

  get bytes(): number {
    return this.#argument.length;
  }

  override get outcome(): Outcome {
    return this.repeatable || this.connection === null ? 'not-applied' : 'unknown';
  }

  send(frames: FrameWriter, { timeoutMs }: SendContext): void {
    writeCall(frames.out, this.#method, timeoutMs, 0, this.#argument);
  }

  answer(type: number, input: ByteReader): Answered {
    if (type !== StreamFrame.reply) throw malformed(`a frame of type ${type} answers a call`);
    this.#done(null, JSON.parse(input.text()));
    return DONE;
  }

  fail(error: QuorliteError): void {
    this.#done(error, null);
  }
}
