/** What one check of `quorlite doctor` says. */

/** How it went: a warning is worth knowing, a failure keeps a node from running well or at all. */
export type CheckStatus = 'ok' | 'warn' | 'fail';

/** One finding. */
export interface Finding {
  readonly name: string;
  readonly status: CheckStatus;
  /** What was found, with numbers. */
  readonly detail: string;
  /** What to do about it. */
  readonly fix?: string | undefined;
}

/** A finding in one call. */
export function finding(
  name: string,
  status: CheckStatus,
  detail: string,
  fix?: string | undefined,
): Finding {
  return { name, status, detail, ...(fix === undefined ? {} : { fix }) };
}

/** What an error says, in a line. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
