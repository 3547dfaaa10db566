/**
 * The contract of a page store: where an engine keeps its database, page by page, in copy-on-write versions.
 *
 * A version of a page is tagged with the epoch that wrote it. The writer works in epoch + 1; `commit` publishes it.
 * Pins keep an epoch readable. Synchronous; a store has a bounded cache over its backing (for `memory`, the cache is
 * the store and `maxBytes` bounds it).
 */

/** Bytes of a page everywhere in Quorlite. */
export const PAGE_SIZE = 4096;

/** A page number, counted from 1 as SQLite does. */
export type PageNumber = number;

/** A 64-bit page hash as two signed 32-bit halves; an all-zero page hashes to 0. */
export interface HashHalves {
  readonly lo: number;
  readonly hi: number;
}

/** The pages of one database, in versions. */
export interface PageStore {
  readonly pageSize: number;
  /** The newest committed epoch; grows by one per commit that wrote a page. */
  readonly epoch: number;
  /** Pages of the newest commit. */
  readonly pageCount: number;
  /** Pages as the open transaction sees it. */
  readonly pendingPageCount: number;
  /** Bytes of page memory held: current pages, old versions kept by pins, pending ones. */
  readonly bytesHeld: number;
  /** Hash of the newest commit: 16 hex digits, XOR of all page hashes. Equal content gives an equal hash. */
  hash(): string;

  /** Copies bytes `[offset, offset + out.length)` as of `epoch` (or of the open transaction: `Infinity`). False past the end (zero-filled). */
  read(epoch: number, offset: number, out: Uint8Array): boolean;
  /** Writes one whole page in the open transaction (begun implicitly). Throws `PageStoreFull` beyond `maxBytes`. */
  write(page: PageNumber, bytes: Uint8Array, hashLo: number, hashHi: number): void;
  /** Sets the page count of the open transaction. */
  truncate(pages: number): void;
  /** Publishes the open transaction as epoch + 1. No-op when nothing was written. */
  commit(): void;
  /** Drops the open transaction. */
  abort(): void;

  /** Keeps the newest epoch readable until released; O(1). */
  pin(): Pin;
  /** Called just before a commit may free versions, so that an engine can turn its readers' locks into pins. */
  onBeforeCommit(listener: () => void): () => void;
  /** Called after each commit and after `restore`. */
  onCommit(listener: () => void): () => void;
  close(): void;
}

/** One epoch, kept. */
export interface Pin {
  readonly epoch: number;
  readonly pageCount: number;
  readonly hash: string;
  /** The bytes of a page (not a copy: valid until released, never to be changed), or null when all zero and never written. */
  page(page: PageNumber): Uint8Array | null;
  /** The hash of a page as recorded. */
  pageHash(page: PageNumber): HashHalves;
  /**
   * Pages up to `pageCount` written after `epoch`, ascending, and all that were never written (they may have been, before
   * they were cut off). `changedSince(0)` is every page.
   */
  changedSince(epoch: number): Int32Array;
  release(): void;
}

/** What a page store is filled from after a restart or a snapshot. */
export interface PageSource {
  readonly pageCount: number;
  /** Hash of the whole, as a store gave it; checked when present. */
  readonly hash?: string | undefined;
  /** Copies page `page` into `out`; false leaves it zero. */
  readPage(page: PageNumber, out: Uint8Array): boolean;
  /** Recorded hash of a page. */
  pageHash(page: PageNumber): HashHalves;
}

/** Thrown by `write` when the store's size limit is reached; the engine reports it as a crash, never as a result. */
export class PageStoreFull extends Error {
  override readonly name = 'PageStoreFull';
}
