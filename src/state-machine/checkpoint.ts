/** Checkpoints: what is cut, what the next cut builds on, and how a state machine is filled from one. */
import type { PageSource, PageStore, Pin } from '../../wasm/page-store.ts';
import type {
  CheckpointContent,
  CheckpointCut,
  CheckpointImages,
  CheckpointMeta,
  SectionDelta,
} from '../storage/contract.ts';
import type { LogIndex } from '../wire/entry.ts';
import { QuorliteError } from '../wire/error.ts';
import type { FrozenModule, ModuleMark, StateModule } from './module.ts';

/** A moment that later cuts can build on. */
interface Base {
  readonly index: LogIndex;
  readonly epoch: number;
  readonly marks: readonly ModuleMark[];
  /** Keeps the epoch until the checkpoint is durable, for a store that then adopts its files; else null. */
  readonly hold: Pin | null;
}

/** Bytes that a changed pair of a section counts in the estimate of dirty bytes. */
const PAIR_BYTES = 256;
/** Commits between two looks at how many pages are dirty. */
const LOOK_EVERY = 64;

/** Keeps the moments of past cuts. */
export class Checkpoints {
  readonly #store: PageStore;
  readonly #modules: readonly StateModule[];
  /** Cuts that may have become durable, ascending; the first is the newest known to be. */
  #bases: Base[] = [];
  #seen = { epoch: -1, pages: 0 };
  /** Where the newest checkpoint has its pages; null when that is of no use. */
  readonly #images: () => CheckpointImages | null;

  constructor(
    store: PageStore,
    modules: readonly StateModule[],
    images: () => CheckpointImages | null = () => null,
  ) {
    this.#store = store;
    this.#modules = modules;
    this.#images = images;
  }

  /** The state as it is now came from the checkpoint at `index`. */
  restored(index: LogIndex): void {
    const marks = this.#modules.map((module) => {
      const frozen = module.freeze();
      frozen.release();
      return frozen.mark;
    });
    this.#bases = [{ index, epoch: this.#store.epoch, marks, hold: null }];
  }

  /** Cuts the state as of `meta.index`, as changes since the cut at `since`; everything when that one is unknown. */
  cut(meta: CheckpointMeta, since: LogIndex): CheckpointCut {
    const base = since === 0 ? undefined : this.#bases.find(({ index }) => index === since);
    const pin = this.#store.pin();
    const frozen = this.#modules.map((module) => module.freeze());
    const marks = frozen.map(({ mark }) => mark);
    // Of an earlier cut nothing was heard: should it be durable, the checkpoint after it is adopted.
    for (const { hold } of this.#bases) hold?.release();
    this.#bases = this.#bases
      .filter(({ index }) => index !== meta.index)
      .map((earlier) => ({ ...earlier, hold: null }));
    const hold = this.#store.adopt === undefined ? null : this.#store.pin();
    this.#bases.push({ index: meta.index, epoch: pin.epoch, marks, hold });
    const names = this.#modules.map(({ section }) => section);
    return new Cut(meta, base, pin, frozen, names);
  }

  /** The checkpoint at `index` is durable: earlier ones are not built on any more. */
  checkpointed(index: LogIndex): void {
    const at = this.#bases.findIndex((base) => base.index === index);
    if (at < 0) return;
    this.#adopt(this.#bases[at]!);
    this.#bases = this.#bases.slice(at);
    this.#seen = { epoch: -1, pages: 0 };
    this.#modules.forEach((module, i) => {
      module.forget(this.#bases[0]!.marks[i]!);
    });
  }

  /** The store's pages of that moment are in the checkpoint's files now. */
  #adopt({ index, epoch, hold }: Base): void {
    if (hold === null) return;
    const images = this.#images();
    if (images?.meta.index === index) this.#store.adopt?.(epoch, images.files);
    hold.release();
  }

  /** About how many bytes the next cut will hold. Pages are counted anew every few commits. */
  dirtyBytes(): number {
    const base = this.#bases[0];
    const { epoch, pageSize } = this.#store;
    if (this.#seen.epoch < 0 || epoch - this.#seen.epoch >= LOOK_EVERY) {
      const pin = this.#store.pin();
      this.#seen = { epoch, pages: pin.changedSince(base?.epoch ?? 0).length };
      pin.release();
    }
    let pairs = 0;
    this.#modules.forEach((module, i) => {
      pairs += module.dirtySince(base?.marks[i] ?? null);
    });
    return this.#seen.pages * pageSize + pairs * PAIR_BYTES;
  }
}

/** See `CheckpointCut`. */
class Cut implements CheckpointCut {
  readonly meta: CheckpointMeta;
  readonly since: LogIndex;
  readonly sections: readonly SectionDelta[];
  readonly #epoch: number;
  readonly #pin: Pin;
  readonly #frozen: readonly FrozenModule[];
  #pages: Int32Array | null = null;
  #released = false;

  constructor(
    meta: CheckpointMeta,
    base: Base | undefined,
    pin: Pin,
    frozen: readonly FrozenModule[],
    names: readonly string[],
  ) {
    this.meta = meta;
    this.since = base?.index ?? 0;
    this.#epoch = base?.epoch ?? 0;
    this.#pin = pin;
    this.#frozen = frozen;
    this.sections = frozen.map((module, i) => ({
      section: names[i]!,
      entries: () => module.changes(base?.marks[i] ?? null),
    }));
  }

  /** Found at the first look, so that cutting itself is O(1). */
  get pages(): Int32Array {
    return (this.#pages ??= this.#pin.changedSince(this.#epoch));
  }

  page(page: number): { bytes: Uint8Array | null; hashLo: number; hashHi: number } {
    const { lo, hi } = this.#pin.pageHash(page);
    return { bytes: this.#pin.page(page), hashLo: lo, hashHi: hi };
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#pin.release();
    for (const module of this.#frozen) module.release();
  }
}

/** The pages of a checkpoint as a page store takes them. */
export function pagesOf(content: CheckpointContent): PageSource {
  return {
    pageCount: content.meta.pageCount,
    hash: content.meta.pageHash,
    readPage: (page, out) => content.readPage(page, out),
    pageHash: (page) => content.pageHash(page),
  };
}

/** Fills the modules from their sections, in their order. A section that no module owns is refused: `CORRUPT`. */
export function restoreModules(content: CheckpointContent, modules: readonly StateModule[]): void {
  const sections = new Set(content.sections());
  for (const module of modules) {
    if (sections.delete(module.section)) module.restore(content.entries(module.section));
  }
  for (const section of sections) {
    throw new QuorliteError('CORRUPT', `the checkpoint has an unknown section ${section}`);
  }
}
