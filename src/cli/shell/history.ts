/** What was typed before, kept in a file of the user's own. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Lines kept. */
export const HISTORY_LINES = 1000;
/** Longest line kept, UTF-16 units: what was pasted as a whole is found elsewhere. */
export const HISTORY_LINE_UNITS = 4096;

/** Dot commands and PRAGMAs of SQLite shells that take a key, and words that stand beside secrets (as in MySQL's shell). */
const SECRETS =
  /^\s*\.(auth|login|token)\b|\bpragma\s+(\w+\.)?(hex|text)?(re)?key\b|password|passwd|passphrase|secret|\bidentified\s+by\b|\bbearer\s/i;

/** Whether a line may be written down: it holds no secret, as far as can be told, and does not begin with a space. */
export function isWorthKeeping(line: string): boolean {
  return line.length <= HISTORY_LINE_UNITS && /^\S/.test(line) && !SECRETS.test(line);
}

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
    return lines.filter(isWorthKeeping).slice(-HISTORY_LINES).reverse();
  } catch {
    // None yet, or not ours to read: the shell works without.
    return [];
  }
}

/** Writes the history, readable by its owner only. A folder that cannot be written is no reason to fail. */
export function saveHistory(file: string | null, newestFirst: readonly string[]): void {
  if (file === null) return;
  const lines = newestFirst.filter(isWorthKeeping).slice(0, HISTORY_LINES).reverse();
  try {
    writeFileSync(file, lines.map((line) => `${line}\n`).join(''), { mode: 0o600 });
    // The mode above is that of a new file.
    chmodSync(file, 0o600);
  } catch {
    // The history is a convenience.
  }
}
