/** A checkpoint's database as the bytes of a plain SQLite file. */
import { PAGE_SIZE } from '../../../wasm/page-store.ts';
import type { CheckpointContent } from '../contract.ts';

/** Yields the database in chunks of up to `pages` pages, in order; each chunk is a buffer of its own. */
export function* checkpointImage(
  content: CheckpointContent,
  pages: number = 64,
): IterableIterator<Uint8Array> {
  const { pageCount } = content.meta;
  for (let first = 1; first <= pageCount; first += pages) {
    const count = Math.min(pages, pageCount - first + 1);
    const chunk = new Uint8Array(count * PAGE_SIZE);
    for (let i = 0; i < count; i++) {
      // An all-zero page leaves its part of the chunk as it is.
      content.readPage(first + i, chunk.subarray(i * PAGE_SIZE, (i + 1) * PAGE_SIZE));
    }
    yield chunk;
  }
}
