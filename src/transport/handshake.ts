/**
 * The handshake: five messages in which two nodes say who they are and prove that they hold the same secret, without
 * showing it and without custom headers, which not every platform can send.
 *
 *     dialer                          acceptor
 *       start     nonce, hello   →
 *                                ←    challenge  nonce, hello
 *       proof     MAC            →               checks the dialer
 *                                ←    accept     MAC
 *                 checks the acceptor
 *       ready                    →
 *
 * A proof is HMAC-SHA-256 (RFC 2104) over a label, the side that proves, both hellos and both nonces: it holds for this
 * pair of replicas, this cluster and this connection only, nothing in a hello can be altered on the way, and no side can
 * be answered with its own proof. The dialer proves first, so that whoever merely reaches a node's port gets no MAC to
 * guess secrets against. What the handshake does not give is secrecy and integrity of what follows: that is TLS, and the
 * runtime's.
 */
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { ByteReader, ByteWriter } from '../wire/bytes.ts';
import type { Hello } from './contract.ts';
import { clustersAgree } from './frames.ts';

/** Bytes of a nonce and of a proof. */
export const NONCE_BYTES = 32;

/** Who opened the connection, and who took it. */
export type Side = 'dialer' | 'acceptor';

/** What both sides have said when the proofs are made. */
export interface Transcript {
  readonly dialerNonce: Uint8Array;
  readonly acceptorNonce: Uint8Array;
  readonly dialerHello: Uint8Array;
  readonly acceptorHello: Uint8Array;
}

/** Nonce and hello: the payload of `start` and of `challenge`. */
export interface Introduction {
  readonly nonce: Uint8Array;
  readonly hello: Uint8Array;
}

const LABEL = 'quorlite raft handshake 1';
const encoder = new TextEncoder();

/** The key for a secret; without one, the empty key (the runtime allows that on loopback only). */
export function handshakeKey(secret: string | null): Uint8Array {
  return encoder.encode(secret ?? '');
}

/** The proof of one side. */
export function handshakeProof(key: Uint8Array, side: Side, transcript: Transcript): Uint8Array {
  const out = new ByteWriter(512);
  out.text(LABEL);
  out.text(side);
  out.blob(transcript.dialerHello);
  out.blob(transcript.acceptorHello);
  out.blob(transcript.dialerNonce);
  out.blob(transcript.acceptorNonce);
  return hmac(sha256, key, out.view());
}

/** Compares in a time that depends on the lengths only. */
export function equalInConstantTime(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  let difference = 0;
  for (let i = 0; i < one.length; i++) difference |= one[i]! ^ other[i]!;
  return difference === 0;
}

/** Encodes an introduction. */
export function encodeIntroduction(introduction: Introduction): Uint8Array {
  const out = new ByteWriter(NONCE_BYTES + 4 + introduction.hello.length);
  out.raw(introduction.nonce);
  out.blob(introduction.hello);
  return out.take();
}

/** Decodes an introduction; throws `BAD_REQUEST` when the bytes are not one. */
export function decodeIntroduction(bytes: Uint8Array): Introduction {
  const input = new ByteReader(bytes);
  return { nonce: input.raw(NONCE_BYTES).slice(), hello: input.blob().slice() };
}

/** The newest protocol version that both speak, or null. */
export function commonProtocol(one: Hello, other: Hello): number | null {
  const newest = Math.min(one.protocol[1], other.protocol[1]);
  return newest >= Math.max(one.protocol[0], other.protocol[0]) ? newest : null;
}

/** Why two nodes cannot talk at all, whoever they are, or null. Worded for the one that reads it, `other`. */
export function incompatibility(own: Hello, other: Hello): string | null {
  if (own.replica === other.replica) return 'a node reached itself under this address';
  if (!clustersAgree(own.cluster, other.cluster)) {
    return (
      `another cluster: node ${own.node} belongs to ${hex(own.cluster)}, node ${other.node} to ${hex(other.cluster)}; ` +
      'correct nodes, or wipe the data folder of the one that is wrong, and it will join anew'
    );
  }
  if (commonProtocol(own, other) === null) {
    return (
      `another protocol version: node ${own.node} speaks ${own.protocol.join(' to ')}, ` +
      `node ${other.node} ${other.protocol.join(' to ')}; upgrade the older one`
    );
  }
  return null;
}

/** A cluster or replica id as people see it: 14 hexadecimal digits. */
function hex(id: number): string {
  return id.toString(16).padStart(14, '0');
}
