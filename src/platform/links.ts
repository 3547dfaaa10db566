/**
 * Links: ordered, message-preserving byte connections between processes (a WebSocket, a MessagePort, a virtual one).
 * A link may close at any time; what was in flight is then lost.
 */

/** One open connection. */
export interface Link {
  /** Sends one message. Never throws; after `close` it does nothing. The bytes must not change afterwards. */
  send(bytes: Uint8Array): void;
  /** Bytes handed to `send` that have not left this process yet, as far as the runtime knows. */
  readonly bufferedBytes: number;
  /** Closes; `reason` (at most 120 bytes) reaches the other side where the medium can carry it. */
  close(reason?: string): void;
}

/** What the owner of a link is told. Nothing comes after `closed`. */
export interface LinkEvents {
  /** A dialled link is open. Not called for accepted ones. */
  opened(): void;
  /** The bytes belong to the receiver. */
  message(bytes: Uint8Array): void;
  closed(reason: string): void;
}

/** Opens links. Servers hand accepted links to the transport themselves. */
export interface Dialer {
  /** Starts connecting to the Raft endpoint below `url`; failures come as `closed`. */
  dial(url: string, events: LinkEvents): Link;
}
