/** The transport's counters while they count. */

/** Counts since the transport started; frames of the transport itself are not counted. */
export interface MutableStats {
  framesSent: number;
  framesReceived: number;
  bytesSent: number;
  bytesReceived: number;
  framesDropped: number;
}

/** Counters at zero. */
export function newStats(): MutableStats {
  return { framesSent: 0, framesReceived: 0, bytesSent: 0, bytesReceived: 0, framesDropped: 0 };
}
