/**
 * The contract of a page store: where an engine keeps its database, page by page, in copy-on-write versions.
 *
 * A version of a page is tagged with the epoch that wrote it. The writer works in epoch + 1; `commit` publishes it.
 * Pins keep an epoch readable. Synchronous. The memory store holds everything (`maxBytes` bounds it); the
 * cached store holds what fits into its cache, and has the rest in a `PageBacking` and in the images of the newest checkpoint.
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
  /** Bytes of pages held, in memory or not: current pages, old versions kept by pins, pending ones. */
  readonly bytesHeld: number;
  /**
   * Why pages can no longer be had: the backing failed or lost one. From then on whoever needs it is told the same, so
   * the node has to stop. Absent or null while all is well.
   */
  readonly failure?: Error | null;
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
  /**
   * A checkpoint of `epoch`, which a pin still keeps, is durable and consists of `files`, oldest first: what they hold
   * needs no other place. Does not throw: see `failure`.
   */
  adopt?(epoch: number, files: readonly PageImages[]): void;
  /** Gauges for metrics, by name. */
  stats?(): { readonly [name: string]: number };
  close(): void;
}

/** One epoch, kept. */
export interface Pin {
  readonly epoch: number;
  readonly pageCount: number;
  readonly hash: string;
  /**
   * The bytes of a page, or null when all zero and never written. Not a copy: valid until the store or a pin of it is
   * called again, never to be changed.
   */
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

/** Hashes one whole page as the engine does when it writes it. */
export type PageHasher = (page: PageNumber, bytes: Uint8Array) => HashHalves;

/**
 * Where a store puts pages that its cache has no room for: places of one page each, counted from 0. It is **scratch**: it
 * is empty when opened, claims nothing after a crash, and is never synced. Restart means checkpoint and log (architecture,
 * section 4). Methods throw `STORAGE_FAILED`; a store uses no backing that failed once.
 */
export interface PageBacking {
  /** Copies the page at `place` into `out`. */
  read(place: number, out: Uint8Array): void;
  /** Writes the first `count` of `pages` at the first `count` of `places`, which ascend. */
  write(places: Int32Array, pages: readonly Uint8Array[], count: number): void;
  /** Gives back the room of all places from `places` on; nothing is in them. */
  truncate(places: number): void;
  /** Closes, and removes what is there as far as that works. */
  close(): void;
}

/** An immutable file of page images, one of those that the newest checkpoint consists of. */
export interface PageImages {
  /** No other file ever has this name. */
  readonly name: string;
  /** Keeps the file until it is closed. Throws `STORAGE_FAILED` or `CORRUPT`. */
  open(): OpenPageImages;
}

/** A file of page images that is open. */
export interface OpenPageImages {
  /** Pages of the whole database when the file was written. */
  readonly pageCount: number;
  /** The file's pages, ascending, four words each: page, image + 1 (0: all zero), low and high half of the hash. */
  index(): Int32Array;
  /** Copies an image, counted from 0, into `out`. Unchecked: the reader knows the hash. */
  read(image: number, out: Uint8Array): void;
  close(): void;
}

/** Thrown by `write` when the store's size limit is reached; the engine reports it as a crash, never as a result. */
export class PageStoreFull extends Error {
  override readonly name = 'PageStoreFull';
}
