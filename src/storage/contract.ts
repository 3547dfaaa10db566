/**
 * Contracts of what a node keeps: the log and the checkpoints. Both complete by callback. A storage that fails once is
 * finished: the node stops (rule D3).
 */
import type { PageImages } from '../../wasm/page-store.ts';
import type { HardState, StorageWrite } from '../raft/contract.ts';
import type { Entry, LogIndex, ReplicaId, Term } from '../wire/entry.ts';
import type { Membership } from '../wire/membership.ts';

/** When an append counts as done (architecture 4). */
export type SyncMode =
  | { readonly mode: 'durable' }
  | { readonly mode: 'interval'; readonly ms: number }
  | { readonly mode: 'os' };

/** What identifies a storage and its history; changes are synced before they are reported done. */
export interface Identity {
  /** Minted when the storage was created (rule M6). */
  readonly replica: ReplicaId;
  /** The cluster this storage belongs to; 0 while it belongs to none. */
  readonly cluster: number;
  /** Grows with each open. */
  readonly boot: number;
  /** The operating system's boot id when it was last stored (relaxed modes). */
  readonly osBootId: string;
  /**
   * True from the first boot in a relaxed mode on, until everything is known to be synced: the log may hold writes that
   * are gone when the boot `osBootId` is over, whatever the mode of the next start.
   */
  readonly relaxed: boolean;
  /** A founder's or promiser's note: JSON, '' when none (architecture 3, founding). */
  readonly promise: string;
  /** What peers remember of replicas: boot counter and min(acknowledged, commit); JSON-free, see `PeerMemory`. */
  readonly peers: readonly PeerMemory[];
  /** The engine that applied the log, see `CheckpointMeta.engine`; another one would answer it otherwise. */
  readonly engine?: string | undefined;
}

/** What a replica remembers of another, to recognise a restored old disk. */
export interface PeerMemory {
  readonly replica: ReplicaId;
  readonly boot: number;
  readonly index: LogIndex;
}

/** What the log holds after opening. */
export interface RecoveredLog {
  readonly hardState: HardState;
  /** Entry just before the first one kept. */
  readonly compacted: { readonly index: LogIndex; readonly term: Term };
  readonly entries: readonly Entry[];
  /** True when a torn tail was cut off (an unsynced batch; nothing acknowledged). */
  readonly torn: boolean;
}

/** The replicated log of one group on one node: hard state and entries in one ordered stream (rule D1). */
export interface LogStore {
  /** Opens or creates; `CORRUPT` when a record that was once synced is bad (rule D5). */
  open(): RecoveredLog;
  /**
   * Appends in order. `done` is called once, in the order of the appends, when the write is as safe as the mode says;
   * possibly before this call returns. `done(error)` means the store failed and accepts nothing any more.
   */
  append(write: StorageWrite, done: (error: Error | null) => void): void;
  /** Forgets entries up to `index`, whose term is `term`; they are in a checkpoint. Space is recycled in the background. */
  compact(index: LogIndex, term: Term): void;
  /** Forgets everything: a snapshot at (index, term) takes its place. Durable when `done` is called. */
  reset(index: LogIndex, term: Term, done: (error: Error | null) => void): void;
  /** Syncs what is written (relaxed modes, shutdown) and closes. */
  close(done: (error: Error | null) => void): void;
  /** Milliseconds that the oldest unfinished append has waited; 0 when none (rule P7's watchdog). */
  stalledMs(): number;
  readonly bytes: number;
}

/** Small settings of a storage, replaced as a whole, atomically and synced. */
export interface IdentityStore {
  load(): Identity | null;
  save(identity: Identity): void;
}

/** What a checkpoint is of. */
export interface CheckpointMeta {
  readonly index: LogIndex;
  readonly term: Term;
  readonly membership: Membership;
  /** The database's pages. */
  readonly pageCount: number;
  readonly pageHash: string;
  /** The engine that wrote them, see `EngineId`: name, version and hash joined by `/`. */
  readonly engine: string;
  /** Replicated clocks at `index`. */
  readonly wall: number;
  readonly elapsed: number;
}

