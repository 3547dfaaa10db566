/**
 * The frame: what one message on a link looks like. Little-endian:
 *
 *      0  u8   magic
 *      1  u8   protocol version; 0 in the frames of the handshake, whose layout never changes
 *      2  u8   kind: a lane, or one of the transport's own
 *      3  u8   0
 *      4  u32  CRC-32C of bytes [0, 4) and [8, 36 + head)
 *      8  u53  cluster id of the sender, 0 while it belongs to none (rule M7)
 *     16  u53  replica id of the sender
 *     24  u53  replica id of the receiver, 0 while it is not known
 *     32  u32  head: how much of the payload the checksum covers
 *     36  …    payload
 *
 * The checksum is there because TCP's sixteen bits let about one damaged packet in ten thousand through and a WebSocket
 * adds nothing (J. Stone, C. Partridge: "When the CRC and TCP checksum disagree", 2000), while one flipped bit in an
 * acknowledgement could commit what no quorum holds. It covers the first part of a frame, its fields; the parts behind
 * are entries and chunks, which carry checksums of their own from end to end: summing them again would only cost time.
 */
import { crc32c } from '../wire/crc32c.ts';
import type { ReplicaId } from '../wire/entry.ts';

/** Bytes before the payload. */
export const FRAME_HEADER_BYTES = 36;

/** Protocol version in the header of handshake frames. */
export const HANDSHAKE_VERSION = 0;

/**
 * Small frames are cut from a slab, which costs a fifth of a buffer of their own. A place in a slab is used once, so
 * frames may be kept like any other bytes.
 */
const SLAB_BYTES = 32 * 1024;
const SLAB_FRAME_BYTES = 4 * 1024;
let slab = new Uint8Array(0);
let slabUsed = 0;

const MAGIC = 0xd9;
const HEAD_AT = 32;
const TWO_32 = 4294967296;

/** What a frame is. Values up to 2 are lanes. */
export const FrameKind = {
  control: 0,
  bulk: 1,
  snapshot: 2,
  ping: 16,
  pong: 17,
  /** A fresh hello of a connected peer. */
  hello: 18,
  goodbye: 19,
  /** Why the sender closes; its layout never changes either. */
  refuse: 20,
  start: 32,
  challenge: 33,
  proof: 34,
  accept: 35,
  ready: 36,
} as const;
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

/** The header that all frames from one replica to another share; `joinFrame` fills in the rest. */
export function frameTemplate(
  version: number,
  cluster: number,
  from: ReplicaId,
  to: ReplicaId,
): Uint8Array {
  const template = new Uint8Array(FRAME_HEADER_BYTES);
  template[0] = MAGIC;
  template[1] = version;
  setU53(template, 8, cluster);
  setU53(template, 16, from);
  setU53(template, 24, to);
  return template;
}

/** One message made of a template and the payload's parts: one buffer, each part copied once. */
export function joinFrame(
  template: Uint8Array,
  kind: FrameKind,
  parts: readonly Uint8Array[],
): Uint8Array {
  let length = FRAME_HEADER_BYTES;
  for (let i = 0; i < parts.length; i++) length += parts[i]!.length;
  const frame = newFrame(length);
  frame.set(template);
  let at = FRAME_HEADER_BYTES;
  for (let i = 0; i < parts.length; i++) {
    frame.set(parts[i]!, at);
    at += parts[i]!.length;
  }
  const head = parts.length === 0 ? 0 : parts[0]!.length;
  frame[2] = kind;
  setU32(frame, HEAD_AT, head);
  setU32(frame, 4, checksum(frame, head));
  return frame;
}

function newFrame(length: number): Uint8Array {
  if (length > SLAB_FRAME_BYTES) return new Uint8Array(length);
  if (slabUsed + length > slab.length) {
    slab = new Uint8Array(SLAB_BYTES);
    slabUsed = 0;
  }
  slabUsed += length;
  return slab.subarray(slabUsed - length, slabUsed);
}

/** What is wrong with a message that should be a frame, or null. Everything else may be read only after this. */
export function frameDefect(bytes: Uint8Array): string | null {
  if (bytes.length < FRAME_HEADER_BYTES || bytes[0] !== MAGIC) return 'not a frame of Quorlite';
  const head = getU32(bytes, HEAD_AT);
  if (head > bytes.length - FRAME_HEADER_BYTES) return 'a frame is cut off';
  if (getU32(bytes, 4) !== checksum(bytes, head)) return 'a frame fails its checksum';
  return null;
}

/** Protocol version in the header. */
export function frameVersion(bytes: Uint8Array): number {
  return bytes[1]!;
}

/** The kind in the header; not necessarily one of `FrameKind`. */
export function frameKind(bytes: Uint8Array): number {
  return bytes[2]!;
}

/** Cluster id in the header. */
export function frameCluster(bytes: Uint8Array): number {
  return getU53(bytes, 8);
}

/** Replica id of the sender. */
export function frameFrom(bytes: Uint8Array): ReplicaId {
  return getU53(bytes, 16);
}

/** Replica id of the receiver, 0 when the sender did not know it. */
export function frameTo(bytes: Uint8Array): ReplicaId {
  return getU53(bytes, 24);
}

/** The payload, a view. */
export function framePayload(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(FRAME_HEADER_BYTES);
}

/** Whether nodes of these clusters may talk: a node that belongs to none may talk to any (founding, joining). */
export function clustersAgree(one: number, other: number): boolean {
  return one === other || one === 0 || other === 0;
}

function checksum(frame: Uint8Array, head: number): number {
  return crc32c(frame, 8, FRAME_HEADER_BYTES + head, crc32c(frame, 0, 4));
}

function setU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

function getU32(bytes: Uint8Array, at: number): number {
  const high = (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  return (bytes[at]! | (bytes[at + 1]! << 8) | high) >>> 0;
}

function setU53(bytes: Uint8Array, at: number, value: number): void {
  setU32(bytes, at, value % TWO_32);
  setU32(bytes, at + 4, Math.floor(value / TWO_32));
}

function getU53(bytes: Uint8Array, at: number): number {
  return getU32(bytes, at + 4) * TWO_32 + getU32(bytes, at);
}
