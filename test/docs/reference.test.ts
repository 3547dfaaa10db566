/**
 * What the documents list is what the code has: configuration, limits, settings, error codes, metrics, commands, routes.
 * `UPDATE_DOCS=1` writes the tables anew.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROUTES } from '../../src/api/app.ts';
import { CONFIG_KEY_NAMES } from '../../src/config/keys.ts';
import { NODE_LIMITS } from '../../src/config/limits.ts';
import { SETTINGS } from '../../src/state-machine/settings.ts';
import { ERROR_STATUS } from '../../src/wire/error.ts';
import { VirtualCluster } from '../kit/virtual-cluster.ts';
import { ROOT } from '../tidy/source.ts';
import { documents } from './blocks.ts';
import { markdown, TABLES } from './tables.ts';

const MARKED = /<!-- table: (\w+) -->\n([\s\S]*?)\n<!-- end -->/g;
const REFERENCE = 'docs/reference.md';
/** Documents for users; the others name what is inside, too. */
const FOR_USERS = documents().filter((file) => !/^docs\/(decisions|wire)\//.test(file));
/** Words in capitals with an underscore that name no error code. */
const OTHER_CAPITALS = /^(QUORLITE|SQLITE|CHAOS|UPDATE|CURRENT|NO_COLOR|NODE)_?/;

function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

/** Names in code font in the first column of the tables below a heading. */
function firstColumn(text: string): string[] {
  const lines = text.split('\n').filter((line) => line.startsWith('| `'));
  return lines.flatMap((line) => {
    const [, cell] = line.split('|');
    return [...cell!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
  });
}

function section(file: string, heading: string): string {
  const [, rest] = read(file).split(`\n## ${heading}\n`);
  if (rest === undefined) throw new Error(`${file} has no "## ${heading}"`);
  return rest.split('\n## ')[0]!;
}

describe('tables', () => {
  const marked = documents().flatMap((file) => {
    return [...read(file).matchAll(MARKED)].map(([, name]) => [file, name!] as const);
  });

  test.each(marked)('%s: %s is what the code has', (file, name) => {
    const expected = markdown(TABLES[name]!());
    if (process.env['UPDATE_DOCS'] !== undefined) {
      const text = read(file).replace(MARKED, (whole, one: string) => {
        return one === name ? `<!-- table: ${name} -->\n${expected}\n<!-- end -->` : whole;
      });
      writeFileSync(join(ROOT, file), text);
    }
    const found = [...read(file).matchAll(MARKED)].find(([, one]) => one === name);
    expect(found![2]).toBe(expected);
  });

  test('each stands somewhere', () => {
    expect(new Set(marked.map(([, name]) => name))).toEqual(new Set(Object.keys(TABLES)));
  });
});

describe('names', () => {
  test('configuration keys of the README exist', () => {
    const names = firstColumn(section('README.md', 'Configuration'));
    expect(names.length).toBeGreaterThan(8);
    expect(names.filter((name) => !(CONFIG_KEY_NAMES as string[]).includes(name))).toEqual([]);
  });

  test('limits and settings that documents name exist', () => {
    const wrong = FOR_USERS.flatMap((file) => {
      const names = [...read(file).matchAll(/`(?:limits\.)?((?:max|kept|soft|hard)[A-Z]\w+)`/g)];
      return names
        .map(([, name]) => name!)
        .filter((name) => !(name in NODE_LIMITS) && !(name in SETTINGS) && name !== 'maxLagMs')
        .map((name) => `${file}: ${name}`);
    });
    expect(wrong).toEqual([]);
  });

  test('error codes that documents name exist', () => {
    const wrong = FOR_USERS.flatMap((file) => {
      const names = [...read(file).matchAll(/`([A-Z]{2,}(?:_[A-Z]+)+)`/g)];
      return names
        .map(([, name]) => name!)
        .filter((name) => !(name in ERROR_STATUS) && !OTHER_CAPITALS.test(name))
        .map((name) => `${file}: ${name}`);
    });
    expect(wrong).toEqual([]);
  });

  test('metrics are all described, and no other', () => {
    const described = firstColumn(section(REFERENCE, 'Metrics'));
    const cluster = new VirtualCluster('the metrics of a node', { size: 1 });
    const live = cluster.elect().service.metrics();
    const names = new Set(live.map(({ name }) => name).concat('quorlite_http_requests_total'));
    expect([...names].filter((name) => !described.includes(name))).toEqual([]);
    // Some come only with a configuration that this node does not have.
    const source = read('src/node/metrics.ts') + read('src/api/request-counter.ts');
    const known = (name: string): boolean => {
      return source.includes(`'${name}'`) || source.includes(`'${name.replace('quorlite_', '')}'`);
    };
    expect(described.filter((name) => !known(name))).toEqual([]);
  });

  test('the README names every command, and no other', () => {
    const commands = [...read('src/cli/main.ts').matchAll(/^ {6}name: '(\w+)'/gm)];
    const named = [...section('README.md', 'The command line').matchAll(/^quorlite (\w+)/gm)];
    const words = (matches: RegExpExecArray[]): string[] => matches.map(([, name]) => name!);
    expect(new Set(words(named))).toEqual(new Set(words(commands)));
  });

  test('the README names every route there is, and no other', () => {
    const there = ROUTES.filter(({ later }) => later === undefined).map(({ path }) => path);
    const roots = new Set(there.map((path) => path.split('/').slice(0, 3).join('/')));
    const text = section('README.md', 'Over HTTP');
    const named = [...text.matchAll(/`(\/[\w./]*)`/g)].map(([, path]) => path!);
    expect(new Set(named)).toEqual(roots);
  });
});
