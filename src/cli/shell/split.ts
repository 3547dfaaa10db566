/** Cuts text into SQL statements, with the state machine of SQLite's `sqlite3_complete` (src/complete.c). */

/** What a token means to the end of a statement. */
const Token = {
  semicolon: 0,
  space: 1,
  other: 2,
  explain: 3,
  create: 4,
  temp: 5,
  trigger: 6,
  end: 7,
};

const START = 1;

/** Next state by state and token; inside a trigger only `; END ;` ends the statement. */
const NEXT: readonly (readonly number[])[] = [
  [1, 0, 2, 3, 4, 2, 2, 2],
  [1, 1, 2, 3, 4, 2, 2, 2],
  [1, 2, 2, 2, 2, 2, 2, 2],
  [1, 3, 3, 2, 4, 2, 2, 2],
  [1, 4, 2, 2, 2, 4, 5, 2],
  [6, 5, 5, 5, 5, 5, 5, 5],
  [6, 6, 5, 5, 5, 5, 5, 7],
  [1, 7, 5, 5, 5, 5, 5, 5],
];

const WORDS: { readonly [word: string]: number } = {
  explain: Token.explain,
  create: Token.create,
  temp: Token.temp,
  temporary: Token.temp,
  trigger: Token.trigger,
  end: Token.end,
};

/** Complete statements, and what is left behind the last one. */
export interface SplitText {
  /** With their semicolons, trimmed; comments alone are none. */
  readonly statements: readonly string[];
  /** Not ended yet; empty when nothing but space and comments is left. */
  readonly rest: string;
}

/**
 * Splits text at the semicolons that end statements.
 *
 * @example
 * splitStatements("SELECT ';'; SELECT"); // { statements: ["SELECT ';';"], rest: 'SELECT' }
 */
export function splitStatements(text: string): SplitText {
  const statements: string[] = [];
  let state = START;
  let begin = 0;
  let at = 0;
  let openComment = false;
  while (at < text.length) {
    const end = tokenEnd(text, at);
    openComment = text.startsWith('/*', at) && !text.slice(at + 2, end).endsWith('*/');
    const token = tokenKind(text, at, end);
    const before = state;
    state = NEXT[state]![token]!;
    at = end;
    if (token !== Token.semicolon || state !== START) continue;
    if (before !== START) statements.push(text.slice(begin, at).trim());
    begin = at;
  }
  // An open comment goes on in the next line, even where nothing else has begun.
  return { statements, rest: state !== START || openComment ? text.slice(begin).trim() : '' };
}

function tokenKind(text: string, at: number, end: number): number {
  const char = text[at]!;
  if (char === ';') return Token.semicolon;
  if (/\s/.test(char) || text.startsWith('--', at) || text.startsWith('/*', at)) return Token.space;
  return WORDS[text.slice(at, end).toLowerCase()] ?? Token.other;
}

function tokenEnd(text: string, at: number): number {
  const char = text[at]!;
  switch (char) {
    case "'":
    case '"':
    case '`':
      return after(text, char, at + 1);
    case '[':
      return after(text, ']', at + 1);
    case '-':
      return text[at + 1] === '-' ? after(text, '\n', at + 2) : at + 1;
    case '/':
      return text[at + 1] === '*' ? after(text, '*/', at + 2) : at + 1;
    default: {
      const word = /[\w$\u0080-\uffff]+/y;
      word.lastIndex = at;
      return word.test(text) ? word.lastIndex : at + 1;
    }
  }
}

function after(text: string, mark: string, from: number): number {
  const found = text.indexOf(mark, from);
  return found < 0 ? text.length : found + mark.length;
}
