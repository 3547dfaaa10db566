/**
 * Checkpoints in files. Data files never change once a manifest names them; a manifest is put in place by temp → sync →
 * rename → folder sync (rule S1), and nothing else makes a checkpoint the newest (rules S4, S5).
 */
import { FileError, type FileFolder } from '../../platform/files.ts';
import { assert, must } from '../../wire/assert.ts';
import { QuorliteError } from '../../wire/error.ts';
import type {
  CheckpointContent,
  CheckpointCut,
  CheckpointImages,
  CheckpointMeta,
  SnapshotReader,
  SnapshotReceiver,
  SnapshotStore,
} from '../contract.ts';
import { corruptFile, storageFailed } from '../file-io.ts';
import { CHECKPOINT_DELTA_SHARE, CHECKPOINT_DELTAS_MAX } from '../limits.ts';
import { CheckpointFiles } from './checkpoint-files.ts';
import { checkpointImages } from './images.ts';
import { decodeManifest, encodeManifest, type Manifest } from './manifest.ts';
import { openReader } from './reader.ts';
import { Receiver } from './receiver.ts';
import { runInSlices, type Slice } from './slices.ts';
import { writeCheckpoint } from './write-checkpoint.ts';

/** What a snapshot store is made of. */
export interface SnapshotStoreOptions {
  /** The folder; the caller holds its lock. */
  readonly folder: FileFolder;
  /** First part of the files' names; stores that share a folder need different ones. Default `checkpoint`. */
  readonly prefix?: string | undefined;
}

type Done = (error: Error | null) => void;

/**
 * Checkpoints in `options.folder`.
 *
 * @example
 * const snapshots = createSnapshotStore({ folder });
 * const found = snapshots.open();
 */
export function createSnapshotStore(options: SnapshotStoreOptions): SnapshotStore {
  return new FileSnapshotStore(options);
}

class FileSnapshotStore implements SnapshotStore {
  readonly #files: CheckpointFiles;
  #current: Manifest | null = null;
  #previous: Manifest | null = null;
  #lastSequence = 0;
  #receiver: Receiver | null = null;
  #busy = false;
  #waiting: (() => void)[] = [];
  /** Set when it is unknown which checkpoint a restart would find: the node must stop (rule D3). */
  #error: QuorliteError | null = null;

  constructor(options: SnapshotStoreOptions) {
    this.#files = new CheckpointFiles(options.folder, options.prefix ?? 'checkpoint');
  }

  get newest(): CheckpointMeta | null {
    return this.#current?.meta ?? null;
  }

  get previousIndex(): number {
    return this.#previous?.meta.index ?? 0;
  }

