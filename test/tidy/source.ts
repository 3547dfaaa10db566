/** Reads sources for the tidy tests: files, and what in them is code, comment or string. */
import { type Dirent, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the package. */
export const ROOT: string = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** One source file, taken apart. All three texts have the length of the source: offsets and lines agree. */
export interface Source {
  /** Relative to the package, with slashes. */
  readonly path: string;
  readonly text: string;
  /** Comments and the insides of strings and regular expressions are blank. */
  readonly code: string;
  /** Everything but comments is blank. */
  readonly comments: string;
}

/** An import or a re-export. */
export interface ImportedModule {
  readonly specifier: string;
  /** Only types: nothing of it exists at run time. */
  readonly typeOnly: boolean;
  readonly line: number;
}

const SKIPPED = new Set(['node_modules', 'dist', 'fixtures', '.git', 'data', 'coverage']);

/** All files below `folders` that `matches` accepts, sorted. */
export function listFiles(
  folders: readonly string[],
  matches: (path: string) => boolean = (path) => path.endsWith('.ts'),
): string[] {
  const found: string[] = [];
  function walk(folder: string): void {
    let entries: Dirent[];
    try {
      entries = readEntries(folder);
    } catch {
      return; // A room that does not exist yet.
    }
    for (const entry of entries) {
      if (SKIPPED.has(entry.name)) continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) walk(path);
      else {
        const name = relative(ROOT, path).split(sep).join('/');
        if (matches(name)) found.push(name);
      }
    }
  }
  for (const folder of folders) walk(join(ROOT, folder));
  return found.sort();
}

function readEntries(folder: string): Dirent[] {
  return readdirSync(folder, { withFileTypes: true });
}

/** Reads and takes apart one file. */
export function readSource(path: string): Source {
  return parseSource(path, readFileSync(join(ROOT, path), 'utf8'));
}

/** Takes a text apart. */
export function parseSource(path: string, text: string): Source {
  const code = text.split('');
  const comments = Array.from(text, (char) => (char === '\n' ? '\n' : ' '))
    .join('')
    .split('');
  for (const { kind, from, to } of scan(text)) {
    for (let at = from; at < to; at++) {
      if (text[at] === '\n') continue;
      if (kind === 'comment') comments[at] = text[at]!;
      code[at] = ' ';
    }
  }
  return { path, text, code: code.join(''), comments: comments.join('') };
}

/** Number of the line that holds `offset`, from 1. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) line++;
  return line;
}

/** Imports and re-exports of a file, dynamic ones included. */
export function importsOf(source: Source): ImportedModule[] {
  const found: ImportedModule[] = [];
  // In `code` the quotes stand, what is between them is blank.
  const pattern =
    /\b(?:(import|export)\s+(type\s+)?((?:[\w$*\s{},]+?)\s*\bfrom\s*)?|import\s*\(\s*)(['"])( *)\4/g;
  for (const match of source.code.matchAll(pattern)) {
    const [whole, keyword, typeKeyword, clause, , blank] = match;
    if (keyword === 'export' && clause === undefined) continue;
    const end = match.index + whole.length - 1;
    found.push({
      specifier: source.text.slice(end - blank!.length, end),
      typeOnly: typeKeyword !== undefined || (clause !== undefined && onlyTypes(clause)),
      line: lineAt(source.text, match.index),
    });
  }
  return found;
}

/** `{ type A, type B } from`. */
function onlyTypes(clause: string): boolean {
  const braces = /^\s*\{([^}]*)\}\s*from/.exec(clause);
  if (braces === null) return false;
  const names = braces[1]!.split(',').map((name) => name.trim());
  return names.every((name) => name === '' || name.startsWith('type '));
}

interface Span {
  readonly kind: 'comment' | 'string';
  /** Inside of strings: without the quotes. */
  readonly from: number;
  readonly to: number;
}

/** Comments, and insides of strings, templates and regular expressions, in order. */
function* scan(text: string): Generator<Span> {
  /** For each open `${`: how many braces are open inside it. */
  const templates: number[] = [];
  let at = 0;
  /** The last character that is no space or comment, to tell a division from a regular expression. */
  let last = '';
  while (at < text.length) {
    const char = text[at]!;
    const two = text.slice(at, at + 2);
    if (two === '//' || two === '/*' || (at === 0 && two === '#!')) {
      const end = two === '/*' ? text.indexOf('*/', at + 2) + 2 : lineEnd(text, at);
      yield { kind: 'comment', from: at, to: end };
      at = end;
      continue;
    }
    if (char === "'" || char === '"') {
      const end = quoteEnd(text, at + 1, char);
      yield { kind: 'string', from: at + 1, to: end };
      at = end + 1;
      last = char;
      continue;
    }
    if (char === '`' || (char === '}' && templates.at(-1) === 0)) {
      if (char === '}') templates.pop();
      const end = templateEnd(text, at + 1);
      yield { kind: 'string', from: at + 1, to: end };
      if (text[end] === '$') templates.push(0);
      at = end + (text[end] === '$' ? 2 : 1);
      last = text[at - 1]!;
      continue;
    }
    if (char === '/' && beginsRegExp(text, at, last)) {
      const end = regExpEnd(text, at + 1);
      yield { kind: 'string', from: at + 1, to: end };
      at = end + 1;
      last = '/';
      continue;
    }
    if (templates.length > 0 && (char === '{' || char === '}')) {
      templates[templates.length - 1]! += char === '{' ? 1 : -1;
    }
    if (!/\s/.test(char)) last = char;
    at++;
  }
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}

function quoteEnd(text: string, from: number, quote: string): number {
  let at = from;
  while (at < text.length && text[at] !== quote && text[at] !== '\n')
    at += text[at] === '\\' ? 2 : 1;
  return at;
}

/** Offset of the closing backtick or of the `$` of `${`. */
function templateEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && text[at] !== '`' && !text.startsWith('${', at)) {
    at += text[at] === '\\' ? 2 : 1;
  }
  return at;
}

/** A slash after a value divides; after anything else it begins a regular expression. */
function beginsRegExp(text: string, at: number, last: string): boolean {
  if (/[\w$\])}'"`]/.test(last)) {
    const word = /(?:^|[^\w$.])(return|typeof|case|in|of|delete|void|await|yield|else|do)\s*$/;
    return word.test(text.slice(Math.max(0, at - 20), at));
  }
  return true;
}

function regExpEnd(text: string, from: number): number {
  let inClass = false;
  for (let at = from; at < text.length; at++) {
    const char = text[at];
    if (char === '\\') at++;
    else if (char === '[') inClass = true;
    else if (char === ']') inClass = false;
    else if ((char === '/' && !inClass) || char === '\n') return at;
  }
  return text.length;
}
