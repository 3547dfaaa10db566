/** The tarball that would be published: its contents, its exports, and that it runs in another folder. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../tidy/source.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'quorlite-package-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(
  command: string,
  args: readonly string[],
  cwd: string,
): Promise<{ readonly code: number; readonly output: string }> {
  return new Promise((resolve) => {
    execFile(command, args, { cwd, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, output: stdout + stderr });
    });
  });
}

test('contents, publint and attw', async () => {
  // Declarations are part of the package: only a full build makes them.
  const built = await run(process.execPath, [join(ROOT, 'scripts', 'build.mjs')], ROOT);
  expect(built).toMatchObject({ code: 0 });
  const checked = await run(process.execPath, [join(ROOT, 'scripts', 'pack-check.mjs')], ROOT);
  expect(checked.output).not.toMatch(/FAILED/);
  expect(checked.code).toBe(0);
}, 120_000);

describe('in another folder', () => {
  beforeAll(async () => {
    const packed = await run(
      'npm',
      ['pack', '--ignore-scripts', '--pack-destination', folder],
      ROOT,
    );
    expect(packed.code).toBe(0);
    const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'))!;
    expect((await run('tar', ['-xzf', tarball], folder)).code).toBe(0);
    // What npm would install: the package, and its dependencies as this repository pinned them.
    const modules = join(folder, 'node_modules');
    mkdirSync(modules);
    for (const name of readdirSync(join(ROOT, 'node_modules'))) {
      if (!name.startsWith('.')) symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
    }
    symlinkSync(join(folder, 'package'), join(modules, 'quorlite'));
  }, 60_000);

  test('the command runs', async () => {
    const main = join(folder, 'package', 'dist', 'src', 'cli', 'main.js');
    expect((await run(main, ['--version'], folder)).output).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test('a program embeds a node', async () => {
    writeFileSync(
      join(folder, 'program.mjs'),
      `import { startNode } from 'quorlite';
       const node = await startNode({ dataDir: './data', log: 'silent' });
       await node.client.batch('CREATE TABLE t (a); INSERT INTO t VALUES (41)');
       const [row] = await node.client.query('SELECT a + 1 AS answer FROM t');
       console.log(JSON.stringify(row));
       await node.shutdown();`,
    );
    const { code, output } = await run(process.execPath, ['program.mjs'], folder);
    expect(output).toBe('{"answer":42}\n');
    expect(code).toBe(0);
  });
});
