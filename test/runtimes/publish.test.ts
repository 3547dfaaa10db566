/** The package as JSR would take it: every type is written out, and the sources pass Deno's own type checker. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { serverRuntime } from '../kit/runtimes.ts';
import { ROOT } from '../tidy/source.ts';

const FILES = ['src', 'wasm', 'package.json', 'deno.json', 'README.md', 'LICENSE', 'CHANGELOG.md'];

const { missing, command } = serverRuntime('deno');

describe.skipIf(missing !== '')(`deno publish ${missing}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'quorlite-publish-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('finds no fault', { timeout: 120_000 }, () => {
    for (const name of FILES) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    const [program, ...rest] = command.slice(0, command.indexOf('run'));
    const args = [...rest, 'publish', '--dry-run', '--allow-dirty'];
    const { status, stdout, stderr } = spawnSync(program!, args, { cwd: folder, encoding: 'utf8' });
    expect(status, stdout + stderr).toBe(0);
  });
});
