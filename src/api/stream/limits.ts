/** Limits of the stream server: per node, they never reach the state machine. */
import type { NodeLimits } from '../../config/limits.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Every queue, buffer and wait of the stream server, with its unit. */
export interface StreamLimits {
  /** Open client connections. */
  readonly connections: number;
  /** Connections that have not proved themselves yet. */
  readonly unauthenticatedConnections: number;
  /** Milliseconds until a connection must have proved itself. */
  readonly handshakeMs: number;
  /** Bytes of a message before the handshake ended. */
  readonly handshakeBytes: number;
  /** Bytes of a request afterwards; a message may carry small ones beside it (`MESSAGE_EXTRA_BYTES`). */
  readonly messageBytes: number;
  /** Requests of one connection that run at a time. */
  readonly requests: number;
  /** Bytes of one connection's requests that run at a time. */
  readonly requestBytes: number;
  /** Bytes of answers that a client has not taken yet: beyond, new requests are `OVERLOADED`. */
  readonly bufferedBytes: number;
  /** Bytes of answers that a client has not taken yet: beyond, it is disconnected. */
  readonly stalledBytes: number;
  /** Row streams and exports of one connection at a time. */
  readonly streams: number;
  /** Bytes that a client may grant a row stream in advance. */
  readonly streamCreditBytes: number;
  /** Bytes of rows that are put into one frame, about. */
  readonly rowsFrameBytes: number;
  /** Bytes of a chunk of an export. */
  readonly chunkBytes: number;
  /** Longest time that a client may ask to wait, milliseconds. */
  readonly timeoutMs: number;
  /** Bytes of answers that are sent at once instead of after the turn. */
  readonly flushBytes: number;
  /** Milliseconds between two looks at who leads. */
  readonly leaderPollMs: number;
  /** Milliseconds that running requests get when the node stops. */
  readonly drainMs: number;
}

/** Clients gather small requests, up to 256 KiB, into the message of a large one. */
export const MESSAGE_EXTRA_BYTES: number = 512 * KIB;

/** What a node starts with. */
export const DEFAULT_STREAM_LIMITS: StreamLimits = {
  connections: 4096,
  unauthenticatedConnections: 256,
  handshakeMs: 5_000,
  handshakeBytes: 4 * KIB,
  messageBytes: 64 * MIB,
  requests: 1024,
  requestBytes: 64 * MIB,
  bufferedBytes: 32 * MIB,
  stalledBytes: 256 * MIB,
  streams: 64,
  streamCreditBytes: 4 * MIB,
  rowsFrameBytes: 64 * KIB,
  chunkBytes: 64 * KIB,
  timeoutMs: 3_600_000,
  flushBytes: 256 * KIB,
  leaderPollMs: 100,
  drainMs: 1_000,
};

/** What an operator may set of them. */
export function streamLimits(node: NodeLimits): Partial<StreamLimits> {
  return {
    connections: node.maxConnections,
    messageBytes: node.maxBodyBytes,
    requests: node.maxClientRequests,
    requestBytes: 2 * node.maxBodyBytes,
    bufferedBytes: node.maxClientBufferBytes,
    stalledBytes: 8 * node.maxClientBufferBytes,
    streams: node.maxClientStreams,
  };
}
