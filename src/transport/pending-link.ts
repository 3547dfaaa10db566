/**
 * A connection that has not been proven yet: runs the handshake over one link, bounded in time and bytes, and becomes
 * a `PeerLink`.
 */
import type { Platform, TimerHandle } from '../platform/contract.ts';
import type { Link, LinkEvents } from '../platform/links.ts';
import { must } from '../wire/assert.ts';
import { QuorliteError } from '../wire/error.ts';
import type { Hello } from './contract.ts';
import {
  FrameKind,
  frameDefect,
  frameKind,
  framePayload,
  frameTemplate,
  frameVersion,
  HANDSHAKE_VERSION,
  joinFrame,
} from './frames.ts';
import {
  commonProtocol,
  decodeIntroduction,
  encodeIntroduction,
  equalInConstantTime,
  handshakeProof,
  type Introduction,
  incompatibility,
  NONCE_BYTES,
  type Side,
} from './handshake.ts';
import { decodeHello, encodeHello } from './hello.ts';
import type { TransportLimits } from './limits.ts';
import type { Origin, PeerLink } from './peer-link.ts';
import { decodeRefusal, encodeRefusal, type Refusal } from './refusal.ts';

/** What a pending link asks and tells the transport. */
export interface PendingOwner {
  readonly limits: TransportLimits;
  readonly platform: Platform;
  readonly key: Uint8Array;
  hello(): Hello;
  /** Whether a peer that has proved the secret on this link is welcome. */
  judge(pending: PendingLink, hello: Hello): Refusal | null;
  /** Both sides agree: makes the peer link, which takes over the link's messages. */
  connect(pending: PendingLink, link: Link, origin: Origin, self: Hello, hello: Hello): PeerLink;
  /** The link is finished without a peer. `refusal` is null when it just failed. */
  failed(pending: PendingLink, refusal: Refusal | null, reason: string): void;
}

/** What the next message must be. */
type Stage = 'opening' | 'start' | 'challenge' | 'proof' | 'accept' | 'ready' | 'done';

const NOTHING: readonly Uint8Array[] = [];
const SECRETS_DIFFER = 'the Raft secrets differ: give all nodes the same secretRaft';

/** One side of a handshake. Give it the link right after creating it. */
export class PendingLink implements LinkEvents {
  readonly side: Side;
  readonly label: string;
  /** Number of the node that is meant, 0 when anybody is. */
  readonly expected: number;
  readonly #owner: PendingOwner;
  readonly #timer: TimerHandle;
  readonly #nonce: Uint8Array;
  #link: Link | null = null;
  #stage: Stage;
  #received = 0;
  #self: Hello | null = null;
  #own: Introduction | null = null;
  #other: Introduction | null = null;
  #hello: Hello | null = null;
  #peer: PeerLink | null = null;

