/** One connection of a remote client to a node. */
import type { TimerHandle } from '../../platform/contract.ts';
import type { Link, LinkEvents } from '../../platform/links.ts';
import type { ByteReader } from '../../wire/bytes.ts';
import { asQuorliteError, QuorliteError } from '../../wire/error.ts';
import { readError } from '../../wire/result.ts';
import {
  type FrameVisitor,
  FrameWriter,
  readFrames,
  STREAM_PATH,
  StreamFrame,
} from '../../wire/stream.ts';
import {
  type LeaderHint,
  NONCE_BYTES,
  readLeader,
  type StreamWelcome,
} from '../../wire/stream-handshake.ts';
import type { Call } from './calls.ts';
import { ClientHandshake, type Credentials } from './handshake.ts';
import type { RemoteLimits } from './limits.ts';
import type { ClientRuntime } from './runtime.ts';

/** Before dialling. */
const NO_LINK: Link = { send() {}, bufferedBytes: 0, close() {} };

/** What is told about a connection. */
export interface ConnectionEvents {
  /** The handshake succeeded. Throws to refuse the node. */
  ready(connection: ClientConnection, welcome: StreamWelcome): void;
  leader(connection: ClientConnection, hint: LeaderHint): void;
  /** An answer. */
  answer(
    connection: ClientConnection,
    type: number,
    request: number,
    input: ByteReader,
    end: number,
  ): void;
  /** The node stops. */
  goodbye(connection: ClientConnection): void;
  /** The connection is gone; nothing comes afterwards. */
  closed(connection: ClientConnection, error: QuorliteError): void;
}

/** What a connection is made with. */
export interface ConnectionOptions {
  readonly runtime: ClientRuntime;
  readonly limits: RemoteLimits;
  readonly credentials: Credentials | null;
  readonly agent: string;
  readonly events: ConnectionEvents;
}

/** A connection: dialled, then greeted, then open. */
export class ClientConnection implements LinkEvents, FrameVisitor {
  readonly url: string;
  /** Calls that wait for an answer from here. */
  readonly calls: Set<Call> = new Set();
  readonly frames: FrameWriter = new FrameWriter();
  /** No new calls: the node stops, or a better one was found. */
  draining = false;
  maxRequests = 0;
  /** Bytes of a call that the node takes. */
  maxCallBytes = 0;
  readonly #options: ConnectionOptions;
  readonly #handshake: ClientHandshake;
  #link: Link = NO_LINK;
  #state: 'connecting' | 'open' | 'closed' = 'connecting';
  #watch: TimerHandle = 0;
  #heardAt: number;
  #askedAt = -1;
  #flushing = false;

  constructor(url: string, options: ConnectionOptions) {
    this.url = url;
    this.#options = options;
    this.#handshake = new ClientHandshake(options.credentials);
    this.#heardAt = options.runtime.monotonicMs();
  }

