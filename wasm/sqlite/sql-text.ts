/** The little of SQL's grammar that must be known before SQLite sees a text: tokens, and what they begin. */

/** A token: its class and where it stands in the text. */
export interface Token {
  readonly kind: 'word' | 'string' | 'variable' | 'number' | 'semicolon' | 'symbol';
  readonly start: number;
  readonly end: number;
}

const SPACE = /[ \t\n\f\r\ufeff]/;
const WORD_START = /[A-Za-z_\u0080-\uffff]/;
const WORD_PART = /[A-Za-z0-9_$\u0080-\uffff]/;
const DIGIT = /[0-9]/;

/** Skips white space and comments from `at`. An unterminated block comment reaches to the end, as in SQLite. */
export function skipBlank(sql: string, at: number): number {
  for (;;) {
    const char = sql[at];
    if (char === undefined) return at;
    if (SPACE.test(char)) {
      at++;
    } else if (char === '-' && sql[at + 1] === '-') {
      const end = sql.indexOf('\n', at);
      if (end < 0) return sql.length;
      at = end + 1;
    } else if (char === '/' && sql[at + 1] === '*') {
      const end = sql.indexOf('*/', at + 2);
      if (end < 0) return sql.length;
      at = end + 2;
    } else {
      return at;
    }
  }
}

/** The token at or behind `at`, or null at the end. */
export function nextToken(sql: string, at: number): Token | null {
  const start = skipBlank(sql, at);
  const char = sql[start];
  if (char === undefined) return null;
  if (char === ';') return { kind: 'semicolon', start, end: start + 1 };
  if (char === "'" || char === '"' || char === '`' || char === '[') {
    return { kind: 'string', start, end: endOfQuoted(sql, start) };
  }
  if (char === '?' || char === ':' || char === '@' || char === '$') {
    return { kind: 'variable', start, end: endOfWord(sql, start + 1) };
  }
  if (WORD_START.test(char)) return { kind: 'word', start, end: endOfWord(sql, start + 1) };
  if (DIGIT.test(char)) return { kind: 'number', start, end: endOfWord(sql, start + 1) };
  return { kind: 'symbol', start, end: start + 1 };
}

function endOfQuoted(sql: string, start: number): number {
  const quote = sql[start] === '[' ? ']' : sql[start]!;
  for (let at = start + 1; ; at += 2) {
    at = sql.indexOf(quote, at);
    if (at < 0) return sql.length;
    if (quote === ']' || sql[at + 1] !== quote) return at + 1;
  }
}

function endOfWord(sql: string, at: number): number {
  while (at < sql.length && WORD_PART.test(sql[at]!)) at++;
  return at;
}

/** Whether only white space, comments and semicolons stand from `at` on. */
export function isBlank(sql: string, at: number): boolean {
  for (let token = nextToken(sql, at); token !== null; token = nextToken(sql, token.end)) {
    if (token.kind !== 'semicolon') return false;
  }
  return true;
}

/**
 * How many generated columns the CREATE TABLE or ALTER TABLE at `from` may define: each has `AS (`. A `CREATE TABLE …
 * AS SELECT` has none.
 */
export function generatedColumns(sql: string, from: number): number {
  const words = leadingWords(sql, from, 7);
  if (words[1] !== 'TABLE' || (words[0] !== 'CREATE' && words[0] !== 'ALTER')) return 0;
  if (words[0] === 'CREATE' && words.indexOf('AS', 3) > 0) return 0;
  let found = 0;
  let after = false;
  for (let token = nextToken(sql, from); token !== null; token = nextToken(sql, token.end)) {
    if (token.kind === 'semicolon' && found > 0) return found;
    if (after && sql[token.start] === '(') found++;
    after = token.kind === 'word' && token.end - token.start === 2 && isAs(sql, token.start);
  }
  return found;
}

function isAs(sql: string, at: number): boolean {
  return sql.slice(at, at + 2).toUpperCase() === 'AS';
}

/** How many parameters with a name `sql` has at most: texts inside quotes are counted too. */
export function namedParametersAtMost(sql: string): number {
  let found = 0;
  for (const _ of sql.matchAll(/[:@$#][\w$\u0080-\uffff]/g)) found++;
  return found;
}

/** Offset of the first semicolon from `at` on, or of the end of the text. */
export function statementEnd(sql: string, at: number): number {
  let token = nextToken(sql, at);
  while (token !== null && token.kind !== 'semicolon') token = nextToken(sql, token.end);
  return token === null ? sql.length : token.start;
}

/** The first `count` words of the statement at `at`, upper case, without a leading EXPLAIN [QUERY PLAN]. */
export function leadingWords(sql: string, at: number, count: number): string[] {
  const words: string[] = [];
  let token = nextToken(sql, at);
  while (token?.kind === 'semicolon') token = nextToken(sql, token.end);
  for (; token !== null && words.length < count + 3; token = nextToken(sql, token.end)) {
    if (token.kind !== 'word' && token.kind !== 'string') break;
    words.push(sql.slice(token.start, token.end).toUpperCase());
  }
  if (words[0] === 'EXPLAIN') words.splice(0, words[1] === 'QUERY' && words[2] === 'PLAN' ? 3 : 1);
  return words.slice(0, count);
}
