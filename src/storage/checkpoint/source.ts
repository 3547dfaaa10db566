/** What a new generation is written from: a cut alone, or a cut over the checkpoint before it (a merge). */
import { PAGE_SIZE } from '../../../wasm/page-store.ts';
import { keyOfBytes } from '../byte-key.ts';
import type { CheckpointCut, SectionDelta } from '../contract.ts';
import type { LayeredContent } from './content.ts';
import type { GenerationSource, SourcePage } from './generation.ts';

/** The pages and pairs of the cut as they are. */
export function cutSource(cut: CheckpointCut): GenerationSource {
  return {
    pageCount: cut.meta.pageCount,
    *pages() {
      for (const page of cut.pages) yield { page, ...cut.page(page) };
    },
    sections: cut.sections,
  };
}

/** Everything: what the cut changed, and the rest as `base` has it. Deletions vanish. */
export function mergedSource(cut: CheckpointCut, base: LayeredContent): GenerationSource {
  return {
    pageCount: cut.meta.pageCount,
    pages: () => mergedPages(cut, base),
    sections: mergedSections(cut, base),
  };
}

function* mergedPages(cut: CheckpointCut, base: LayeredContent): IterableIterator<SourcePage> {
  const image = new Uint8Array(PAGE_SIZE);
  let next = 0;
  for (let page = 1; page <= cut.meta.pageCount; page++) {
    if (cut.pages[next] === page) {
      next++;
      yield { page, ...cut.page(page) };
    } else if (page <= base.meta.pageCount) {
      const bytes = base.readPage(page, image) ? image : null;
      const { lo, hi } = base.pageHash(page);
      if (bytes !== null) yield { page, bytes, hashLo: lo, hashHi: hi };
    }
  }
}

function mergedSections(cut: CheckpointCut, base: LayeredContent): SectionDelta[] {
  const deltas = new Map(cut.sections.map((delta) => [delta.section, delta]));
  const names = new Set([...base.sections(), ...deltas.keys()]);
  return [...names].map((section) => ({
    section,
    entries: () => mergedEntries(section, deltas.get(section), base),
  }));
}

function* mergedEntries(
  section: string,
  delta: SectionDelta | undefined,
  base: LayeredContent,
): IterableIterator<readonly [Uint8Array, Uint8Array | null]> {
  const changed = new Set<string>();
  if (delta !== undefined) {
    for (const pair of delta.entries()) {
      changed.add(keyOfBytes(pair[0]));
      if (pair[1] !== null) yield pair;
    }
  }
  for (const pair of base.entries(section)) {
    if (changed.size === 0 || !changed.has(keyOfBytes(pair[0]))) yield pair;
  }
}
