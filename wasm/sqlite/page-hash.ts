/** The page hash outside an engine: to check pages that come from a disk or a peer against their recorded hashes. */
import { assert } from '../../src/wire/assert.ts';
import { PAGE_SIZE, type PageHasher } from '../page-store.ts';
import type { TrampolineExports } from './exports.ts';

const NO_FUNCTIONS: WebAssembly.TableDescriptor = { element: 'anyfunc', initial: 1 };

/**
 * Makes a hasher from the trampolines alone.
 *
 * @example
 * const hash = createPageHasher(trampolines);
 * const { lo, hi } = hash(1, pin.page(1));
 */
export function createPageHasher(trampolines: WebAssembly.Module): PageHasher {
  const memory = new WebAssembly.Memory({ initial: 128, maximum: 128 });
  const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const { module, name, kind } of WebAssembly.Module.imports(trampolines)) {
    const group = (imports[module] ??= {});
    if (kind === 'memory') group[name] = memory;
    else if (kind === 'table') group[name] = new WebAssembly.Table(NO_FUNCTIONS);
    else if (kind === 'global') group[name] = new WebAssembly.Global({ value: 'i32' }, 0);
    else group[name] = () => 0;
  }
  const { exports } = new WebAssembly.Instance(trampolines, imports);
  const { pageHash } = exports as unknown as TrampolineExports;
  const at = new Uint8Array(memory.buffer, 0, PAGE_SIZE);
  const halves = new Int32Array(memory.buffer, PAGE_SIZE, 2);
  return (page, bytes) => {
    assert(bytes.length === PAGE_SIZE, () => `a page of ${bytes.length} bytes was hashed`);
    at.set(bytes);
    pageHash(0, PAGE_SIZE, (page - 1) * PAGE_SIZE, PAGE_SIZE);
    return { lo: halves[0]!, hi: halves[1]! };
  };
}
