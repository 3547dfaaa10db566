/**
 * Links: ordered, message-preserving byte connections between processes (a WebSocket, a MessagePort, a virtual one).
 * A link may close at any time; what was in flight is then lost.
 */

/** One open connection. */
export interface Link {
  /**
   * Sends one message. Never throws; after `close` it does nothing. The bytes must not change afterwards; they may be a
   * view of a larger buffer, which is not to be transferred.
   */
  send(bytes: Uint8Array): void;
  /** Bytes handed to `send` that have not left this process yet, as far as the runtime knows. */
  readonly bufferedBytes: number;
  /**
   * Closes after what was sent before; `reason` (at most 120 bytes) reaches the other side where the medium can carry it.
   * The owner who closes is told nothing any more, not even `closed`.
   */
  close(reason?: string): void;
  /**
   * Closes the link as soon as more than `bytes` have come in since it was opened, even inside one unfinished message;
   * null lifts the limit. Only where the medium can: it keeps strangers from filling the memory.
   */
  limitIncoming?(bytes: number | null): void;
}

/** What the owner of a link is told. Nothing comes after `closed`. */
export interface LinkEvents {
  /** A dialled link is open. Not called for accepted ones. */
  opened(): void;
  /** The bytes belong to the receiver. */
  message(bytes: Uint8Array): void;
  /** What was buffered has left this process. Only where the medium can tell; elsewhere `bufferedBytes` is polled. */
  drained?(): void;
  closed(reason: string): void;
}

/** Opens links. Servers hand accepted links to the transport themselves. */
export interface Dialer {
  /** Starts connecting to the Raft endpoint below `url`; failures come as `closed`, never before this returns. */
  dial(url: string, events: LinkEvents): Link;
}
