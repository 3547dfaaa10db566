/**
 * The little of SQL's text that decides how a statement is run: its first words, past white space and comments. SQLite
 * itself does all parsing.
 */

/** Maintenance that SQLite's authorizer refuses to users and that is run with privilege. */
export type Maintenance = 'analyze' | 'optimize' | 'reindex' | 'vacuum';

const SPACE = /[\s\ufeff]/;
const WORD_PART = /[\w$\u0080-\uffff]/;
const QUOTES: { readonly [open: string]: string } = { "'": "'", '"': '"', '`': '`', '[': ']' };

/** The end of white space, comments and (when `semicolons`) empty statements from `at` on. */
export function skipBlank(sql: string, at: number, semicolons = false): number {
  for (;;) {
    const char = sql[at];
    if (char === undefined) return at;
    if (SPACE.test(char) || (semicolons && char === ';')) {
      at++;
    } else if (sql.startsWith('--', at)) {
      at = endOf(sql, '\n', at);
    } else if (sql.startsWith('/*', at)) {
      at = endOf(sql, '*/', at + 2);
    } else {
      return at;
    }
  }
}

function endOf(sql: string, what: string, at: number): number {
  const found = sql.indexOf(what, at);
  return found < 0 ? sql.length : found + what.length;
}

/** The end of the token at `at`, which is not blank. Names in quotes and strings are one token. */
function endOfToken(sql: string, at: number): number {
  const close = QUOTES[sql[at]!];
  if (close !== undefined) {
    for (let end = at + 1; ; end += 2) {
      end = sql.indexOf(close, end);
      if (end < 0) return sql.length;
      if (close === ']' || sql[end + 1] !== close) return end + 1;
    }
  }
  if (!WORD_PART.test(sql[at]!)) return at + 1;
  let end = at + 1;
  while (end < sql.length && WORD_PART.test(sql[end]!)) end++;
  return end;
}

/** The first `count` tokens of the statement at `from`, upper case, without quotes around names. */
export function firstTokens(sql: string, from: number, count: number): string[] {
  const tokens: string[] = [];
  for (let at = skipBlank(sql, from, true); at < sql.length && tokens.length < count; ) {
    const end = endOfToken(sql, at);
    const token = sql.slice(at, end);
    if (token === ';') break;
    tokens.push((QUOTES[token[0]!] === undefined ? token : token.slice(1, -1)).toUpperCase());
    at = skipBlank(sql, end);
  }
  return tokens;
}

/** Which maintenance the statement at `from` is, or null. */
export function maintenanceOf(sql: string, from: number = 0): Maintenance | null {
  const [first, second, third, fourth] = firstTokens(sql, from, 4);
  switch (first) {
    case 'ANALYZE':
      return 'analyze';
    case 'REINDEX':
      return 'reindex';
    case 'VACUUM':
      return 'vacuum';
    case 'PRAGMA':
      return (third === '.' ? fourth : second) === 'OPTIMIZE' ? 'optimize' : null;
    default:
      return null;
  }
}

/** Whether the statement names a conflict clause that ends the transaction or leaves rows: `OR ROLLBACK`, `OR FAIL`. */
export function isRedoProne(sql: string, from: number = 0): boolean {
  const [first, or, clause] = firstTokens(sql, from, 3);
  if (first !== 'INSERT' && first !== 'UPDATE') return false;
  return or === 'OR' && (clause === 'FAIL' || clause === 'ROLLBACK');
}

/** A statement `PRAGMA foreign_keys = …`: where it ends and what it sets; null when the one at `from` is another. */
export function foreignKeysPragma(
  sql: string,
  from: number,
): { readonly enabled: boolean; readonly end: number } | null {
  const tokens = firstTokens(sql, from, 7);
  if (tokens[0] !== 'PRAGMA') return null;
  const at = tokens[2] === '.' ? 3 : 1;
  if (tokens[at] !== 'FOREIGN_KEYS') return null;
  const sign = tokens[at + 1];
  const value = tokens[at + 2];
  if ((sign !== '=' && sign !== '(') || value === undefined) return null;
  return { enabled: !OFF.has(value), end: endOfStatement(sql, from) };
}

const OFF: ReadonlySet<string> = new Set(['OFF', 'FALSE', 'NO', '0']);

/**
 * The offset behind the statement at `from`, its semicolon included. The body of a trigger holds semicolons of its own;
 * it ends with `;` `END` `;`, as in `sqlite3_complete`.
 */
export function endOfStatement(sql: string, from: number): number {
  const head = firstTokens(sql, from, 5).filter((token) => !BEFORE_TRIGGER.has(token));
  const trigger = head[0] === 'TRIGGER';
  let tail = '';
  for (let at = skipBlank(sql, from, true); at < sql.length; at = skipBlank(sql, at)) {
    const end = endOfToken(sql, at);
    if (sql[at] === ';') {
      if (!trigger || tail === ';END') return end;
      tail = ';';
    } else {
      tail = tail === ';' && sql.slice(at, end).toUpperCase() === 'END' ? ';END' : '';
    }
    at = end;
  }
  return sql.length;
}

const BEFORE_TRIGGER: ReadonlySet<string> = new Set(['EXPLAIN', 'CREATE', 'TEMP', 'TEMPORARY']);

/** Whether a plain `?` stands in the text, outside strings and comments. */
export function hasPlainParameter(sql: string): boolean {
  for (let at = skipBlank(sql, 0); at < sql.length; at = skipBlank(sql, at)) {
    const end = endOfToken(sql, at);
    if (sql[at] === '?' && !(sql[end] !== undefined && /\d/.test(sql[end]))) return true;
    at = end;
  }
  return false;
}
