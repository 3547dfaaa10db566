/** Byte strings as keys of a `Map`: one UTF-16 unit per byte, so that order and equality are those of the bytes. */

const CHUNK = 4096;

/** The key of some bytes. */
export function keyOfBytes(bytes: Uint8Array): string {
  if (bytes.length <= CHUNK) return String.fromCharCode(...bytes);
  let key = '';
  for (let at = 0; at < bytes.length; at += CHUNK) {
    key += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  }
  return key;
}

/** The bytes of a key that `keyOfBytes` made. */
export function bytesOfKey(key: string): Uint8Array {
  const bytes = new Uint8Array(key.length);
  for (let i = 0; i < key.length; i++) bytes[i] = key.charCodeAt(i);
  return bytes;
}
