/**
 * The contract of a transport: unreliable frames to authenticated peers, on lanes. Frames to a peer may be lost and may
 * be delivered late; correctness assumes nothing else.
 */
import type { Link, LinkEvents } from '../platform/links.ts';
import type { ReplicaId } from '../wire/entry.ts';

/** Control frames (votes, heartbeats, acknowledgements) never wait behind bulk ones (rule R11). */
export const Lane = {
  control: 0,
  bulk: 1,
  snapshot: 2,
} as const;
export type Lane = (typeof Lane)[keyof typeof Lane];

/** What a node says of itself when a connection is made, and what it learns of its peer. */
export interface Hello {
  /** Cluster id; 0 while the node belongs to none. */
  readonly cluster: number;
  readonly replica: ReplicaId;
  /** Number in `nodes`. */
  readonly node: number;
  /** Advertised URL, '' when it cannot be dialled. */
  readonly url: string;
  /** Boot counter of the storage. */
  readonly boot: number;
  /** True while the replica recovers from a lost boot of its operating system (relaxed modes). */
  readonly recovering: boolean;
  readonly sync: 'durable' | 'interval' | 'os';
  /** min(acknowledged, commit) that it holds. */
  readonly index: number;
  /** True when its storage holds no membership entry. */
  readonly pristine: boolean;
  /** Engine id: name/version/hash. */
  readonly engine: string;
  /** Oldest and newest protocol that it speaks. */
  readonly protocol: readonly [number, number];
  /** Numbers of the nodes it is configured with. */
  readonly nodes: readonly number[];
  readonly role: 'voter' | 'learner';
}

/** A connected peer. */
export interface Peer {
  readonly hello: Hello;
  /** Grows with each connection to the same peer. */
  readonly connection: number;
}

/** Why a connection goes down that another one to the same peer replaces. */
export const REPLACED = 'replaced by a newer connection';

/** Why a connection goes down whose peer said nothing for several heartbeats: dead, unreachable, or only very busy. */
export const SILENT = 'silent for too long';

/** What the node does about connections. All calls come from the transport, never re-entrantly from `send`. */
export interface TransportHandler {
  /** This node's hello, as of now. */
  hello(): Hello;
  /** Why a peer that proved the secret is refused nevertheless, or null. Sent to the peer before closing. */
  admit(peer: Hello): string | null;
  /** A peer is connected, proven and admitted on both sides. */
  up(peer: Peer): void;
  /**
   * A connected peer said a fresh hello (it founded, joined, caught up) and was admitted again; `peer.hello` is the new
   * one. A peer that is not admitted again is refused and goes down.
   */
  changed?(peer: Peer): void;
  /**
   * The connection is gone, told at once. `clean`: the peer said goodbye. A connection that a newer one replaces goes
   * down with the reason `REPLACED`, and the new one comes up before anything else happens. One that this side gives up
   * because nothing comes goes down with the reason `SILENT`.
   */
  down(peer: Peer, reason: string, clean: boolean): void;
  /** The parts as they were sent, joined. Views of the bytes may be kept: the buffer is never reused. */
  frame(peer: Peer, lane: Lane, bytes: Uint8Array): void;
  /**
   * A peer, or this node at a peer's, was refused; for the log and for `doctor`. Both sides hear the same reason. `url` is
   * the one that was dialled, or the remote address of an accepted link. Repeated refusals of the same kind are told once.
   */
  refused(url: string, reason: string): void;
}

/** Numbers for metrics. */
export interface TransportStats {
  readonly framesSent: number;
  readonly framesReceived: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly framesDropped: number;
}

/** Connections to the peers of one node. */
export interface Transport {
  start(handler: TransportHandler): void;
  /**
   * Whom to keep a connection to; the node itself is skipped, node 0 stands for whoever answers. Peers that dial in are
   * accepted beyond these, and connections to peers that are no longer named stay open.
   */
  setPeers(peers: readonly { readonly node: number; readonly url: string }[]): void;
  /** A link accepted by a server on the Raft endpoint; returns where its events go. */
  accept(link: Link, remote: string): LinkEvents;
  /**
   * Sends one frame, given in parts that are joined on the wire. False when it was dropped: no connection, or the
   * lane's buffer is full. The parts may be reused afterwards. The first part is under the frame's checksum; parts behind
   * it must carry checksums of their own (entries, snapshot chunks).
   */
  send(to: ReplicaId, lane: Lane, parts: readonly Uint8Array[]): boolean;
  /** Bytes waiting for a peer on a lane. */
  buffered(to: ReplicaId, lane: Lane): number;
  peers(): readonly Peer[];
  /**
   * Something in `handler.hello()` changed that peers should know: tells everybody who is connected. Peers of another
   * cluster than the new one are refused, and go down before this returns.
   */
  refreshHello(): void;
  readonly stats: TransportStats;
  /** Says goodbye to everybody and closes; the handler hears nothing more. */
  close(): void;
}
