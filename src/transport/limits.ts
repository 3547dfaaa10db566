/** Every bound of the transport, with its unit. All of them are limits of one node, never part of replicated state. */
import type { NodeLimits } from '../config/limits.ts';

/** Bounds of a link transport. */
export interface TransportLimits {
  /** From dialling or accepting to a proven peer. */
  readonly handshakeMs: number;
  /** What a peer may send before it has proved the secret. */
  readonly unauthenticatedBytes: number;
  /** Accepted links that have not proved the secret yet; beyond these the oldest of them is closed. */
  readonly unauthenticatedLinks: number;
  /** One frame, header included. */
  readonly frameBytes: number;
  /** Bulk and snapshot frames enter the link only while less than this is buffered in it. */
  readonly windowBytes: number;
  /** Bulk frames waiting for one peer; a single frame may be larger when nothing else waits. */
  readonly bulkQueueBytes: number;
  /** Snapshot frames waiting for one peer. */
  readonly snapshotQueueBytes: number;
  /** How often a waiting lane looks at its link again where the link does not say that it has drained. */
  readonly drainPollMs: number;
  /** After so long a silence a link is pinged. */
  readonly heartbeatMs: number;
  /** After so many silent heartbeats a link is closed. */
  readonly missedHeartbeats: number;
  /** First pause of a redial; doubles up to `redialMaxMs`. */
  readonly redialMinMs: number;
  readonly redialMaxMs: number;
}

/** The limits that hold unless a runtime says otherwise. */
export const TRANSPORT_LIMITS: TransportLimits = {
  handshakeMs: 3_000,
  unauthenticatedBytes: 4 * 1024,
  unauthenticatedLinks: 64,
  frameBytes: 72 * 1024 * 1024,
  windowBytes: 256 * 1024,
  bulkQueueBytes: 32 * 1024 * 1024,
  snapshotQueueBytes: 8 * 1024 * 1024,
  drainPollMs: 5,
  heartbeatMs: 500,
  missedHeartbeats: 4,
  redialMinMs: 50,
  redialMaxMs: 2_000,
};

/** What an operator may set of them. */
export function transportLimits(node: NodeLimits): Partial<TransportLimits> {
  return {
    frameBytes: node.maxFrameBytes,
    bulkQueueBytes: node.maxPeerQueueBytes,
    snapshotQueueBytes: node.maxSnapshotQueueBytes,
  };
}
