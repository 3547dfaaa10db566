/** Why a side ends a connection, as it goes over the wire. The layout holds for all protocol versions. */

/** A reason to end a connection. */
export interface Refusal {
  /** True when another connection to the same peer is kept instead: nothing is wrong. */
  readonly duplicate: boolean;
  /** A sentence for the log of both sides. */
  readonly reason: string;
}

/** Longest reason, in UTF-8 bytes; what is longer is cut. */
const REASON_BYTES = 400;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The payload of a `refuse` frame: one byte, then text. */
export function encodeRefusal(refusal: Refusal): Uint8Array {
  const text = encoder.encode(refusal.reason).subarray(0, REASON_BYTES);
  const payload = new Uint8Array(1 + text.length);
  payload[0] = refusal.duplicate ? 1 : 0;
  payload.set(text, 1);
  return payload;
}

/**
 * Reads a `refuse` frame's payload. The sender may have proved nothing, so its text is cut and freed from control
 * characters before it reaches a log.
 */
export function decodeRefusal(payload: Uint8Array): Refusal {
  const text = decoder.decode(payload.subarray(1, 1 + REASON_BYTES));
  const reason = text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ').trim();
  return { duplicate: payload[0] === 1, reason: reason === '' ? 'no reason given' : reason };
}
