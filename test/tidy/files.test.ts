/** How files look: length, exports, comments, tests, names. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { lineAt, listFiles, parseSource, ROOT, readSource, type Source } from './source.ts';

const LONG = 400;
const TOO_LONG = 600;

const product = listFiles(['src', 'wasm', 'worker']).filter((path) => !path.endsWith('.test.ts'));
const tests = listFiles(['src', 'wasm', 'worker', 'test']).filter((path) =>
  /\.test\.ts$/.test(path),
);

describe('length', () => {
  const lengths = product.map((path) => ({
    path,
    lines: readSource(path).text.split('\n').length,
  }));

  test(`no file has more than ${TOO_LONG} lines`, () => {
    expect(lengths.filter(({ lines }) => lines > TOO_LONG)).toEqual([]);
  });

  test(`files over ${LONG} lines are named`, () => {
    for (const { path, lines } of lengths.filter((file) => file.lines > LONG)) {
      process.stderr.write(`long file: ${path} has ${lines} lines\n`);
    }
  });
});

describe('names and exports', () => {
  test('files are in kebab-case', () => {
    expect(product.filter((path) => !/^[a-z0-9\-./]+$/.test(path))).toEqual([]);
  });

  test('no default exports', () => {
    const wrong = product.flatMap((path) => find(readSource(path), /\bexport\s+default\b/g));
    // A Worker's module must have one.
    expect(wrong.filter((place) => !place.startsWith('worker/'))).toEqual([]);
  });

  test('every export has a doc comment', () => {
    expect(product.flatMap((path) => undocumented(readSource(path)))).toEqual([]);
  });
});

describe('tests', () => {
  test('none is picked out, postponed or repeated until it passes', () => {
    const pattern = /\b(?:test|it|describe)\s*\.\s*(?:only|todo)\b|\bretry\s*:/g;
    expect(tests.flatMap((path) => find(readSource(path), pattern))).toEqual([]);
  });

  test('no leftovers', () => {
    const wrong = product.flatMap((path) => {
      const source = readSource(path);
      return [...source.comments.matchAll(/\b(?:TODO|FIXME|XXX|HACK)\b/g)].map(
        (match) => `${path}:${lineAt(source.text, match.index)} ${match[0]}`,
      );
    });
    expect(wrong).toEqual([]);
  });
});

test('no text names places of a private machine', () => {
  const folders = [
    'src',
    'wasm',
    'worker',
    'test',
    'bench',
    'docs',
    'examples',
    'scripts',
    '.github',
  ];
  const texts = listFiles(folders, (path) =>
    /\.(ts|tsx|mjs|js|json|md|html|css|ya?ml)$/.test(path),
  );
  for (const name of listFiles(['.'], (path) => /^[^/]+\.(md|json|ts)$/.test(path)))
    texts.push(name);
  const wrong = texts.flatMap((path) => {
    const text = readFileSync(join(ROOT, path), 'utf8');
    return [...text.matchAll(/(?<![\w.:/])\/(?:work|home|root|Users)\/\w|\.\.\/shared\b/g)].map(
      (match) => `${path}:${lineAt(text, match.index)}`,
    );
  });
  expect(wrong).toEqual([]);
});

test('packages come from the public registry', () => {
  const lock = readFileSync(join(ROOT, 'package-lock.json'), 'utf8');
  const hosts = new Set([...lock.matchAll(/"resolved": "(https?:\/\/[^/"]+)/g)].map((m) => m[1]));
  expect([...hosts].filter((host) => host !== 'https://registry.npmjs.org')).toEqual([]);
});

test('every dependency is decided on in docs/decisions', () => {
  const info = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    readonly [kind: string]: { readonly [name: string]: string } | undefined;
  };
  const kinds = ['dependencies', 'devDependencies', 'peerDependencies', 'optionalDependencies'];
  const names = kinds.flatMap((kind) => Object.keys(info[kind] ?? {}));
  const records = listFiles(['docs/decisions'], (path) => path.endsWith('.md'))
    .map((path) => readFileSync(join(ROOT, path), 'utf8'))
    .join('\n');
  expect(names.filter((name) => !records.includes(`\`${name}\``))).toEqual([]);
});

test('every dependency is used', () => {
  const info = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    readonly dependencies: { readonly [name: string]: string };
  };
  const texts = product.map((path) => readSource(path).text);
  const unused = Object.keys(info.dependencies).filter(
    (name) => !texts.some((text) => text.includes(`'${name}'`) || text.includes(`'${name}/`)),
  );
  expect(unused).toEqual([]);
});

test('pins are exact', () => {
  const info = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    readonly dependencies: { readonly [name: string]: string };
    readonly devDependencies: { readonly [name: string]: string };
  };
  const pins = Object.entries({ ...info.dependencies, ...info.devDependencies });
  expect(pins.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([]);
});

function find(source: Source, pattern: RegExp): string[] {
  return [...source.code.matchAll(pattern)].map(
    (match) => `${source.path}:${lineAt(source.text, match.index)} ${match[0]}`,
  );
}

/** Exported declarations without a doc comment right above; one of several of the same name suffices. */
function undocumented(source: Source): string[] {
  const pattern =
    /^export\s+(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?(?:function\*?|class|interface|type|const|let|var)\s+([\w$]+)/gm;
  const places = new Map<string, { readonly line: number; documented: boolean }>();
  for (const match of source.code.matchAll(pattern)) {
    const documented = endsInDocComment(source, match.index);
    const place = places.get(match[1]!);
    if (place !== undefined) place.documented ||= documented;
    else places.set(match[1]!, { line: lineAt(source.text, match.index), documented });
  }
  return [...places]
    .filter(([, { documented }]) => !documented)
    .map(([name, { line }]) => `${source.path}:${line} ${name}`);
}

/** Whether the last comment before `offset`, line comments aside, is a doc comment with no code behind it. */
function endsInDocComment(source: Source, offset: number): boolean {
  const codeEnd = source.code.slice(0, offset).trimEnd().length;
  const between = source.comments.slice(codeEnd, offset).split('\n');
  const comment = between
    .filter((line) => !line.trimStart().startsWith('//'))
    .join('\n')
    .trim();
  return comment.endsWith('*/') && comment.startsWith('/**', comment.lastIndexOf('/*'));
}

test('the search for doc comments tells with from without', () => {
  const text = [
    '/** The file. */',
    "import a from 'a';",
    '/** A. */',
    'export const A = 1;',
    'export type A = number;',
    'export function b(): void {}',
    '/* c */',
    'export class C {}',
    '/** See http://x. */',
    '// biome-ignore all: because',
    'export const d = 1;',
  ].join('\n');
  expect(undocumented(parseSource('x.ts', text))).toEqual(['x.ts:6 b', 'x.ts:8 C']);
});
