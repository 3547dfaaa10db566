/** One client's connection: handshake, frames in, answers gathered into one message per turn. */
import type { NodeService } from '../../node/contract.ts';
import type { Platform, TimerHandle } from '../../platform/contract.ts';
import type { Link, LinkEvents } from '../../platform/links.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { ByteReader } from '../../wire/bytes.ts';
import { asQuorliteError, QuorliteError } from '../../wire/error.ts';
import { writeError } from '../../wire/result.ts';
import {
  type FrameVisitor,
  FrameWriter,
  finishFrame,
  malformed,
  readFrames,
  StreamFrame,
} from '../../wire/stream.ts';
import { type HandshakeContext, ServerHandshake } from './handshake.ts';
import { MESSAGE_EXTRA_BYTES, type StreamLimits } from './limits.ts';
import { Requests } from './requests.ts';

/** What a connection needs of its server. */
export interface ConnectionContext extends HandshakeContext {
  readonly service: NodeService;
  readonly platform: Platform;
  readonly limits: StreamLimits;
  readonly logger: Logger;
  /** Body of the newest leader frame. */
  leaderBody(): Uint8Array;
  /** The client proved itself. */
  authenticated(connection: StreamConnection): void;
  closed(connection: StreamConnection): void;
}

/** Speaks the protocol with one client. */
export class StreamConnection implements LinkEvents, FrameVisitor {
  readonly context: ConnectionContext;
  /** Where answers are written; `flushSoon` follows each. */
  readonly frames: FrameWriter = new FrameWriter();
  readonly #link: Link;
  readonly #remote: string;
  readonly #handshake: ServerHandshake;
  readonly #requests: Requests;
  readonly #deadline: TimerHandle;
  #state: 'handshake' | 'open' | 'closed' = 'handshake';
  #proved = false;
  #flushing = false;
  #draining = false;

