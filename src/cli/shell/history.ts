/** What was typed before, kept in a file of the user's own. */
import { readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Lines kept. */
export const HISTORY_LINES = 1000;

/** Where the history is: `QUORLITE_HISTORY` (empty: nowhere), else `.quorlite_history` in the home folder. */
export function historyFile(env: { readonly [name: string]: string | undefined }): string | null {
  const named = env['QUORLITE_HISTORY'];
  if (named !== undefined) return named === '' ? null : named;
  return join(homedir(), '.quorlite_history');
}

/** Lines of the history, the newest first, as readline wants them. */
export function loadHistory(file: string | null): string[] {
  if (file === null) return [];
  try {
    const lines = readFileSync(file, 'utf8').split('\n');
    return lines
      .filter((line) => line !== '')
      .slice(-HISTORY_LINES)
      .reverse();
  } catch {
    // None yet, or not ours to read: the shell works without.
    return [];
  }
}

/** Writes the history, readable by its owner only. A folder that cannot be written is no reason to fail. */
export function saveHistory(file: string | null, newestFirst: readonly string[]): void {
  if (file === null) return;
  const lines = newestFirst.slice(0, HISTORY_LINES).reverse();
  try {
    writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 });
  } catch {
    // The history is a convenience.
  }
}
