/** The server's side of the handshake: hello → challenge → proof → welcome. */
import type { Entropy } from '../../platform/contract.ts';
import type { ByteReader } from '../../wire/bytes.ts';
import { QuorliteError } from '../../wire/error.ts';
import {
  type FrameWriter,
  malformed,
  restOfFrame,
  STREAM_PROTOCOL,
  StreamFrame,
} from '../../wire/stream.ts';
import {
  NONCE_BYTES,
  readHello,
  type StreamHello,
  type StreamWelcome,
  writeChallenge,
  writeWelcome,
} from '../../wire/stream-handshake.ts';
import {
  checkTokenProof,
  decoyVerifier,
  proofTranscript,
  serverSignature,
  type TokenVerifier,
} from '../../wire/token-proof.ts';

/** Finds the verifier of a token by its name ('' is the API secret); null when there is no such token. */
export type FindVerifier = (identity: string) => TokenVerifier | null;

/** What the handshake needs of the server. */
export interface HandshakeContext {
  readonly entropy: Entropy;
  /** Null when the node asks for no token. */
  readonly findVerifier: FindVerifier | null;
  /** Random bytes of this process, for verifiers of names that do not exist. */
  readonly decoySecret: Uint8Array;
}

/** The handshake of one connection. Any error ends the connection. */
export class ServerHandshake {
  readonly #context: HandshakeContext;
  #hello: StreamHello | null = null;
  #transcript: Uint8Array | null = null;
  #verifier: TokenVerifier | null = null;

  constructor(context: HandshakeContext) {
    this.#context = context;
  }

  /** Who the client says it is; '' is the API secret. */
  get identity(): string {
    return this.#hello?.identity ?? '';
  }

  get agent(): string {
    return this.#hello?.agent ?? '';
  }

  /** Takes a hello and appends the challenge. */
  hello(input: ByteReader, end: number, frames: FrameWriter): void {
    if (this.#hello) throw malformed('a second hello');
    const helloBody = input.bytes.slice(input.at, end);
    const hello = readHello(input, end);
    const version = Math.min(hello.newest, STREAM_PROTOCOL.newest);
    if (version < hello.oldest || version < STREAM_PROTOCOL.oldest) {
      throw new QuorliteError(
        'NOT_SUPPORTED',
        `the client speaks versions ${hello.oldest} to ${hello.newest} of the protocol, this node ` +
          `${STREAM_PROTOCOL.oldest} to ${STREAM_PROTOCOL.newest}`,
        { hint: 'update the older side' },
      );
    }
    const { entropy, findVerifier, decoySecret } = this.#context;
    const { identity } = hello;
    this.#hello = hello;
    this.#verifier =
      findVerifier && (findVerifier(identity) ?? decoyVerifier(decoySecret, identity));
    const nonce = new Uint8Array(NONCE_BYTES);
    entropy.fill(nonce);
    frames.begin(StreamFrame.challenge, 0);
    const bodyAt = frames.length;
    writeChallenge(frames.out, {
      version,
      nonce,
      iterations: this.#verifier?.iterations ?? 0,
      salt: this.#verifier?.salt ?? new Uint8Array(0),
    });
    this.#transcript = proofTranscript(helloBody, frames.out.bytes.subarray(bodyAt, frames.length));
    frames.end();
  }

  /** Takes a proof and appends the welcome. Throws `UNAUTHENTICATED`. */
  proof(
    input: ByteReader,
    end: number,
    frames: FrameWriter,
    welcome: Omit<StreamWelcome, 'signature'>,
  ): void {
    const transcript = this.#transcript;
    if (!transcript) throw malformed('a proof before its challenge');
    const verifier = this.#verifier;
    const proof = restOfFrame(input, end);
    if (verifier && proof.length === 0) {
      throw new QuorliteError('UNAUTHENTICATED', 'this node asks for a token', {
        hint: 'pass the API secret or a token to connect()',
      });
    }
    if (verifier && !checkTokenProof(verifier, transcript, proof)) {
      throw new QuorliteError('UNAUTHENTICATED', 'the token is wrong or was revoked');
    }
    const signature = verifier ? serverSignature(verifier, transcript) : new Uint8Array(0);
    frames.begin(StreamFrame.welcome, 0);
    writeWelcome(frames.out, { ...welcome, signature });
    frames.end();
  }
}
