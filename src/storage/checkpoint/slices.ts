/** Runs work that a generator cuts into slices. */
import type { FileError, FileHandle } from '../../platform/files.ts';

/** How the next slice is scheduled. */
export type Slice = (work: () => void) => void;

/**
 * Runs `work` to its end, a step per slice; a yielded handle is synced on a thread before the next step. Calls `done`
 * once with what the work returned or threw.
 */
export function runInSlices<T>(
  work: Generator<FileHandle | void, T>,
  slice: Slice,
  done: (error: unknown, result: T | null) => void,
): void {
  function step(failure: FileError | null): void {
    let next: IteratorResult<FileHandle | void, T>;
    try {
      next = failure === null ? work.next() : work.throw(failure);
    } catch (error) {
      done(error, null);
      return;
    }
    if (next.done === true) done(null, next.value);
    else if (next.value === undefined) slice(() => step(null));
    else next.value.syncAsync(step);
  }
  step(null);
}
