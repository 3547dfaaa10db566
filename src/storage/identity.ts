/**
 * Who a storage is: a small file, replaced as a whole, atomically and synced.
 *
 * File, little-endian: u32 magic `QLID`, u32 format version, u32 length of the payload, u32 CRC-32C of the payload, payload.
 */
import { FileError, type FileFolder } from '../platform/files.ts';
import { assert } from '../wire/assert.ts';
import { ByteReader, ByteWriter } from '../wire/bytes.ts';
import { crc32c } from '../wire/crc32c.ts';
import type { Identity, IdentityStore } from './contract.ts';
import { corruptFile, readWhole, replaceFile, storageFailed } from './file-io.ts';
import { IDENTITY_BYTES_MAX } from './limits.ts';

const MAGIC = 0x44494c51;
const VERSION = 3;
const HEADER_BYTES = 16;

/**
 * The identity in file `name` (default `identity`) of `folder`. `load` throws `CORRUPT` when the file is damaged: a
 * replica whose identity is unknown must not guess it, for it might vote twice (rule M6). Both throw `STORAGE_FAILED`
 * when the disk fails.
 */
export function createIdentityStore(folder: FileFolder, name: string = 'identity'): IdentityStore {
  return {
    load: () => guard(folder, () => loadIdentity(folder, name)),
    save: (identity) =>
      guard(folder, () => {
        const bytes = encodeIdentity(identity);
        assert(bytes.length <= IDENTITY_BYTES_MAX, 'an identity is small');
        replaceFile(folder, name, bytes);
      }),
  };
}

/** An identity that is forgotten with the process. */
export function createMemoryIdentityStore(): IdentityStore {
  let saved: Uint8Array | null = null;
  return {
    load: () => (saved === null ? null : decodeIdentity(saved)),
    save: (identity) => {
      saved = encodeIdentity(identity);
    },
  };
}

function guard<T>(folder: FileFolder, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof FileError) throw storageFailed(folder.label, error, 'unknown');
    throw error;
  }
}

function loadIdentity(folder: FileFolder, name: string): Identity | null {
  if (!folder.exists(name)) return null;
  const bytes = readWhole(folder, name, IDENTITY_BYTES_MAX);
  const identity = bytes === null ? null : decodeIdentity(bytes);
  if (identity === null) throw corruptFile(`${folder.label}/${name}`, 0, 'the identity is damaged');
  return identity;
}

function encodeIdentity(identity: Identity): Uint8Array {
  const out = new ByteWriter();
  for (const word of [MAGIC, VERSION, 0, 0]) out.u32(word);
  out.u53(identity.replica);
  out.u53(identity.cluster);
  out.u53(identity.boot);
  out.text(identity.osBootId);
  out.u8(identity.relaxed ? 1 : 0);
  out.text(identity.promise);
  out.uint(identity.peers.length);
  for (const peer of identity.peers) {
    out.u53(peer.replica);
    out.u53(peer.boot);
    out.u53(peer.index);
  }
  out.text(identity.engine ?? '');
  const { length } = out;
  out.u32At(8, length - HEADER_BYTES);
  out.u32At(12, crc32c(out.bytes, HEADER_BYTES, length));
  return out.take();
}

function decodeIdentity(bytes: Uint8Array): Identity | null {
  if (bytes.length < HEADER_BYTES) return null;
  const input = new ByteReader(bytes);
  if (input.u32() !== MAGIC || input.u32() !== VERSION) return null;
  if (input.u32() !== bytes.length - HEADER_BYTES) return null;
  if (input.u32() !== crc32c(bytes, HEADER_BYTES)) return null;
  const identity: Identity = {
    replica: input.u53(),
    cluster: input.u53(),
    boot: input.u53(),
    osBootId: input.text(),
    relaxed: input.u8() === 1,
    promise: input.text(),
    peers: Array.from({ length: input.uint() }, () => {
      return { replica: input.u53(), boot: input.u53(), index: input.u53() };
    }),
  };
  const engine = input.text();
  input.finish();
  return engine === '' ? identity : { ...identity, engine };
}
