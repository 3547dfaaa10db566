/** Limits of a remote client, with their units. */

const KIB = 1024;
const MIB = 1024 * KIB;

/** Every queue, buffer and wait of a remote client. */
export interface RemoteLimits {
  /** Calls that are unanswered at a time; beyond, `OVERLOADED`. */
  readonly calls: number;
  /** Bytes of unanswered calls; beyond, `OVERLOADED`. */
  readonly callBytes: number;
  /** Sequences between the oldest unanswered write and the newest one. */
  readonly sessionWindow: number;
  /** Bytes on their way out; beyond, calls wait here. */
  readonly bufferedBytes: number;
  /** Bytes that are sent at once instead of after the turn. */
  readonly flushBytes: number;
  /** Bytes of rows that may be on their way to one stream. */
  readonly streamCreditBytes: number;
  /** Milliseconds for connecting and the handshake. */
  readonly connectMs: number;
  /** Milliseconds after which a second node is dialled while the first one has not answered. */
  readonly hedgeMs: number;
  /** Least milliseconds between two moves away from a node that cannot serve. */
  readonly avoidMs: number;
  /** Milliseconds without a byte, while calls wait, after which the node is asked for a sign of life. */
  readonly silenceMs: number;
  /** Milliseconds without a byte on an idle connection, after which the node is asked. */
  readonly idleMs: number;
  /** Milliseconds that the sign of life may take. */
  readonly pongMs: number;
  /** Shortest and longest pause before the same node is dialled again, milliseconds. */
  readonly redialMs: readonly [number, number];
  /** Shortest and longest pause before the leader is dialled again while another node serves, milliseconds. */
  readonly followMs: readonly [number, number];
  /** Shortest and longest pause before a refused attempt is repeated, milliseconds. */
  readonly retryMs: readonly [number, number];
  /** Milliseconds that closing may take for ending the session. */
  readonly closeMs: number;
}

/** What a client starts with. */
export const DEFAULT_REMOTE_LIMITS: RemoteLimits = {
  calls: 16_384,
  callBytes: 64 * MIB,
  sessionWindow: 1024,
  bufferedBytes: 8 * MIB,
  flushBytes: 256 * KIB,
  streamCreditBytes: 512 * KIB,
  connectMs: 3_000,
  hedgeMs: 300,
  avoidMs: 250,
  silenceMs: 500,
  idleMs: 30_000,
  pongMs: 700,
  redialMs: [50, 2_000],
  followMs: [200, 30_000],
  retryMs: [10, 500],
  closeMs: 500,
};

/** A pause that grows with the number of failures, with half of it left to chance. */
export function backoff(
  [shortest, longest]: readonly [number, number],
  failures: number,
  random: number,
): number {
  const full = Math.min(shortest * 2 ** Math.min(failures - 1, 30), longest);
  return full * (0.5 + random / 2);
}
