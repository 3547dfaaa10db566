/** The client's side of the handshake. */
import type { ByteReader } from '../../wire/bytes.ts';
import { QuorliteError } from '../../wire/error.ts';
import { type FrameWriter, malformed, STREAM_PROTOCOL, StreamFrame } from '../../wire/stream.ts';
import {
  NONCE_BYTES,
  readChallenge,
  readWelcome,
  type StreamWelcome,
  writeHello,
} from '../../wire/stream-handshake.ts';
import {
  deriveTokenKeys,
  equalBytes,
  PROOF_ITERATIONS_MAX,
  PROOF_ITERATIONS_MIN,
  proofTranscript,
  serverSignature,
  type TokenKeys,
  tokenProof,
} from '../../wire/token-proof.ts';

/** A token and the keys derived from it: each node's salt costs milliseconds once. */
export class Credentials {
  readonly #token: string;
  readonly #keys: Map<string, TokenKeys> = new Map();

  constructor(token: string) {
    this.#token = token;
  }

  keys(salt: Uint8Array, iterations: number): TokenKeys {
    const name = `${iterations}:${salt.join()}`;
    let keys = this.#keys.get(name);
    if (!keys) {
      if (this.#keys.size >= 64) this.#keys.clear();
      keys = deriveTokenKeys(this.#token, salt, iterations);
      this.#keys.set(name, keys);
    }
    return keys;
  }
}

/** The handshake of one connection. Its errors end the connection. */
export class ClientHandshake {
  readonly #credentials: Credentials | null;
  #hello: Uint8Array = new Uint8Array(0);
  #expected: Uint8Array | null = null;

  constructor(credentials: Credentials | null) {
    this.#credentials = credentials;
  }

  /** Appends the hello. */
  hello(frames: FrameWriter, nonce: Uint8Array, agent: string): void {
    if (nonce.length !== NONCE_BYTES) throw malformed('nonce');
    frames.begin(StreamFrame.hello, 0);
    const bodyAt = frames.length;
    const { oldest, newest } = STREAM_PROTOCOL;
    writeHello(frames.out, { oldest, newest, identity: '', agent, nonce });
    this.#hello = frames.out.bytes.slice(bodyAt, frames.length);
    frames.end();
  }

  /** Takes the challenge and appends the proof. */
  challenge(input: ByteReader, end: number, frames: FrameWriter): void {
    const body = input.bytes.slice(input.at, end);
    const challenge = readChallenge(input, end);
    const { oldest, newest } = STREAM_PROTOCOL;
    if (challenge.version < oldest || challenge.version > newest) {
      throw new QuorliteError(
        'NOT_SUPPORTED',
        `the node chose version ${challenge.version} of the protocol`,
      );
    }
    frames.begin(StreamFrame.proof, 0);
    if (this.#credentials) {
      const { iterations, salt } = challenge;
      checkIterations(iterations);
      const keys = this.#credentials.keys(salt.slice(), iterations);
      const transcript = proofTranscript(this.#hello, body);
      this.#expected = serverSignature(keys, transcript);
      frames.out.raw(tokenProof(keys, transcript));
    }
    frames.end();
  }

  /** Takes the welcome: a node that asked for the token must know its verifier. */
  welcome(input: ByteReader, end: number): StreamWelcome {
    const welcome = readWelcome(input, end);
    if (this.#credentials && !this.#expected) throw malformed('a welcome before its challenge');
    if (this.#expected && !equalBytes(this.#expected, welcome.signature)) {
      throw new QuorliteError('UNAUTHENTICATED', 'the node does not know the token', {
        hint: 'somebody else may answer at this address',
      });
    }
    return welcome;
  }
}

function checkIterations(iterations: number): void {
  if (iterations === 0) {
    throw new QuorliteError(
      'UNAUTHENTICATED',
      'the node asks for no token, so it cannot prove itself',
      {
        hint: 'leave the token away, or give the node its API secret',
      },
    );
  }
  if (iterations < PROOF_ITERATIONS_MIN || iterations > PROOF_ITERATIONS_MAX) {
    throw new QuorliteError('UNAUTHENTICATED', `the node asks for ${iterations} rounds of hashing`);
  }
}
