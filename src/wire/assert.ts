/** Assertions stay on in production: a broken invariant stops the node, loudly. */

/** Thrown by `assert`; a node that sees one stops. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/**
 * Throws `AssertionError` unless `condition` holds. `message` may be a function, so that a hot path pays nothing.
 *
 * @example
 * assert(index > commit, () => `truncating at ${index}, but ${commit} is committed`);
 */
export function assert(condition: unknown, message: string | (() => string)): asserts condition {
  if (!condition) throw new AssertionError(typeof message === 'function' ? message() : message);
}

/** Returns `value`, which must be neither null nor undefined. */
export function must<T>(value: T | null | undefined, message = 'a value must be present'): T {
  if (value === null || value === undefined) throw new AssertionError(message);
  return value;
}

/** Ends an exhaustive `switch`. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${JSON.stringify(value)}`);
}
