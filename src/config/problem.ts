/** Configuration errors: one code, what is wrong, where the value came from, what to do. */
import { QuorliteError } from '../wire/error.ts';

/** Where values came from, by key: `flag --sync`, `environment QUORLITE_SYNC`, `quorlite.toml:12`. */
export type Origins = { readonly [key: string]: string };

/** A `CONFIG_INVALID` about `key`; the origin, when known, is part of the message. */
export function configError(
  key: string,
  problem: string,
  options: { readonly origins?: Origins | undefined; readonly hint?: string | undefined } = {},
): QuorliteError {
  const origin = options.origins?.[key];
  const from = origin === undefined ? '' : ` (from ${origin})`;
  // A problem of one member of a table begins with its name: `limits.maxNesting must …`.
  const subject = problem.startsWith('.') ? key : `${key} `;
  return new QuorliteError('CONFIG_INVALID', `${subject}${problem}${from}`, { hint: options.hint });
}
