/**
 * SQLite's own functions that may look at one large value for long without allocating anything: `v LIKE '%aaa…b'` on
 * 2 MB takes more than a second, and a thousand of them are one step. A trampoline takes the place of each: it charges
 * the bytes to the budget and calls the original, so that results and optimizations stay SQLite's.
 *
 * SQLite has no call for this; its definitions of functions are found in memory, once for a module, and checked.
 */
import { assert } from '../../src/wire/assert.ts';
import { WORD } from './control.ts';
import type { Pointer } from './exports.ts';
import type { Instance } from './instance.ts';

/** Trampolines in the order of the words from `WORD.wrapped`, with the functions that they stand for. */
const WRAPPED: readonly (readonly [trampoline: string, names: readonly string[]])[] = [
  ['like', ['like', 'glob']],
  ['wrapped0', ['length']],
  ['wrapped1', ['substr', 'substring']],
  ['wrapped2', ['json_extract', '->', '->>']],
  ['wrapped3', ['json_type']],
  ['wrapped4', ['json_array_length']],
  ['wrapped5', ['json_valid']],
];

/** Bytes from a definition's beginning (`struct FuncDef`) to its argument count, function, and name. */
const DEFINITION = { arguments: 0, call: 16, name: 32, bytes: 40 } as const;
const ARGUMENTS_MAX = 4;

/** Addresses of the definitions behind each trampoline, and the place of the original in the function table. */
export interface WrappedFunction {
  readonly trampoline: string;
  readonly original: number;
  readonly definitions: readonly Pointer[];
}

/** Finds the definitions in a fresh instance. */
export function findWrapped(instance: Instance): WrappedFunction[] {
  // A character for each byte: searching a text is a hundred times faster than a loop of ours over bytes.
  const text = new TextDecoder('latin1').decode(instance.u8.subarray(0, instance.staticBytes));
  return WRAPPED.map(([trampoline, names]) => {
    const definitions = names.flatMap((name) => findDefinitions(instance, name, text));
    const original = instance.i32[(definitions[0]! + DEFINITION.call) >> 2]!;
    for (const at of definitions) {
      const call = instance.i32[(at + DEFINITION.call) >> 2];
      assert(call === original, () => `the functions behind ${trampoline} differ`);
    }
    return { trampoline, original, definitions };
  });
}

/** Puts the trampolines in place. */
export function installWrapped(instance: Instance, wrapped: readonly WrappedFunction[]): void {
  wrapped.forEach(({ trampoline, original, definitions }, i) => {
    instance.setWord(WORD.wrapped + i, original);
    const index = instance.callback(trampoline);
    for (const at of definitions) {
      const word = (at + DEFINITION.call) >> 2;
      assert(instance.i32[word] === original, () => `${trampoline} is not where it was`);
      instance.i32[word] = index;
    }
  });
}

/** Addresses of all definitions with this name: a pointer to the name where it belongs, and a sane rest. */
function findDefinitions(instance: Instance, name: string, text: string): Pointer[] {
  const words = instance.i32.subarray(0, text.length >> 2);
  const found: Pointer[] = [];
  for (const place of findAll((from) => text.indexOf(`${name}\0`, from))) {
    for (const word of findAll((from) => words.indexOf(place, from))) {
      const at = word * 4 - DEFINITION.name;
      if (at < 0 || at + DEFINITION.bytes > text.length) continue;
      const count = (words[(at + DEFINITION.arguments) >> 2]! << 16) >> 16;
      const call = words[(at + DEFINITION.call) >> 2]!;
      if (count >= -1 && count <= ARGUMENTS_MAX && call > 0 && call < instance.tableLength) {
        found.push(at);
      }
    }
  }
  assert(found.length > 0, () => `SQLite has no function ${name}`);
  return found;
}

/** Every place that `find`, which looks from a place on, comes to. */
function findAll(find: (from: number) => number): number[] {
  const found: number[] = [];
  for (let at = find(0); at >= 0; at = find(at + 1)) found.push(at);
  return found;
}
