/** One connection to a proven peer: frames in and out, heartbeats, its fresh hellos, and its goodbye. */
import type { Link } from '../platform/links.ts';
import { assert } from '../wire/assert.ts';
import { QuorliteError } from '../wire/error.ts';
import { type Hello, type Lane, SILENT } from './contract.ts';
import {
  clustersAgree,
  FRAME_HEADER_BYTES,
  FrameKind,
  frameCluster,
  frameDefect,
  frameFrom,
  frameKind,
  framePayload,
  frameTemplate,
  frameTo,
  frameVersion,
  joinFrame,
} from './frames.ts';
import type { Side } from './handshake.ts';
import { decodeHello, encodeHello } from './hello.ts';
import type { TransportLimits } from './limits.ts';
import { Outbox } from './outbox.ts';
import { decodeRefusal, encodeRefusal, type Refusal } from './refusal.ts';
import type { MutableStats } from './stats.ts';

const NOTHING: readonly Uint8Array[] = [];

/** What a peer link tells the transport. */
export interface PeerLinkOwner {
  readonly limits: TransportLimits;
  readonly stats: MutableStats;
  /** Cluster id of this node, 0 while it belongs to none. */
  readonly cluster: number;
  frame(link: PeerLink, lane: Lane, bytes: Uint8Array): void;
  /** The peer said a fresh hello; null when it is still welcome. */
  renewed(link: PeerLink, hello: Hello): Refusal | null;
  /** The link is finished. */
  ended(link: PeerLink, reason: string, clean: boolean): void;
  /** This side, or the peer, refuses to go on; `ended` follows. */
  refused(link: PeerLink, refusal: Refusal): void;
  /** Frames wait for room in the link. */
  blocked(): void;
}

/** How a connection came about. */
export interface Origin {
  /** What this node was. */
  readonly side: Side;
  /** The URL that was dialled, or the remote address. */
  readonly label: string;
  /** The negotiated protocol version. */
  readonly version: number;
}

/** The `Peer` that handlers see; its hello is replaced when the peer says a fresh one. */
export interface ConnectedPeer {
  hello: Hello;
  readonly connection: number;
}

/** A connection to a peer that has proved the secret. */
export class PeerLink {
  readonly peer: ConnectedPeer;
  readonly origin: Origin;
  readonly #owner: PeerLinkOwner;
  readonly #link: Link;
  readonly #outbox: Outbox;
  readonly #self: Hello;
  #template: Uint8Array;
  #open = true;
  /** Whether anything came since the last heartbeat. */
  #heard = true;
  #missed = 0;

  constructor(
    owner: PeerLinkOwner,
    link: Link,
    origin: Origin,
    self: Hello,
    hello: Hello,
    connection: number,
  ) {
    this.#owner = owner;
    this.#link = link;
    this.#outbox = new Outbox(link, owner.limits);
    this.#self = self;
    this.origin = origin;
    this.peer = { hello, connection };
    this.#template = this.#newTemplate(self.cluster);
  }

  /** True when nothing came for two heartbeats: probably dead, but not given up yet. */
  get suspect(): boolean {
    return this.#missed >= 2;
  }

  /** Whether frames wait for room in the link. */
  get waiting(): boolean {
    return this.#outbox.waiting;
  }

  /** Bytes waiting on a lane, in the queue and in the link. */
  buffered(lane: Lane): number {
    return this.#outbox.waitingBytes(lane) + this.#link.bufferedBytes;
  }

