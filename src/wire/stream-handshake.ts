/** Frames of the client protocol about the connection: handshake, limits, leader. */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { finishFrame, malformed, restOfFrame } from './stream.ts';

/** Starts every hello, so that anything else is recognised at once: `QRLT`. */
const MAGIC = 0x544c5251;

/** Bytes of each side's nonce. */
export const NONCE_BYTES = 32;

/** What a client says first. */
export interface StreamHello {
  /** Oldest and newest version that it speaks. */
  readonly oldest: number;
  readonly newest: number;
  /** Name of the token whose knowledge it will prove; '' is the API secret. */
  readonly identity: string;
  /** For the server's log, such as `quorlite/0.1.0`. */
  readonly agent: string;
  readonly nonce: Uint8Array;
}

/** Appends a hello. */
export function writeHello(out: ByteWriter, hello: StreamHello): void {
  out.u32(MAGIC);
  out.uint(hello.oldest);
  out.uint(hello.newest);
  out.text(hello.identity);
  out.text(hello.agent);
  out.raw(hello.nonce);
}

/** The opposite of `writeHello`; what newer versions append is ignored. */
export function readHello(input: ByteReader, end: number): StreamHello {
  if (input.u32() !== MAGIC) throw malformed('this is no Quorlite client');
  const hello = {
    oldest: input.uint(),
    newest: input.uint(),
    identity: input.text(),
    agent: input.text(),
    nonce: input.raw(NONCE_BYTES),
  };
  restOfFrame(input, end);
  return hello;
}

/** What the server asks. */
export interface StreamChallenge {
  /** The version that both will speak. */
  readonly version: number;
  readonly nonce: Uint8Array;
  /** Rounds of the key derivation; 0 when the node asks for no token. */
  readonly iterations: number;
  readonly salt: Uint8Array;
}

/** Appends a challenge. */
export function writeChallenge(out: ByteWriter, challenge: StreamChallenge): void {
  out.uint(challenge.version);
  out.raw(challenge.nonce);
  out.uint(challenge.iterations);
  out.blob(challenge.salt);
}

/** The opposite of `writeChallenge`. */
export function readChallenge(input: ByteReader, end: number): StreamChallenge {
  const challenge = {
    version: input.uint(),
    nonce: input.raw(NONCE_BYTES),
    iterations: input.uint(),
    salt: input.blob(),
  };
  finishFrame(input, end);
  return challenge;
}

/** What the server grants. */
export interface StreamWelcome {
  /** Proves that the server knows the token's verifier; empty when no token was asked for. */
  readonly signature: Uint8Array;
  /** Cluster id as 14 hexadecimal digits, '' before founding. */
  readonly history: string;
  /** Requests that may run at a time. */
  readonly maxRequests: number;
  /** Bytes of the largest message. */
  readonly maxMessageBytes: number;
  /** Sequences of a session that may lie between the acknowledgement floor and the newest one. */
  readonly sessionWindow: number;
}

/** Appends a welcome. */
export function writeWelcome(out: ByteWriter, welcome: StreamWelcome): void {
  out.blob(welcome.signature);
  out.text(welcome.history);
  out.uint(welcome.maxRequests);
  out.uint(welcome.maxMessageBytes);
  out.uint(welcome.sessionWindow);
}

/** The opposite of `writeWelcome`; what newer servers append is ignored. */
export function readWelcome(input: ByteReader, end: number): StreamWelcome {
  const welcome = {
    signature: input.blob(),
    history: input.text(),
    maxRequests: input.uint(),
    maxMessageBytes: input.uint(),
    sessionWindow: input.uint(),
  };
  restOfFrame(input, end);
  return welcome;
}

/** Who leads, as the connected node knows. */
export interface LeaderHint {
  readonly history: string;
  /** Number of the node that says so. */
  readonly node: number;
  /** Number of the leader, 0 when unknown. */
  readonly leader: number;
  /** Members that can be dialled. */
  readonly members: readonly { readonly id: number; readonly url: string }[];
}

/** Appends a hint. */
export function writeLeader(out: ByteWriter, hint: LeaderHint): void {
  out.text(hint.history);
  out.uint(hint.node);
  out.uint(hint.leader);
  out.uint(hint.members.length);
  for (const { id, url } of hint.members) {
    out.uint(id);
    out.text(url);
  }
}

/** The opposite of `writeLeader`; what newer servers append is ignored. */
export function readLeader(input: ByteReader, end: number): LeaderHint {
  const history = input.text();
  const node = input.uint();
  const leader = input.uint();
  const count = input.uint();
  if (count > end - input.at) throw malformed('member count');
  const members = Array.from({ length: count }, () => ({ id: input.uint(), url: input.text() }));
  restOfFrame(input, end);
  return { history, node, leader, members };
}