  constructor(owner: PendingOwner, side: Side, label: string, expected: number) {
    this.#owner = owner;
    this.side = side;
    this.label = label;
    this.expected = expected;
    this.#stage = side === 'dialer' ? 'opening' : 'start';
    this.#nonce = new Uint8Array(NONCE_BYTES);
    owner.platform.entropy.fill(this.#nonce);
    this.#timer = owner.platform.timers.after(owner.limits.handshakeMs, () => this.#tooLate());
  }

  attach(link: Link): void {
    this.#link = link;
    link.limitIncoming?.(this.#owner.limits.unauthenticatedBytes);
  }

  /** The hello of a peer that was accepted and has only to confirm; null before. */
  get accepted(): Hello | null {
    return this.#stage === 'ready' ? this.#hello : null;
  }

  opened(): void {
    if (this.#stage !== 'opening') return;
    this.#introduce(FrameKind.start);
    this.#stage = 'challenge';
  }

  message(bytes: Uint8Array): void {
    if (this.#peer !== null) this.#peer.receive(bytes);
    else if (this.#stage !== 'done') this.#handshake(bytes);
  }

  drained(): void {
    this.#peer?.drain();
  }

  closed(reason: string): void {
    if (this.#peer !== null) this.#peer.lost(reason);
    else if (this.#finish()) this.#owner.failed(this, null, reason);
  }

  /** Ends the handshake; the other side hears why. */
  refuse(reason: string, duplicate: boolean = false): void {
    if (!this.#finish()) return;
    const refusal = { duplicate, reason };
    const link = must(this.#link);
    this.#send(FrameKind.refuse, [encodeRefusal(refusal)]);
    link.close(reason);
    this.#owner.failed(this, refusal, reason);
  }

  /** Ends the handshake without a report. */
  cancel(reason: string): void {
    if (this.#finish()) must(this.#link).close(reason);
  }

  #handshake(bytes: Uint8Array): void {
    this.#received += bytes.length;
    const defect =
      this.#received > this.#owner.limits.unauthenticatedBytes
        ? 'more bytes than a handshake takes'
        : frameDefect(bytes);
    if (defect !== null) this.refuse(defect);
    else if (frameKind(bytes) === FrameKind.refuse) this.#refused(framePayload(bytes));
    else if (frameVersion(bytes) !== HANDSHAKE_VERSION) {
      this.refuse(`another handshake version: ${frameVersion(bytes)}`);
    } else {
      this.#step(frameKind(bytes), framePayload(bytes));
    }
  }

  #step(kind: number, payload: Uint8Array): void {
    try {
      if (kind === FrameKind.start && this.#stage === 'start') this.#start(payload);
      else if (kind === FrameKind.challenge && this.#stage === 'challenge') this.#answer(payload);
      else if (kind === FrameKind.proof && this.#stage === 'proof') this.#accept(payload);
      else if (kind === FrameKind.accept && this.#stage === 'accept') this.#confirm(payload);
      else if (kind === FrameKind.ready && this.#stage === 'ready') this.#connect();
      else this.refuse('a message out of its turn');
    } catch (error) {
      // Malformed bytes. Once connected, an error is the handler's own and none of ours to swallow.
      if (!(error instanceof QuorliteError) || this.#stage === 'done') throw error;
      this.refuse(error.message);
    }
  }

  /** Acceptor: somebody dialled. */
  #start(payload: Uint8Array): void {
    if (!this.#meet(payload)) return;
    this.#introduce(FrameKind.challenge);
    this.#stage = 'proof';
  }

  /** Dialer: the acceptor has said who it is. */
  #answer(payload: Uint8Array): void {
    if (!this.#meet(payload)) return;
    this.#send(FrameKind.proof, [this.#proof('dialer')]);
    this.#stage = 'accept';
  }

  /** Acceptor: the dialer's proof. */
  #accept(payload: Uint8Array): void {
    if (!this.#admit('dialer', payload)) return;
    this.#send(FrameKind.accept, [this.#proof('acceptor')]);
    this.#stage = 'ready';
  }

  /** Dialer: the acceptor's proof. */
  #confirm(payload: Uint8Array): void {
    if (!this.#admit('acceptor', payload)) return;
    this.#send(FrameKind.ready, NOTHING);
    this.#connect();
  }

  #introduce(kind: FrameKind): void {
    // The acceptor has looked at its hello already, when it met the dialer.
    this.#self ??= this.#owner.hello();
    this.#own = { nonce: this.#nonce, hello: encodeHello(this.#self) };
    this.#send(kind, [encodeIntroduction(this.#own)]);
  }

  #meet(payload: Uint8Array): boolean {
    this.#self ??= this.#owner.hello();
    this.#other = decodeIntroduction(payload);
    const hello = decodeHello(this.#other.hello);
    this.#hello = hello;
    const reason = incompatibility(this.#self, hello) ?? this.#misdirected(hello);
    if (reason !== null) this.refuse(reason);
    return reason === null;
  }

  #misdirected(hello: Hello): string | null {
    if (this.expected === 0 || this.expected === hello.node) return null;
    return `node ${hello.node} answers under the address of node ${this.expected}`;
  }

  #admit(side: Side, proof: Uint8Array): boolean {
    if (!equalInConstantTime(proof, this.#proof(side))) {
      this.refuse(SECRETS_DIFFER);
      return false;
    }
    const refusal = this.#owner.judge(this, must(this.#hello));
    if (refusal === null) return true;
    this.refuse(refusal.reason, refusal.duplicate);
    return false;
  }

  #proof(side: Side): Uint8Array {
    const own = must(this.#own);
    const other = must(this.#other);
    const dialer = this.side === 'dialer' ? own : other;
    const acceptor = this.side === 'dialer' ? other : own;
    return handshakeProof(this.#owner.key, side, {
      dialerNonce: dialer.nonce,
      acceptorNonce: acceptor.nonce,
      dialerHello: dialer.hello,
      acceptorHello: acceptor.hello,
    });
  }

  #connect(): void {
    const self = must(this.#self);
    const hello = must(this.#hello);
    const link = must(this.#link);
    const version = must(commonProtocol(self, hello));
    this.#finish();
    link.limitIncoming?.(null);
    const origin = { side: this.side, label: this.label, version };
    this.#peer = this.#owner.connect(this, link, origin, self, hello);
  }

  #refused(payload: Uint8Array): void {
    if (!this.#finish()) return;
    const refusal = decodeRefusal(payload);
    must(this.#link).close(refusal.reason);
    this.#owner.failed(this, refusal, refusal.reason);
  }

  #tooLate(): void {
    const reason = `no handshake within ${this.#owner.limits.handshakeMs} ms`;
    if (!this.#finish()) return;
    must(this.#link).close(reason);
    this.#owner.failed(this, null, reason);
  }

  #send(kind: FrameKind, parts: readonly Uint8Array[]): void {
    const own = this.#self ?? this.#owner.hello();
    const template = frameTemplate(
      HANDSHAKE_VERSION,
      own.cluster,
      own.replica,
      this.#hello?.replica ?? 0,
    );
    must(this.#link).send(joinFrame(template, kind, parts));
  }

  #finish(): boolean {
    if (this.#stage === 'done') return false;
    this.#stage = 'done';
    this.#owner.platform.timers.cancel(this.#timer);
    return true;
  }
}
