/**
 * The client protocol: frames over one WebSocket, multiplexed by request id. A message holds one or more frames:
 *
 *     u8    type
 *     uint  request id; 0 for frames about the connection
 *     u32   length of the body
 *     …     body
 *
 * The whole protocol is described in `docs/wire/client-protocol.md`.
 */
import { ByteReader, ByteWriter } from './bytes.ts';
import { QuorliteError } from './error.ts';

/** Oldest and newest version of the protocol that this release speaks. */
export const STREAM_PROTOCOL = { oldest: 1, newest: 1 } as const;

/** Path of the WebSocket below a node's URL. */
export const STREAM_PATH = '/v1/stream';

/** Types of frames. Append only. */
export const StreamFrame = {
  /** Client: the versions that it speaks, whose token it holds, its nonce. */
  hello: 1,
  /** Server: the version chosen, its nonce, how to derive keys from the token. */
  challenge: 2,
  /** Client: it knows the token. */
  proof: 3,
  /** Server: it knows the verifier; limits of the connection. */
  welcome: 4,
  /** Server: who leads, and who else there is. */
  leader: 8,
  /** Either side; the other one answers with `pong`. */
  ping: 9,
  pong: 10,
  /** Server: it stops; running requests are still answered, new ones belong elsewhere. */
  goodbye: 11,
  write: 16,
  query: 17,
  call: 18,
  /** Client: the answer is not wanted any more. */
  cancel: 19,
  /** Client: so many more bytes of rows or chunks may come. */
  credit: 20,
  /** Answer to `write`. */
  outcome: 32,
  /** Answer to `query`. */
  result: 33,
  /** First answer to a streaming `query`; `rows` follow. */
  columns: 34,
  rows: 35,
  /** Answer to `call`. */
  reply: 36,
  /** Bytes of an export; an empty one is the end. */
  chunk: 37,
  /** The request failed; with request id 0, the connection did and is closed. */
  error: 38,
} as const;
export type StreamFrame = (typeof StreamFrame)[keyof typeof StreamFrame];

/** A buffer that grew beyond this many bytes is let go after its message was sent. */
const KEPT_CAPACITY = 1024 * 1024;

/**
 * Gathers frames into one message.
 *
 * @example
 * const frames = new FrameWriter();
 * frames.begin(StreamFrame.cancel, 7);
 * frames.end();
 * link.send(frames.take());
 */
export class FrameWriter {
  /** Where the body of the frame begun last is written. */
  out: ByteWriter = new ByteWriter(4096);
  #frameAt = 0;
  #bodyAt = 0;

  /** Bytes gathered. */
  get length(): number {
    return this.out.length;
  }

  /** Starts a frame; the caller writes the body into `out`, then calls `end`, or `cancel` when that threw. */
  begin(type: StreamFrame, request: number): void {
    const { out } = this;
    this.#frameAt = out.length;
    out.u8(type);
    out.uint(request);
    out.u32(0);
    this.#bodyAt = out.length;
  }

  /** Ends the frame and returns the bytes of its body. */
  end(): number {
    const bytes = this.out.length - this.#bodyAt;
    this.out.u32At(this.#bodyAt - 4, bytes);
    return bytes;
  }

  /** Takes back the frame that `begin` started. */
  cancel(): void {
    this.out.length = this.#frameAt;
  }

  /** The message; the writer starts again from nothing. */
  take(): Uint8Array {
    if (this.out.bytes.length <= KEPT_CAPACITY) return this.out.take();
    const message = this.out.view();
    this.out = new ByteWriter(4096);
    return message;
  }
}

/** Is told of each frame of a message. */
export interface FrameVisitor {
  /**
   * `input` stands at the body, which ends at `end`. Call `finishFrame` after reading and before acting: what was read
   * beyond `end` belongs to another frame. Where `input` is left does not matter.
   */
  frame(type: number, request: number, input: ByteReader, end: number): void;
}

/** Visits the frames of a message. Throws `BAD_REQUEST` when their bounds do not fit the message. */
export function readFrames(message: Uint8Array, visitor: FrameVisitor): void {
  const input = new ByteReader(message);
  while (input.remaining > 0) {
    const type = input.u8();
    const request = input.uint();
    const length = input.u32();
    if (length > input.remaining) throw malformed('a frame exceeds its message');
    const end = input.at + length;
    visitor.frame(type, request, input, end);
    input.at = end;
  }
}

/** Throws `BAD_REQUEST` unless exactly the body was read. */
export function finishFrame(input: ByteReader, end: number): void {
  if (input.at !== end) throw malformed('the body of a frame has another length');
}

/** The rest of a frame's body as a view. */
export function restOfFrame(input: ByteReader, end: number): Uint8Array {
  if (input.at > end) throw malformed('the body of a frame has another length');
  return input.raw(end - input.at);
}

/** A `BAD_REQUEST` about bytes that are no frame of this protocol. */
export function malformed(what: string): QuorliteError {
  return new QuorliteError('BAD_REQUEST', `malformed bytes: ${what}`);
}
