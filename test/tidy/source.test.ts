/** The scanner that the other tidy tests stand on. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are texts about templates
import { describe, expect, test } from 'vitest';
import { importsOf, parseSource } from './source.ts';

function codeOf(text: string): string {
  return parseSource('x.ts', text).code.replace(/ +/g, ' ').trim();
}

describe('the scanner', () => {
  test.each([
    ["a('Date.now') // Date.now", "a(' ')"],
    ['a /* Date */ + b', 'a + b'],
    ["'it\\'s' + Date", "' ' + Date"],
    ['`x ${Date.now() + `y ${z} Math`} Math`', '` ${Date.now() + ` ${z} `} `'],
    ['`${ {a: {b: 1}} }` + c', '`${ {a: {b: 1}} }` + c'],
    ['const r = /[/"]Date/g; x', 'const r = / /g; x'],
    ['a / b / Date', 'a / b / Date'],
    ['(a) / 2 // c', '(a) / 2'],
    ['return /Date/.test(x)', 'return / /.test(x)'],
    ['#!/usr/bin/env node\nx', 'x'],
    ['"a" /* "b */ + \'c\'', '" " + \' \''],
  ])('%s', (text, code) => {
    expect(codeOf(text)).toBe(code);
  });

  test('comments stand alone, at their places', () => {
    const text = 'a // see\n`//no`';
    expect(parseSource('x.ts', text).comments).toBe('  // see\n      ');
  });
});

test('imports: values, types, side effects, re-exports, dynamic ones', () => {
  const text = [
    "import { a, type B } from './a.ts';",
    "import type { C } from './c.ts';",
    "import { type D, type E } from './d.ts';",
    "import './side.ts';",
    "export { f } from './f.ts';",
    "export type { G } from './g.ts';",
    "export * from './h.ts';",
    "const i = await import('./i.ts');",
    "import * as j from './j.ts';",
    "import k, {\n  l,\n} from 'k';",
    'const text = "import { no } from \'./no.ts\'";',
    "// import { no } from './no.ts'",
    "export const x = 'no';",
    'import m = from;',
  ].join('\n');
  expect(importsOf(parseSource('x.ts', text))).toEqual([
    { specifier: './a.ts', typeOnly: false, line: 1 },
    { specifier: './c.ts', typeOnly: true, line: 2 },
    { specifier: './d.ts', typeOnly: true, line: 3 },
    { specifier: './side.ts', typeOnly: false, line: 4 },
    { specifier: './f.ts', typeOnly: false, line: 5 },
    { specifier: './g.ts', typeOnly: true, line: 6 },
    { specifier: './h.ts', typeOnly: false, line: 7 },
    { specifier: './i.ts', typeOnly: false, line: 8 },
    { specifier: './j.ts', typeOnly: false, line: 9 },
    { specifier: 'k', typeOnly: false, line: 10 },
  ]);
});