  /** Dials; the events may come before this returns. */
  start(): void {
    const { runtime, limits } = this.#options;
    this.#watch = runtime.timers.after(limits.connectMs, () => {
      this.#fail(unreachable(this.url, `no answer within ${limits.connectMs} ms`));
    });
    const link = runtime.dial(streamUrl(this.url), this);
    if (this.#state === 'closed') link.close();
    else this.#link = link;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Whether another call may be sent now. */
  get hasRoom(): boolean {
    if (this.#state !== 'open' || this.draining || this.calls.size >= this.maxRequests)
      return false;
    return this.calls.size === 0 || this.#buffered <= this.#options.limits.bufferedBytes;
  }

  get #buffered(): number {
    return this.#link.bufferedBytes + this.frames.length;
  }

  opened(): void {
    if (this.#state !== 'connecting') return;
    const nonce = new Uint8Array(NONCE_BYTES);
    this.#options.runtime.entropy.fill(nonce);
    this.#handshake.hello(this.frames, nonce, this.#options.agent);
    this.#flush();
  }

  message(bytes: Uint8Array): void {
    if (this.#state === 'closed') return;
    this.#heardAt = this.#options.runtime.monotonicMs();
    this.#askedAt = -1;
    try {
      readFrames(bytes, this);
    } catch (error) {
      this.#fail(asQuorliteError(error));
    }
  }

  closed(reason: string): void {
    this.#end(unreachable(this.url, reason));
  }

  frame(type: number, request: number, input: ByteReader, end: number): void {
    if (this.#state === 'closed') return;
    const { events } = this.#options;
    if (request !== 0) {
      if (this.#state === 'open') events.answer(this, type, request, input, end);
      return;
    }
    switch (type) {
      case StreamFrame.challenge:
        this.#handshake.challenge(input, end, this.frames);
        this.#flush();
        return;
      case StreamFrame.welcome:
        this.#welcome(this.#handshake.welcome(input, end));
        return;
      case StreamFrame.leader:
        events.leader(this, readLeader(input, end));
        return;
      case StreamFrame.ping:
        this.sendEmpty(StreamFrame.pong, 0);
        return;
      case StreamFrame.pong:
        return;
      case StreamFrame.goodbye:
        events.goodbye(this);
        return;
      case StreamFrame.error:
        this.#fail(readError(input));
        return;
      default:
        throw new QuorliteError('NOT_SUPPORTED', `frames of type ${type} are not known here`);
    }
  }

  #welcome(welcome: StreamWelcome): void {
    if (this.#state !== 'connecting') return;
    this.#options.runtime.timers.cancel(this.#watch);
    this.#state = 'open';
    this.maxRequests = welcome.maxRequests;
    this.maxCallBytes = welcome.maxMessageBytes;
    this.#watchSilence();
    this.#options.events.ready(this, welcome);
  }

  /** Half-open connections are noticed by silence (the node answers pings at once, whatever else it does). */
  #watchSilence(): void {
    const { runtime, limits } = this.#options;
    const period = Math.min(limits.silenceMs, limits.pongMs) / 2;
    this.#watch = runtime.timers.after(period, () => {
      const now = runtime.monotonicMs();
      const patience = this.calls.size > 0 ? limits.silenceMs : limits.idleMs;
      if (this.#askedAt >= 0 && now - this.#askedAt >= limits.pongMs) {
        this.#fail(unreachable(this.url, 'the node fell silent'));
        return;
      }
      if (this.#askedAt < 0 && now - this.#heardAt >= patience) {
        this.#askedAt = now;
        this.sendEmpty(StreamFrame.ping, 0);
      }
      this.#watchSilence();
    });
  }

  /** Sends a frame without body. */
  sendEmpty(type: StreamFrame, request: number): void {
    if (this.#state !== 'open') return;
    this.frames.begin(type, request);
    this.frames.end();
    this.flushSoon();
  }

  /** Grants a stream more bytes. */
  sendCredit(request: number, bytes: number): void {
    if (this.#state !== 'open') return;
    this.frames.begin(StreamFrame.credit, request);
    this.frames.out.uint(bytes);
    this.frames.end();
    this.flushSoon();
  }

  /** What is written in this turn goes out as one message. Never call it amid a frame. */
  flushSoon(): void {
    if (this.frames.length >= this.#options.limits.flushBytes) {
      this.#flush();
    } else if (!this.#flushing) {
      this.#flushing = true;
      this.#options.runtime.timers.soon(() => {
        this.#flushing = false;
        this.#flush();
      });
    }
  }

  #flush(): void {
    if (this.#state === 'closed' || this.frames.length === 0) return;
    this.#link.send(this.frames.take());
  }

  /** Closes at once, without an event. */
  close(reason: string): void {
    if (this.#state === 'closed') return;
    this.#flush();
    this.#state = 'closed';
    this.#options.runtime.timers.cancel(this.#watch);
    this.#link.close(reason);
  }

  #fail(error: QuorliteError): void {
    if (this.#state === 'closed') return;
    this.#link.close(error.code);
    this.#end(error);
  }

  #end(error: QuorliteError): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#options.runtime.timers.cancel(this.#watch);
    this.#options.events.closed(this, error);
  }
}

function unreachable(url: string, reason: string): QuorliteError {
  return new QuorliteError('NO_QUORUM', `${url}: ${reason}`);
}

/** The WebSocket endpoint below a node's URL. */
function streamUrl(url: string): string {
  return url.replace(/^http/, 'ws') + STREAM_PATH;
}
