/**
 * Assembles the WebAssembly texts of the engines into the modules beside them: `wasm/sqlite/trampolines.wat` and
 * `wasm/sqljs/bridge.wat`. Run after every change of a text; tests compare the two.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import createWabt from 'wabt';

const TEXTS = ['sqlite/trampolines.wat', 'sqljs/bridge.wat'];

/** The bytes that a text assembles to; `name` is its path in `wasm`. */
export async function assemble(name) {
  const wabt = await createWabt();
  const text = readFileSync(new URL(`../wasm/${name}`, import.meta.url), 'utf8');
  const module = wabt.parseWat(name, text, { sat_float_to_int: true });
  try {
    module.validate();
    return new Uint8Array(module.toBinary({}).buffer);
  } finally {
    module.destroy();
  }
}

/** The bytes of the trampolines. */
export function assembleTrampolines() {
  return assemble('sqlite/trampolines.wat');
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const name of TEXTS) {
    const bytes = await assemble(name);
    const target = new URL(`../wasm/${name.replace(/wat$/, 'wasm')}`, import.meta.url);
    writeFileSync(target, bytes);
    console.log(`${name}: ${bytes.length} bytes`);
  }
}