  constructor(context: ConnectionContext, link: Link, remote: string) {
    this.context = context;
    this.#link = link;
    this.#remote = remote;
    this.#handshake = new ServerHandshake(context);
    this.#requests = new Requests(this);
    link.limitIncoming?.(2 * context.limits.handshakeBytes);
    this.#deadline = context.platform.timers.after(context.limits.handshakeMs, () => {
      if (this.#state !== 'handshake') return;
      this.refuse(new QuorliteError('TIMEOUT', 'the client did not finish the handshake in time'));
    });
  }

  /** Whether the client ever proved itself. */
  get isAuthenticated(): boolean {
    return this.#proved;
  }

  /** Requests without an answer yet. */
  get running(): number {
    return this.#requests.size;
  }

  /** Bytes of answers that the client has not taken yet. */
  get bufferedBytes(): number {
    return this.#link.bufferedBytes + this.frames.length;
  }

  get isDraining(): boolean {
    return this.#draining;
  }

  opened(): void {}

  message(bytes: Uint8Array): void {
    if (this.#state === 'closed') return;
    const { limits } = this.context;
    const most =
      this.#state === 'open' ? limits.messageBytes + MESSAGE_EXTRA_BYTES : limits.handshakeBytes;
    try {
      if (bytes.length > most)
        throw malformed(`a message of ${bytes.length} bytes exceeds ${most}`);
      readFrames(bytes, this);
    } catch (error) {
      this.refuse(asQuorliteError(error));
    }
  }

  closed(reason: string): void {
    if (this.#state === 'closed') return;
    this.context.logger.debug('client disconnected', { remote: this.#remote, reason });
    this.#end();
  }

  frame(type: number, request: number, input: ByteReader, end: number): void {
    if (this.#state === 'handshake') this.#greet(type, input, end);
    else if (this.#state === 'open') this.#dispatch(type, request, input, end);
  }

  #greet(type: number, input: ByteReader, end: number): void {
    const { service, limits, platform, logger } = this.context;
    if (type === StreamFrame.hello) {
      this.#handshake.hello(input, end, this.frames);
    } else if (type === StreamFrame.proof) {
      this.#handshake.proof(input, end, this.frames, {
        history: service.status().clusterId,
        maxRequests: limits.requests,
        maxMessageBytes: limits.messageBytes,
        sessionWindow: service.settings()['sessionWindow'] ?? 1,
      });
      this.#state = 'open';
      this.#proved = true;
      this.#link.limitIncoming?.(null);
      platform.timers.cancel(this.#deadline);
      logger.debug('client connected', { remote: this.#remote, agent: this.#handshake.agent });
      this.context.authenticated(this);
      this.sendLeader(this.context.leaderBody());
    } else {
      throw new QuorliteError('UNAUTHENTICATED', `a frame of type ${type} before the handshake`);
    }
    this.flushSoon();
  }

  #dispatch(type: number, request: number, input: ByteReader, end: number): void {
    switch (type) {
      case StreamFrame.write:
      case StreamFrame.query:
      case StreamFrame.call:
        this.#requests.start(type, request, input, end);
        return;
      case StreamFrame.credit: {
        const bytes = input.uint();
        finishFrame(input, end);
        this.#requests.credit(request, bytes);
        return;
      }
      case StreamFrame.cancel:
        this.#requests.cancel(request);
        return;
      case StreamFrame.ping:
        this.#sendEmpty(StreamFrame.pong);
        return;
      case StreamFrame.pong:
        return;
      default:
        throw new QuorliteError('NOT_SUPPORTED', `frames of type ${type} are not known here`);
    }
  }

  /** Tells who leads. */
  sendLeader(body: Uint8Array): void {
    if (this.#state !== 'open') return;
    this.frames.begin(StreamFrame.leader, 0);
    this.frames.out.raw(body);
    this.frames.end();
    this.flushSoon();
  }

  /** Sends an error; with request 0 it is about the connection. */
  sendError(request: number, error: QuorliteError): void {
    this.frames.begin(StreamFrame.error, request);
    writeError(this.frames.out, error);
    this.frames.end();
    this.flushSoon();
  }

  #sendEmpty(type: StreamFrame): void {
    this.frames.begin(type, 0);
    this.frames.end();
    this.flushSoon();
  }

  /** What is written until pending I/O has had its turn goes out as one message. Never call it amid a frame. */
  flushSoon(): void {
    if (this.frames.length >= this.context.limits.flushBytes) {
      this.#flush();
    } else if (!this.#flushing) {
      this.#flushing = true;
      this.context.platform.timers.soon(() => {
        this.#flushing = false;
        this.#flush();
      });
    }
  }

  #flush(): void {
    if (this.#state === 'closed' || this.frames.length === 0) return;
    this.#link.send(this.frames.take());
    if (this.#link.bufferedBytes <= this.context.limits.stalledBytes) return;
    this.context.logger.warn('client stalled', { remote: this.#remote });
    this.#close('the client does not take its answers');
  }

  /** Says why, then closes. */
  refuse(error: QuorliteError): void {
    if (this.#state === 'closed') return;
    const { logger } = this.context;
    logger.warn('client refused', {
      remote: this.#remote,
      code: error.code,
      reason: error.message,
    });
    this.sendError(0, error);
    this.#flush();
    this.#close(error.code);
  }

  /** The node stops: the client is told to go elsewhere, running requests are still answered. */
  drain(): void {
    if (this.#state === 'handshake') {
      this.refuse(new QuorliteError('SHUTTING_DOWN', 'the node stops'));
    } else if (this.#state === 'open') {
      this.#draining = true;
      this.#sendEmpty(StreamFrame.goodbye);
      this.leaveWhenIdle();
    }
  }

  /** Closes after the last answer, while draining. */
  leaveWhenIdle(): void {
    if (!this.#draining || this.#requests.size > 0) return;
    this.context.platform.timers.soon(() => {
      this.#flush();
      this.#close('the node stops');
    });
  }

  /** Closes without further ado; running requests are given up. */
  abandon(): void {
    this.#close('the node stops');
  }

  #close(reason: string): void {
    if (this.#state === 'closed') return;
    this.#link.close(reason);
    this.#end();
  }

  #end(): void {
    this.#state = 'closed';
    this.context.platform.timers.cancel(this.#deadline);
    this.context.closed(this);
    this.#requests.cancelAll();
  }
}
