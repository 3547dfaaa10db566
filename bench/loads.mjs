/**
 * How much a comparison runs. Compilers and caches are warm before anything is measured, in every process, and each
 * measured loop is long enough for its garbage to be collected in it: short runs say more about the compiler than about
 * the program.
 */

/** Unmeasured loops: outstanding calls, calls. */
export const WARM_UP = [
  [4, 25_000],
  [64, 100_000],
  [256, 100_000],
];

/** Measured loops: outstanding calls, calls. */
export const MEASURED = [
  [1, 3000],
  [4, 12_000],
  [16, 40_000],
  [64, 100_000],
  [256, 200_000],
];
