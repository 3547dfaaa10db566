/** Sizes and bounds of the storage rooms, each with its unit. */

/** Bytes of a log segment: written with zeros once, then reused. */
export const LOG_SEGMENT_BYTES: number = 8 * 1024 * 1024;
/** Smallest segment that makes sense: a handful of records. */
export const LOG_SEGMENT_BYTES_MIN: number = 4096;
/** Empty segments kept ready. */
export const LOG_SPARES_MAX: number = 4;
/** Bytes of zeros written per slice while a segment is prepared in the background. */
export const ZERO_SLICE_BYTES: number = 256 * 1024;
/** Bytes that the gather buffer of the log keeps between batches. */
export const LOG_BUFFER_KEEP_BYTES: number = 1024 * 1024;

/** Milliseconds beyond which a sync counts as slow: syncs then leave the event loop (rule P7). */
export const SLOW_SYNC_MS: number = 20;
/** Fast syncs in a row after which syncs come back to the event loop. */
export const HEALTHY_SYNCS: number = 16;

/** Bytes that one checksum of a checkpoint file covers; also the piece of work done per slice. */
export const CHECKPOINT_BLOCK_BYTES: number = 256 * 1024;
/** Bytes of a checkpoint file written between two syncs: bounds what one sync has to move. */
export const CHECKPOINT_SYNC_BYTES: number = 16 * 1024 * 1024;
/** Deltas behind a base before they are merged into a new base. */
export const CHECKPOINT_DELTAS_MAX: number = 8;
/** Share of the base's bytes that the deltas may reach before they are merged. */
export const CHECKPOINT_DELTA_SHARE: number = 0.5;
/** Bytes of a manifest; larger ones are refused before anything is allocated. */
export const MANIFEST_BYTES_MAX: number = 64 * 1024 * 1024;
/** Entries of a module's section written per slice. */
export const SECTION_ENTRIES_PER_SLICE: number = 2048;

/** Bytes of an identity file. */
export const IDENTITY_BYTES_MAX: number = 1024 * 1024;

/** Clean-up steps of a `VersionedMap` that ride on each write. */
export const VERSIONED_MAP_SWEEP: number = 4;
/** How long a log is idle before it claims its last record as synced, milliseconds. */
export const LOG_CLAIM_MS: number = 5;

/** Name of the file that holds pages beyond the cache while a node runs. */
export const SCRATCH_FILE: string = 'pages.scratch';
/** Pages that one write to it takes at most. */
export const GATHER_PAGES: number = 64;

/** Bytes of a log entry in one row of a SQL storage: half of what such storages take. */
export const ROW_PART_BYTES: number = 1024 * 1024;
/** Rows that one entry may take. */
export const ROW_PARTS_MAX: number = 256;
/** Bytes of a file in one row: reading a page costs reading its row. */
export const ROW_CHUNK_BYTES: number = 64 * 1024;