/** A section of key → value pairs, one per state machine module, named by it. */
export interface SectionDelta {
  readonly section: string;
  /** Changed pairs since the previous checkpoint; null deletes. Iterated once, in slices. */
  entries(): Iterable<readonly [key: Uint8Array, value: Uint8Array | null]>;
}

/**
 * What the state machine hands out for a checkpoint, cut in O(1). Iterated in slices while applying goes on; released at the end.
 * `since` names the checkpoint that it is a delta to; `LogIndex` 0 means everything.
 */
export interface CheckpointCut {
  readonly meta: CheckpointMeta;
  readonly since: LogIndex;
  /** Pages written since `since`, ascending; a page that was cut off and came back counts as written. */
  readonly pages: Int32Array;
  page(page: number): { bytes: Uint8Array | null; hashLo: number; hashHi: number };
  readonly sections: readonly SectionDelta[];
  /** Called once by the store, as soon as it has read everything, or when the write failed. */
  release(): void;
}

/** A checkpoint opened for reading: all of it, whatever generations it is made of. */
export interface CheckpointContent {
  readonly meta: CheckpointMeta;
  /** Copies page `page` into `out`, false when it is all zero. */
  readPage(page: number, out: Uint8Array): boolean;
  pageHash(page: number): { lo: number; hi: number };
  sections(): Iterable<string>;
  entries(section: string): Iterable<readonly [key: Uint8Array, value: Uint8Array]>;
  close(): void;
}

/** Where the pages of a checkpoint are, for a page store that reads them in place. */
export interface CheckpointImages {
  readonly meta: CheckpointMeta;
  /** The files that it consists of, oldest first. */
  readonly files: readonly PageImages[];
}

/** One immutable file of a checkpoint, as it is streamed to a peer. */
export interface SnapshotFile {
  readonly name: string;
  readonly bytes: number;
}

/** A checkpoint pinned against deletion while it is streamed. */
export interface SnapshotReader {
  readonly meta: CheckpointMeta;
  readonly files: readonly SnapshotFile[];
  /** Manifest bytes that `SnapshotStore.receive` takes. */
  readonly manifest: Uint8Array;
  read(file: number, offset: number, length: number): Uint8Array;
  close(): void;
}

/** Receives a snapshot chunk by chunk; resumes where it stopped. */
export interface SnapshotReceiver {
  readonly meta: CheckpointMeta;
  /** Where the next chunk must start; null when everything is there. */
  next(): { file: number; offset: number } | null;
  write(file: number, offset: number, bytes: Uint8Array): void;
  /** Verifies everything, then switches atomically (rule S4). The received checkpoint is the newest one now. */
  finish(done: (error: Error | null) => void): void;
  abort(): void;
}

/** Keeps checkpoints: the newest and the one before it, and falls back when the newest is damaged (rule S6). */
export interface SnapshotStore {
  /** Finds the newest checkpoint that verifies; null when there is none. `fellBack` when a newer one was damaged. */
  open(): { content: CheckpointContent; fellBack: boolean } | null;
  /** Index of the previous checkpoint: the log must be kept from there (rule S6). 0 when there is none. */
  readonly previousIndex: LogIndex;
  readonly newest: CheckpointMeta | null;
  /**
   * Writes a checkpoint in slices: `slice` schedules the next piece of work. Switches atomically at the end. The cut's
   * `since` must be the newest checkpoint's index (or 0).
   */
  write(
    cut: CheckpointCut,
    slice: (work: () => void) => void,
    done: (error: Error | null) => void,
  ): void;
  /** Where the pages of the newest checkpoint are; a store whose pages cannot be read one by one has none of it. */
  images?(): CheckpointImages | null;
  /** Pins the newest checkpoint for streaming. */
  read(): SnapshotReader | null;
  /** Starts or resumes receiving; `manifest` comes from a `SnapshotReader`. Refuses older ones than the newest. */
  receive(manifest: Uint8Array): SnapshotReceiver;
  readonly bytes: number;
}
