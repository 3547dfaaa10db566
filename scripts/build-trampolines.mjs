/**
 * Assembles `wasm/sqlite/trampolines.wat` into `trampolines.wasm` beside it. Run after every change of the text; a
 * test compares the two.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import createWabt from 'wabt';

const source = new URL('../wasm/sqlite/trampolines.wat', import.meta.url);
const target = new URL('../wasm/sqlite/trampolines.wasm', import.meta.url);

/** The bytes that the text assembles to. */
export async function assembleTrampolines() {
  const wabt = await createWabt();
  const module = wabt.parseWat('trampolines.wat', readFileSync(source, 'utf8'));
  try {
    module.validate();
    return new Uint8Array(module.toBinary({}).buffer);
  } finally {
    module.destroy();
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const bytes = await assembleTrampolines();
  writeFileSync(target, bytes);
  console.log(`trampolines.wasm: ${bytes.length} bytes`);
}
