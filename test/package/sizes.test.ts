/** What a user's bundler makes of the package stays within its budgets. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../tidy/source.ts';

interface Size {
  readonly name: string;
  readonly gzip: number;
  readonly budget: number;
}

test('bundles are within their budgets', async () => {
  const script = join(ROOT, 'scripts', 'sizes.mjs');
  const stdout = await new Promise<string>((resolve, reject) => {
    execFile(process.execPath, [script, '--json'], { cwd: ROOT }, (error, out, err) => {
      if (out === '') reject(error ?? new Error(err));
      else resolve(out);
    });
  });
  const sizes = JSON.parse(stdout) as readonly Size[];
  expect(sizes.length).toBeGreaterThan(2);
  expect(sizes.filter(({ gzip, budget }) => gzip > budget)).toEqual([]);
});
