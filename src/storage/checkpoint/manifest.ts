/**
 * The manifest of a checkpoint: what it is of, and the files that it is made of with a checksum for every block. One
 * manifest, small and checksummed itself, vouches for all of a checkpoint.
 *
 * File, little-endian: u32 magic `QLCP`, u32 format version, u32 length of the payload, u32 CRC-32C of the payload, payload.
 */
import { ByteReader, ByteWriter } from '../../wire/bytes.ts';
import { crc32c } from '../../wire/crc32c.ts';
import { QuorliteError } from '../../wire/error.ts';
import { decodeMembership, encodeMembership } from '../../wire/membership.ts';
import type { CheckpointMeta } from '../contract.ts';
import { CHECKPOINT_BLOCK_BYTES, MANIFEST_BYTES_MAX } from '../limits.ts';

/** One file of a checkpoint: a base, or changes since the one before it. Never changes once a manifest names it. */
export interface GenerationFile {
  readonly name: string;
  readonly bytes: number;
  /** CRC-32C of each block of `CHECKPOINT_BLOCK_BYTES`. */
  readonly blocks: Uint32Array;
}

/** A checkpoint: a base and its deltas, oldest first. */
export interface Manifest {
  /** Grows with each checkpoint of one store; decides which is the newest. */
  readonly sequence: number;
  readonly meta: CheckpointMeta;
  readonly files: readonly GenerationFile[];
}

const MAGIC = 0x50434c51;
const VERSION = 1;
const HEADER_BYTES = 16;

/** Blocks of a file of `bytes` bytes. */
export function blockCount(bytes: number): number {
  return Math.ceil(bytes / CHECKPOINT_BLOCK_BYTES);
}

/** The bytes of a manifest. */
export function encodeManifest({ sequence, meta, files }: Manifest): Uint8Array {
  const out = new ByteWriter(1024);
  for (const word of [MAGIC, VERSION, 0, 0]) out.u32(word);
  out.u53(sequence);
  writeMeta(out, meta);
  out.uint(files.length);
  for (const { name, bytes, blocks } of files) {
    out.text(name);
    out.uint(bytes);
    for (const block of blocks) out.u32(block);
  }
  const { length } = out;
  out.u32At(8, length - HEADER_BYTES);
  out.u32At(12, crc32c(out.bytes, HEADER_BYTES, length));
  return out.take();
}

/** The opposite; null when the bytes are not a whole, good manifest. */
export function decodeManifest(bytes: Uint8Array): Manifest | null {
  if (bytes.length < HEADER_BYTES || bytes.length > MANIFEST_BYTES_MAX) return null;
  const input = new ByteReader(bytes);
  if (input.u32() !== MAGIC || input.u32() !== VERSION) return null;
  if (input.u32() !== bytes.length - HEADER_BYTES) return null;
  if (input.u32() !== crc32c(bytes, HEADER_BYTES)) return null;
  try {
    const sequence = input.u53();
    const meta = readMeta(input);
    const files = Array.from({ length: count(input) }, () => readFile(input));
    input.finish();
    return files.length === 0 ? null : { sequence, meta, files };
  } catch (error) {
    if (error instanceof QuorliteError) return null;
    throw error;
  }
}

function count(input: ByteReader): number {
  const value = input.uint();
  if (value > input.remaining) throw new QuorliteError('BAD_REQUEST', 'malformed manifest');
  return value;
}

function readFile(input: ByteReader): GenerationFile {
  const name = input.text();
  const bytes = input.uint();
  if (blockCount(bytes) * 4 > input.remaining) {
    throw new QuorliteError('BAD_REQUEST', 'malformed manifest');
  }
  const blocks = new Uint32Array(blockCount(bytes));
  for (let i = 0; i < blocks.length; i++) blocks[i] = input.u32();
  return { name, bytes, blocks };
}

function writeMeta(out: ByteWriter, meta: CheckpointMeta): void {
  out.u53(meta.index);
  out.u53(meta.term);
  out.blob(encodeMembership(meta.membership));
  out.uint(meta.pageCount);
  out.text(meta.pageHash);
  out.text(meta.engine);
  out.f64(meta.wall);
  out.f64(meta.elapsed);
}

function readMeta(input: ByteReader): CheckpointMeta {
  return {
    index: input.u53(),
    term: input.u53(),
    membership: decodeMembership(input.blob()),
    pageCount: input.uint(),
    pageHash: input.text(),
    engine: input.text(),
    wall: input.f64(),
    elapsed: input.f64(),
  };
}
