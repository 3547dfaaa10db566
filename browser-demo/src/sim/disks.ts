/** What can be done to the disk of a node: put a copy aside, put it back, flip a bit. */
import type { MemoryFolder } from '../../../src/storage/memory-folder.ts';

/** A folder on a virtual disk. */
export type DiskFolder = MemoryFolder;

/** The files of a disk. */
export function copyDisk(folder: DiskFolder): ReadonlyMap<string, Uint8Array> {
  return new Map(folder.list().map((name) => [name, folder.contentOf(name)]));
}

/** Writes the files to an empty disk. */
export function restoreDisk(folder: DiskFolder, files: ReadonlyMap<string, Uint8Array>): void {
  for (const [name, bytes] of files) {
    const file = folder.open(name, { create: true });
    file.write(bytes, 0);
    file.sync();
    file.close();
  }
  folder.syncFolder();
}

/** Flips a bit in the middle of the log; says where, null without a log. */
export function flipBit(folder: DiskFolder): string | null {
  for (const name of folder.list().filter((file) => file.endsWith('.seg'))) {
    const content = folder.contentOf(name);
    let end = content.length;
    while (end > 0 && content[end - 1] === 0) end--;
    if (end === 0) continue;
    const at = Math.floor(end / 2);
    // Rot is of what is on the medium.
    const file = folder.open(name, { create: false });
    file.sync();
    file.close();
    folder.damage(name, (bytes) => {
      bytes[at]! ^= 0x10;
    });
    return `byte ${at} of ${name}`;
  }
  return null;
}
