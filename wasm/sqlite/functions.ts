/** SQL functions of ours. They take the place of built-in ones by name and number of arguments. */
import type { Pointer } from './exports.ts';
import type { Instance } from './instance.ts';
import { createLinearFunctions } from './linear.ts';
import type { LinkedInstance } from './linked.ts';

/** A function as the trampoline calls it: results go through `sqlite3_result_*`. */
export type SqlFunction = (context: Pointer, argc: number, argv: Pointer) => void;

const UTF8 = 1;
const DETERMINISTIC = 0x800;
const INNOCUOUS = 0x200000;

/** Names and argument counts, in the order of `createFunctions`. */
const SIGNATURES: readonly (readonly [name: string, args: number, flags: number])[] = [
  ['total_changes', 0, INNOCUOUS],
  ['instr', 2, DETERMINISTIC | INNOCUOUS],
  ['replace', 3, DETERMINISTIC | INNOCUOUS],
  ['trim', 2, DETERMINISTIC | INNOCUOUS],
  ['ltrim', 2, DETERMINISTIC | INNOCUOUS],
  ['rtrim', 2, DETERMINISTIC | INNOCUOUS],
  ['unhex', 2, DETERMINISTIC | INNOCUOUS],
];

/**
 * The implementations for one instance. `total_changes()` counts the rows that the command changed: the connection's
 * own count would tell how long this replica has been running (C6).
 */
export function createFunctions(linked: LinkedInstance, totalChanges: () => number): SqlFunction[] {
  const { instance } = linked;
  return [
    (context) => instance.x.sqlite3_result_int(context, totalChanges()),
    ...createLinearFunctions(linked),
  ];
}

/** Makes the functions known to a connection. */
export function registerFunctions(instance: Instance, db: Pointer): void {
  SIGNATURES.forEach(([name, args, flags], number) => {
    const { pointer } = instance.allocateText(name);
    instance.x.sqlite3_create_function_v2(
      db,
      pointer,
      args,
      UTF8 | flags,
      number,
      instance.callback('function'),
      0,
      0,
      0,
    );
    instance.x.free(pointer);
  });
}
