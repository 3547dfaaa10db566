/** Checking a command before it is proposed, so that its sender learns at once. Never needed for safety. */
import { QuorliteError } from '../wire/error.ts';
import { decodeOperation } from '../wire/operation.ts';
import type { ClusterSettings } from './settings.ts';

/** Throws `BAD_REQUEST` for what is malformed, `ENTRY_TOO_LARGE` for what no entry can hold. */
export function validateOperation(body: Uint8Array, settings: ClusterSettings): void {
  if (body.length > settings.entryBytes) {
    throw new QuorliteError(
      'ENTRY_TOO_LARGE',
      `the operation has ${body.length} bytes, an entry holds ${settings.entryBytes}`,
    );
  }
  decodeOperation(body);
}
