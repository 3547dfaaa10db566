/** What must not appear in which rooms. */
import { describe, expect, test } from 'vitest';
import { importsOf, lineAt, listFiles, readSource, type Source } from './source.ts';

interface Ban {
  readonly what: string;
  readonly pattern: RegExp;
}

const CLOCKS_AND_CHANCE: readonly Ban[] = [
  { what: 'Date', pattern: /(?<![.\w$])Date\s*[.(]|\bnew Date\b/g },
  { what: 'performance', pattern: /(?<![.\w$])performance\b/g },
  { what: 'Math.random', pattern: /\bMath\s*\.\s*random\b/g },
  { what: 'crypto', pattern: /(?<![.\w$])crypto\s*\./g },
  {
    what: 'timers',
    pattern: /(?<![.\w$])(?:setTimeout|setInterval|setImmediate|requestAnimationFrame)\b/g,
  },
];

const PROMISES: readonly Ban[] = [
  { what: 'Promise', pattern: /(?<![.\w$])Promise\b/g },
  { what: 'async', pattern: /\basync\s+(?:function|\(|\*|\w+\s*(?:=>|\())/g },
  { what: 'queueMicrotask', pattern: /(?<![.\w$])queueMicrotask\b/g },
  { what: 'await', pattern: /(?<![.\w$])await\b/g },
];

/** Runtimes differ in these: replicas would too. */
const RUNTIME_DIFFERENCES: readonly Ban[] = [
  { what: 'Intl', pattern: /(?<![.\w$])Intl\b/g },
  { what: 'locales', pattern: /\.\s*(?:localeCompare|toLocale\w+)\b/g },
  {
    what: 'a Math function that is not exact',
    pattern:
      /\bMath\s*\.\s*(?!(?:abs|ceil|clz32|floor|fround|imul|max|min|round|sign|sqrt|trunc)\b)\w+/g,
  },
  { what: '** with what may be a fraction', pattern: /\*\*=?(?!\s*\d+\b(?!\s*\.\d))/g },
];

const NODE_ONLY: readonly Ban[] = [
  { what: 'Buffer', pattern: /(?<![.\w$])Buffer\b/g },
  {
    what: 'process',
    pattern:
      /(?<![.\w$])process\s*\.\s*(?:env|argv|exit\w*|std\w+|nextTick|hrtime|pid|cwd|version\w*|platform|memoryUsage|cpuUsage|emit\w*|kill|uptime)\b/g,
  },
  { what: 'require', pattern: /(?<![.\w$])require\s*\(/g },
  { what: '__dirname', pattern: /\b__(?:dirname|filename)\b/g },
];

function violations(source: Source, bans: readonly Ban[]): string[] {
  return bans.flatMap(({ what, pattern }) =>
    [...source.code.matchAll(pattern)].map(
      (match) => `${source.path}:${lineAt(source.text, match.index)} ${what}`,
    ),
  );
}

function sources(folders: readonly string[]): Source[] {
  return listFiles(folders)
    .filter((path) => !path.endsWith('.test.ts'))
    .map(readSource);
}

/** The only places that know Node. */
function knowsNode(path: string): boolean {
  return /^(src\/cli\/|src\/runtime\/node(\/|\.ts)|wasm\/load\/(sqljs-)?node\.ts)/.test(path);
}

describe('determinism', () => {
  test('consensus knows no clock, chance, promise or difference between runtimes', () => {
    const bans = [...CLOCKS_AND_CHANCE, ...PROMISES, ...RUNTIME_DIFFERENCES];
    expect(sources(['src/raft']).flatMap((source) => violations(source, bans))).toEqual([]);
  });

  test('the state machine neither', () => {
    const bans = [...CLOCKS_AND_CHANCE, ...PROMISES, ...RUNTIME_DIFFERENCES];
    expect(sources(['src/state-machine']).flatMap((s) => violations(s, bans))).toEqual([]);
  });

  test('the virtual runtime has its time and chance from the seed', () => {
    const bans = [...CLOCKS_AND_CHANCE, ...PROMISES, ...RUNTIME_DIFFERENCES];
    expect(sources(['src/runtime/virtual']).flatMap((s) => violations(s, bans))).toEqual([]);
  });

  test('the node, its log and its network take clock and chance from the platform', () => {
    const folders = ['src/node', 'src/storage', 'src/transport', 'src/wire', 'src/platform'];
    expect(sources(folders).flatMap((s) => violations(s, CLOCKS_AND_CHANCE))).toEqual([]);
  });
});

describe('shared code is web-standard', () => {
  const shared = sources(['src', 'wasm', 'worker']).filter(({ path }) => !knowsNode(path));

  test('no Buffer, process or require', () => {
    expect(shared.flatMap((source) => violations(source, NODE_ONLY))).toEqual([]);
  });

  test('no node: modules', () => {
    const wrong = shared.flatMap((source) =>
      importsOf(source)
        .filter(({ specifier }) => specifier.startsWith('node:') || specifier === 'ws')
        .map(({ specifier, line }) => `${source.path}:${line} imports ${specifier}`),
    );
    expect(wrong).toEqual([]);
  });
});

describe('the bans themselves', () => {
  function hits(bans: readonly Ban[], code: string): number {
    const source: Source = { path: 'x.ts', text: code, code, comments: '' };
    return violations(source, bans).length;
  }

  test.each([
    'Date.now()',
    'new Date(x)',
    'Math.random()',
    'performance.now()',
    'setTimeout(f, 1)',
    'crypto.getRandomValues(x)',
  ])('%s is found', (code) => expect(hits(CLOCKS_AND_CHANCE, code)).toBeGreaterThan(0));

  test.each(['clock.performance', 'updateDate(x)', 'options.setTimeout', 'value instanceof Date'])(
    '%s is not',
    (code) => expect(hits(CLOCKS_AND_CHANCE, code)).toBe(0),
  );

  test('powers of whole numbers pass, others do not', () => {
    expect(hits(RUNTIME_DIFFERENCES, '2 ** 53 - 1')).toBe(0);
    expect(hits(RUNTIME_DIFFERENCES, '2 ** 0.5')).toBe(1);
    expect(hits(RUNTIME_DIFFERENCES, '2 ** x')).toBe(1);
    expect(hits(RUNTIME_DIFFERENCES, 'Math.log2(x) + Math.floor(y)')).toBe(1);
  });

  test('async in its forms', () => {
    expect(hits(PROMISES, 'async function f')).toBe(1);
    expect(hits(PROMISES, 'f = async (a) => a')).toBe(1);
    expect(hits(PROMISES, 'syncAsync(done)')).toBe(0);
  });
});
