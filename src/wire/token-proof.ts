/**
 * Proof that a client knows a token, without sending it: SCRAM (RFC 5802) with SHA-256 over binary frames. A node keeps
 * a verifier from which the token cannot be used; both sides prove themselves over the same transcript.
 */
import { hmac } from '@noble/hashes/hmac.js';
import { pbkdf2 } from '@noble/hashes/pbkdf2.js';
import { sha256 } from '@noble/hashes/sha2.js';

/** Rounds of the derivation that a node asks for by default; the minimum of RFC 7677. */
export const PROOF_ITERATIONS = 4096;
/** A client refuses to derive with fewer: a false server would have an easy guess. */
export const PROOF_ITERATIONS_MIN = 4096;
/** A client refuses to derive with more: a false server could keep it busy. */
export const PROOF_ITERATIONS_MAX = 200_000;
/** Bytes of a verifier's salt. */
export const SALT_BYTES = 16;
/** Bytes of proofs and signatures. */
export const PROOF_BYTES = 32;

const encoder = new TextEncoder();
const CLIENT_KEY = encoder.encode('Quorlite client key');
const SERVER_KEY = encoder.encode('Quorlite server key');

/** What a node keeps of a token: enough to check proofs, useless for logging in. */
export interface TokenVerifier {
  readonly salt: Uint8Array;
  readonly iterations: number;
  /** SHA-256 of the client key. */
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/** What the holder of a token derives for one salt. */
export interface TokenKeys extends TokenVerifier {
  readonly clientKey: Uint8Array;
}

/** Derives the keys of a token; takes a few milliseconds by design. */
export function deriveTokenKeys(token: string, salt: Uint8Array, iterations: number): TokenKeys {
  const salted = pbkdf2(sha256, encoder.encode(token), salt, { c: iterations, dkLen: 32 });
  const clientKey = hmac(sha256, salted, CLIENT_KEY);
  const serverKey = hmac(sha256, salted, SERVER_KEY);
  return { salt, iterations, storedKey: sha256(clientKey), serverKey, clientKey };
}

/**
 * The verifier of a token, for a node to keep.
 *
 * @example
 * const verifier = createTokenVerifier(secretApi, salt);
 */
export function createTokenVerifier(
  token: string,
  salt: Uint8Array,
  iterations: number = PROOF_ITERATIONS,
): TokenVerifier {
  const { storedKey, serverKey } = deriveTokenKeys(token, salt, iterations);
  return { salt, iterations, storedKey, serverKey };
}

/** What both sides sign: the hello's and the challenge's bodies, hashed with their lengths. */
export function proofTranscript(hello: Uint8Array, challenge: Uint8Array): Uint8Array {
  const lengths = new Uint8Array(8);
  const view = new DataView(lengths.buffer);
  view.setUint32(0, hello.length, true);
  view.setUint32(4, challenge.length, true);
  return sha256.create().update(lengths).update(hello).update(challenge).digest();
}

/** The client's proof: its key, hidden by a signature that only a holder of the verifier can compute. */
export function tokenProof(keys: TokenKeys, transcript: Uint8Array): Uint8Array {
  return xor(keys.clientKey, hmac(sha256, keys.storedKey, transcript));
}

/** Whether `proof` was made with the token of `verifier`. */
export function checkTokenProof(
  verifier: TokenVerifier,
  transcript: Uint8Array,
  proof: Uint8Array,
): boolean {
  if (proof.length !== PROOF_BYTES) return false;
  const clientKey = xor(proof, hmac(sha256, verifier.storedKey, transcript));
  return equalBytes(sha256(clientKey), verifier.storedKey);
}

/** The server's proof that it holds the verifier. */
export function serverSignature(verifier: TokenVerifier, transcript: Uint8Array): Uint8Array {
  return hmac(sha256, verifier.serverKey, transcript);
}

/** A verifier that no token fits, the same for the same name: who asks learns nothing about which names exist. */
export function decoyVerifier(secret: Uint8Array, identity: string): TokenVerifier {
  const salt = hmac(sha256, secret, encoder.encode(identity)).slice(0, SALT_BYTES);
  const storedKey = hmac(sha256, secret, salt);
  return { salt, iterations: PROOF_ITERATIONS, storedKey, serverKey: storedKey };
}

/** Compares in a time that depends on the lengths only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, i) => byte ^ b[i]!);
}
