/** The control block: words that the trampolines and JavaScript share. `trampolines.wat` has the same list. */

/** Bytes of the control block. */
export const CONTROL_BYTES = 128;

/** Indexes of 32-bit words, counted from the block's address divided by 4. */
export const WORD = {
  armed: 0,
  remaining: 1,
  interrupted: 2,
  ask: 3,
  heapUsed: 4,
  heapLimit: 5,
  heapPeak: 6,
  heapRefused: 7,
  heapFailed: 8,
  epoch: 10,
  bytes: 12,
  header: 14,
  authMask: 18,
  stackLimit: 20,
  tooDeep: 21,
  stackFloor: 22,
  wrapped: 23,
  chargeRest: 30,
} as const;

/** Value of `armed` while a statement is compiled: the planner's ticks count, memory does not. */
export const TICKS_ONLY = 2;

/** No heap limit: the largest unsigned word. */
export const NO_HEAP_LIMIT = -1;