  /** Sends a frame; false when its lane is full. */
  send(lane: Lane, parts: readonly Uint8Array[]): boolean {
    let bytes = FRAME_HEADER_BYTES;
    for (let i = 0; i < parts.length; i++) bytes += parts[i]!.length;
    assert(
      bytes <= this.#owner.limits.frameBytes,
      () => `a frame of ${bytes} bytes exceeds the limit of ${this.#owner.limits.frameBytes}`,
    );
    if (!this.#open || !this.#outbox.admits(lane, bytes)) return false;
    this.#outbox.send(lane, joinFrame(this.#template, lane, parts));
    const { stats } = this.#owner;
    stats.framesSent++;
    stats.bytesSent += bytes;
    if (this.#outbox.waiting) this.#owner.blocked();
    return true;
  }

  /** Moves waiting frames into the link as far as it has room. */
  drain(): void {
    if (this.#open) this.#outbox.drain();
  }

  /** Tells the peer what this node says of itself now. */
  sayHello(self: Hello): void {
    this.#template = this.#newTemplate(self.cluster);
    this.#sendOwn(FrameKind.hello, [encodeHello(self)]);
  }

  /** Asks for a sign of life. */
  ping(): void {
    this.#sendOwn(FrameKind.ping, NOTHING);
  }

  /**
   * Called once per heartbeat. Counts heartbeats, not time: after a suspension one late heartbeat counts once, and what
   * the peer sent meanwhile is read before the next one (rule T1).
   */
  beat(): void {
    if (this.#heard) {
      this.#heard = false;
      this.#missed = 0;
      return;
    }
    this.#missed++;
    if (this.#missed > this.#owner.limits.missedHeartbeats) {
      this.#end(SILENT, false);
    } else {
      this.ping();
    }
  }

  /** One message from the link. */
  receive(bytes: Uint8Array): void {
    if (!this.#open) return;
    this.#heard = true;
    const defect = this.#defect(bytes);
    if (defect !== null) {
      this.refuse({ duplicate: false, reason: defect });
      return;
    }
    const kind = frameKind(bytes);
    if (kind <= FrameKind.snapshot) {
      const { stats } = this.#owner;
      stats.framesReceived++;
      stats.bytesReceived += bytes.length;
      this.#owner.frame(this, kind as Lane, framePayload(bytes));
    } else {
      this.#receiveOwn(kind, framePayload(bytes));
    }
    if (this.#outbox.waiting) this.drain();
  }

  /** The link has closed by itself. */
  lost(reason: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.#owner.ended(this, reason, false);
  }

  /** Says why, closes, and reports both. */
  refuse(refusal: Refusal): void {
    if (!this.#open) return;
    this.#sendOwn(FrameKind.refuse, [encodeRefusal(refusal)]);
    this.#owner.refused(this, refusal);
    this.#end(refusal.reason, false);
  }

  /** Closes without a report; with a goodbye when this node leaves. */
  close(reason: string, goodbye: boolean): void {
    if (!this.#open) return;
    if (goodbye) this.#sendOwn(FrameKind.goodbye, NOTHING);
    this.#open = false;
    this.#link.close(reason);
  }

  #newTemplate(cluster: number): Uint8Array {
    return frameTemplate(this.origin.version, cluster, this.#self.replica, this.peer.hello.replica);
  }

  #defect(bytes: Uint8Array): string | null {
    if (bytes.length > this.#owner.limits.frameBytes) {
      return `a frame of ${bytes.length} bytes exceeds the limit of ${this.#owner.limits.frameBytes}`;
    }
    const defect = frameDefect(bytes);
    if (defect !== null) return defect;
    const version = frameVersion(bytes);
    if (version !== this.origin.version && frameKind(bytes) !== FrameKind.refuse) {
      return `another protocol version: ${version} in a frame, ${this.origin.version} was agreed on`;
    }
    if (frameFrom(bytes) !== this.peer.hello.replica || frameTo(bytes) !== this.#self.replica) {
      return 'a frame between other replicas';
    }
    if (!clustersAgree(frameCluster(bytes), this.#owner.cluster)) {
      return 'a frame of another cluster';
    }
    return null;
  }

  #receiveOwn(kind: number, payload: Uint8Array): void {
    switch (kind) {
      case FrameKind.ping:
        this.#sendOwn(FrameKind.pong, NOTHING);
        break;
      case FrameKind.pong:
        break;
      case FrameKind.goodbye:
        this.#end('the peer is leaving', true);
        break;
      case FrameKind.refuse:
        this.#refused(decodeRefusal(payload));
        break;
      case FrameKind.hello:
        this.#renew(payload);
        break;
      default:
        this.refuse({ duplicate: false, reason: `a frame of the unknown kind ${kind}` });
    }
  }

  #refused(refusal: Refusal): void {
    this.#owner.refused(this, refusal);
    this.#end(refusal.reason, false);
  }

  #renew(payload: Uint8Array): void {
    const refusal = this.#judgeRenewed(payload);
    if (refusal !== null) this.refuse(refusal);
  }

  #judgeRenewed(payload: Uint8Array): Refusal | null {
    let hello: Hello;
    try {
      hello = decodeHello(payload);
    } catch (error) {
      if (!(error instanceof QuorliteError)) throw error;
      return { duplicate: false, reason: error.message };
    }
    if (hello.replica !== this.peer.hello.replica || hello.boot !== this.peer.hello.boot) {
      return { duplicate: false, reason: 'a fresh hello of another replica or boot' };
    }
    return this.#owner.renewed(this, hello);
  }

  #sendOwn(kind: FrameKind, parts: readonly Uint8Array[]): void {
    if (this.#open) this.#link.send(joinFrame(this.#template, kind, parts));
  }

  #end(reason: string, clean: boolean): void {
    if (!this.#open) return;
    this.#open = false;
    this.#link.close(reason);
    this.#owner.ended(this, reason, clean);
  }
}