  get bytes(): number {
    const sizes = new Map<string, number>();
    for (const manifest of [this.#current, this.#previous]) {
      for (const file of manifest?.files ?? []) sizes.set(file.name, file.bytes);
    }
    return [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  open(): { content: CheckpointContent; fellBack: boolean } | null {
    try {
      return this.#open();
    } catch (error) {
      if (error instanceof FileError) throw storageFailed(this.#files.label, error, 'unknown');
      throw error;
    }
  }

  #open(): { content: CheckpointContent; fellBack: boolean } | null {
    const found = this.#files.manifests();
    const good: Manifest[] = [];
    for (const { manifest, number } of found) {
      this.#lastSequence = Math.max(this.#lastSequence, number, manifest?.sequence ?? 0);
      if (manifest !== null) good.push(manifest);
    }
    good.sort((a, b) => b.sequence - a.sequence);
    let reason: unknown = null;
    for (let i = 0; i < good.length; i++) {
      const manifest = good[i]!;
      const content = this.#tryContent(manifest, (error) => {
        reason = error;
      });
      if (content === null) continue;
      this.#current = manifest;
      this.#previous = good[i + 1] ?? null;
      // A manifest that cannot be read may be the newest one: its name is all that is left of it.
      const damaged = found.some((it) => it.manifest === null && it.number > manifest.sequence);
      const fellBack = i > 0 || damaged;
      if (!fellBack) this.#tidy(true);
      return { content, fellBack };
    }
    if (found.length > 0) {
      if (reason instanceof QuorliteError) throw reason;
      throw corruptFile(this.#files.label, 0, 'no checkpoint in this folder can be read');
    }
    this.#tidy(true);
    return null;
  }

  /** The content, verified; null when anything of it is damaged, missing or unreadable. */
  #tryContent(manifest: Manifest, onDamage: (error: unknown) => void): CheckpointContent | null {
    try {
      return this.#files.verified(manifest);
    } catch (error) {
      const unreadable = error instanceof FileError || error instanceof QuorliteError;
      if (!unreadable) throw error;
      onDamage(error);
      return null;
    }
  }

  write(cut: CheckpointCut, slice: Slice, done: Done): void {
    this.#exclusively(() => {
      const since = this.#current?.meta.index ?? 0;
      const refusal =
        this.#error ?? (cut.since === 0 || cut.since === since ? null : stale(cut, since));
      if (refusal !== null) {
        cut.release();
        this.#release();
        done(refusal);
        return;
      }
      const base = cut.since === 0 ? null : this.#current;
      const name = this.#files.newName();
      const work = writeCheckpoint(
        this.#files,
        name,
        cut,
        base,
        base !== null && shouldMerge(base),
      );
      runInSlices(work, slice, (error, files) => {
        const failure = this.#settle(error, () => {
          this.#switchTo(
            { sequence: ++this.#lastSequence, meta: cut.meta, files: must(files) },
            true,
          );
        });
        // Unless its manifest may be in force.
        if (failure !== null && this.#error === null) this.#files.forget(name);
        this.#release();
        done(failure);
      });
    });
  }

  read(): SnapshotReader | null {
    const manifest = this.#current;
    return manifest === null ? null : openReader(this.#files, manifest);
  }

  images(): CheckpointImages | null {
    const manifest = this.#current;
    if (manifest === null) return null;
    return { meta: manifest.meta, files: checkpointImages(this.#files, manifest) };
  }

  receive(bytes: Uint8Array): SnapshotReceiver {
    const manifest = decodeManifest(bytes);
    if (manifest === null) {
      throw new QuorliteError('BAD_REQUEST', 'the manifest of this snapshot is damaged');
    }
    const { index } = manifest.meta;
    const newest = this.#current?.meta.index ?? 0;
    if (index < newest) {
      const what = `a snapshot of index ${index} is older than the checkpoint at ${newest}`;
      throw new QuorliteError('BAD_REQUEST', what);
    }
    if (this.#receiver?.takes(bytes)) return this.#receiver;
    this.#receiver?.leave();
    try {
      this.#receiver = new Receiver(this.#files, bytes, manifest, (receiver, done) => {
        this.#exclusively(() => this.#install(receiver, done));
      });
      return this.#receiver;
    } catch (error) {
      if (error instanceof FileError) throw storageFailed(this.#files.label, error, 'unknown');
      throw error;
    }
  }

  /** Rule S4: all that can fail first, then the one switch. Older checkpoints do not reach the log that follows. */
  #install(receiver: Receiver, done: Done): void {
    runInSlices(
      receiver.prepare(),
      (work) => work(),
      (error, files) => {
        const failure = this.#settle(error ?? this.#error, () => {
          const { meta } = receiver;
          const newest = this.#current?.meta.index ?? 0;
          if (meta.index < newest) throw stale(receiver, newest);
          this.#switchTo({ sequence: ++this.#lastSequence, meta, files: must(files) }, false);
        });
        this.#receiver = null;
        if (failure !== null) receiver.abort();
        this.#release();
        done(failure);
      },
    );
  }

  /** Runs `commit` unless there was an error; returns the error that the caller is told. */
  #settle(error: unknown, commit: () => void): QuorliteError | null {
    try {
      if (error !== null) throw error;
      commit();
      return null;
    } catch (failure) {
      if (failure instanceof QuorliteError) return failure;
      if (failure instanceof FileError) return storageFailed(this.#files.label, failure, 'unknown');
      throw failure;
    }
  }

  #switchTo(manifest: Manifest, keepPrevious: boolean): void {
    const bytes = encodeManifest(manifest);
    this.#files.putManifest(manifest.sequence, bytes, (error) => {
      this.#error = storageFailed(this.#files.label, error, 'unknown');
    });
    this.#previous = keepPrevious ? this.#current : null;
    this.#current = manifest;
    this.#tidy(false);
  }

  /** Removes what neither of the two checkpoints needs. A failure costs space only; the next one tries again. */
  #tidy(keepParts: boolean): void {
    const kept = [this.#current, this.#previous].filter((manifest) => manifest !== null);
    this.#files.keepOnly(kept, (part) => keepParts || this.#receiver?.owns(part) === true);
  }

  /** One change of the set of checkpoints at a time (rule S11). */
  #exclusively(work: () => void): void {
    if (this.#busy) {
      this.#waiting.push(work);
      return;
    }
    this.#busy = true;
    work();
  }

  #release(): void {
    assert(this.#busy, 'released what is held');
    this.#busy = false;
    const next = this.#waiting.shift();
    if (next !== undefined) this.#exclusively(next);
  }
}

function stale(what: { readonly meta: CheckpointMeta }, newest: number): QuorliteError {
  return new QuorliteError(
    'CONFLICT',
    `a checkpoint of index ${what.meta.index} does not follow the newest one, of index ${newest}`,
  );
}

/** Deltas are merged into a new base when they are many, or large beside it. */
function shouldMerge({ files }: Manifest): boolean {
  const [base, ...deltas] = files;
  if (deltas.length >= CHECKPOINT_DELTAS_MAX) return true;
  const bytes = deltas.reduce((sum, delta) => sum + delta.bytes, 0);
  return bytes > must(base).bytes * CHECKPOINT_DELTA_SHARE;
}
