/**
 * The tarball that would be published: its contents, its exports, and that it works in another folder, where npm has
 * installed it. Built from a copy of the sources, so that other tests keep the `dist` that they run from.
 */
import { execFile } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../tidy/source.ts';

/** What the package is built from, besides its dependencies. */
const SOURCES =
  /^(src|wasm|scripts|package\.json|tsconfig.*\.json|README\.md|LICENSE|CHANGELOG\.md)$/;

let scratch = '';
/** The copy in which the package is built, and the user's folder in which it is installed. */
let source = '';
let user = '';

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: string, args: readonly string[], cwd: string): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(command, args, { cwd, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, stdout, stderr });
    });
  });
}

async function must(command: string, args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, cwd);
  expect(code, `${command} ${args.join(' ')}\n${stdout}${stderr}`).toBe(0);
  return stdout;
}

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'quorlite-package-'));
  source = join(scratch, 'source');
  mkdirSync(source);
  for (const name of readdirSync(ROOT).filter((file) => SOURCES.test(file))) {
    cpSync(join(ROOT, name), join(source, name), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(source, 'node_modules'));
  await must(process.execPath, [join('scripts', 'build.mjs')], source);
}, 120_000);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test('contents, publint and attw', async () => {
  const { code, stdout, stderr } = await run(
    process.execPath,
    [join('scripts', 'pack-check.mjs')],
    source,
  );
  expect(stdout + stderr).not.toMatch(/FAILED/);
  expect(code, stderr).toBe(0);
}, 60_000);

describe('installed by npm in another folder', () => {
  beforeAll(async () => {
    user = join(scratch, 'user');
    mkdirSync(user);
    const pack = ['pack', '--ignore-scripts', '--pack-destination', user];
    await must('npm', pack, source);
    const tarball = readdirSync(user).find((name) => name.endsWith('.tgz'))!;
    // The dependencies come from here, at the versions pinned here: a test needs no registry.
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      dependencies: { readonly [name: string]: string };
    };
    const names = Object.keys(dependencies);
    const overrides = Object.fromEntries(
      names.map((name) => [name, `file:${join(ROOT, 'node_modules', name)}`]),
    );
    const own = { private: true, type: 'module', dependencies: { quorlite: `file:${tarball}` } };
    writeFileSync(join(user, 'package.json'), JSON.stringify({ ...own, overrides }));
    await must('npm', ['install', '--offline', '--no-audit', '--no-fund'], user);
  }, 60_000);

  test('the command runs', async () => {
    const version = await must('npx', ['--no-install', 'quorlite', '--version'], user);
    expect(version).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test('doctor finds nothing wrong with the installation', async () => {
    const flags = ['--json', '--data-dir', 'doctor', '--listen', '127.0.0.1:0'];
    const answer = await must('npx', ['--no-install', 'quorlite', 'doctor', ...flags], user);
    const { checks } = JSON.parse(answer) as { checks: { name: string; status: string }[] };
    expect(checks.filter(({ status }) => status === 'fail')).toEqual([]);
    expect(checks.length).toBeGreaterThan(3);
  });

  test('a program embeds a node, and another client connects to it', async () => {
    writeFileSync(
      join(user, 'program.mjs'),
      `import { connect, ref, sql, startNode } from 'quorlite';
       import { connect as connectFromClient } from 'quorlite/client';

       const node = await startNode({ dataDir: './data', listen: '127.0.0.1:0', log: 'silent' });
       await node.client.batch('CREATE TABLE t (id INTEGER PRIMARY KEY, a)');
       const db = connect(node.url);
       await db.txn([
         { sql: 'INSERT INTO t (a) VALUES (?) RETURNING id', params: [20] },
         { sql: 'INSERT INTO t (a) SELECT a + 2 FROM t WHERE id = ?', params: [ref(0, 'id')] },
       ]);
       const row = await db.queryOne(sql\`SELECT sum(a) AS answer FROM t WHERE a > \${0}\`);
       await db.close();
       console.log(JSON.stringify(row), typeof connectFromClient);
       await node.shutdown();`,
    );
    const program = await run(process.execPath, ['program.mjs'], user);
    expect(program).toEqual({ code: 0, stdout: '{"answer":42} function\n', stderr: '' });
  });

  test('the second engine comes with the package, by name and as an object', async () => {
    writeFileSync(
      join(user, 'engines.mjs'),
      `import { startNode } from 'quorlite';
       import { sqljs } from 'quorlite/sqljs';

       for (const engine of ['sqljs', sqljs]) {
         const node = await startNode({ dataDir: './second', engine, log: 'silent' });
         await node.client.execute('CREATE TABLE IF NOT EXISTS t (a)');
         console.log(JSON.stringify(await node.client.query('SELECT count(*) AS n FROM t')));
         await node.shutdown();
       }`,
    );
    const program = await run(process.execPath, ['engines.mjs'], user);
    expect(program).toEqual({ code: 0, stdout: '[{"n":0}]\n[{"n":0}]\n', stderr: '' });
  });

  test('types are found as a strict user would see them', async () => {
    const file = `import { connect, type Client, QuorliteError, startNode } from 'quorlite';
      import { connect as remote } from 'quorlite/client';
      import { sqljs } from 'quorlite/sqljs';
      export const db: Client = connect('http://127.0.0.1:4001');
      export const other: Client = remote('http://127.0.0.1:4001');
      export const rows: Promise<{ n: number }[]> = db.query<{ n: number }>('SELECT 1 AS n');
      // @ts-expect-error: a number is no SQL
      export const wrong = db.query(1);
      export async function main(): Promise<string> {
        const node = await startNode({ id: 1, engine: sqljs });
        return new QuorliteError('TIMEOUT', node.url).code;
      }`;
    writeFileSync(join(user, 'types.ts'), file);
    const options = {
      module: 'nodenext',
      target: 'es2023',
      strict: true,
      noEmit: true,
      types: ['node'],
      typeRoots: [join(ROOT, 'node_modules', '@types')],
    };
    const config = { compilerOptions: options, files: ['types.ts'] };
    writeFileSync(join(user, 'tsconfig.json'), JSON.stringify(config));
    await must(join(ROOT, 'node_modules', '.bin', 'tsc'), ['-p', '.'], user);
  }, 60_000);
});
