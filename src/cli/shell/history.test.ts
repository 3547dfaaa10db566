import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HISTORY_LINES, historyFile, isWorthKeeping, loadHistory, saveHistory } from './history.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'quorlite-history-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('comes back, the newest first, bounded, for its owner alone', () => {
  const file = join(folder, 'history');
  writeFileSync(file, 'SELECT 0;\n', { mode: 0o644 });
  const lines = Array.from({ length: HISTORY_LINES + 5 }, (_, i) => `SELECT ${i};`);
  saveHistory(file, lines);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(loadHistory(file)).toEqual(lines.slice(0, HISTORY_LINES));
  saveHistory(join(folder, 'new'), lines);
  expect(statSync(join(folder, 'new')).mode & 0o777).toBe(0o600);
});

test.each([
  '.auth the token',
  '  .token x',
  "PRAGMA key = 'x'",
  "pragma main.rekey='x';",
  'PRAGMA hexkey = 00',
  "UPDATE users SET password = 'x';",
  "ALTER USER u IDENTIFIED BY 'x'",
  "INSERT INTO secrets VALUES ('x')",
  '-- Authorization: Bearer abc',
  ' SELECT 1;',
  '',
  `SELECT '${'x'.repeat(5000)}';`,
])('%j is not kept', (line) => {
  const file = join(folder, 'history');
  saveHistory(file, [line, 'SELECT 1;']);
  expect(readFileSync(file, 'utf8')).toBe('SELECT 1;\n');
  writeFileSync(file, `${line}\nSELECT 2;\n`);
  expect(loadHistory(file)).toEqual(['SELECT 2;']);
});

test.each(['PRAGMA foreign_key_list(t);', 'SELECT key FROM t;', '.tables', "SELECT 'token';"])(
  '%j is kept',
  (line) => expect(isWorthKeeping(line)).toBe(true),
);

test('may be somewhere else, or nowhere', () => {
  expect(historyFile({ QUORLITE_HISTORY: '/x/y' })).toBe('/x/y');
  expect(historyFile({ QUORLITE_HISTORY: '' })).toBeNull();
  expect(historyFile({})).toMatch(/\.quorlite_history$/);
  saveHistory(null, ['SELECT 1']);
  saveHistory(join(folder, 'no such folder', 'history'), ['SELECT 1']);
  expect(loadHistory(null)).toEqual([]);
  expect(loadHistory(join(folder, 'none'))).toEqual([]);
});
