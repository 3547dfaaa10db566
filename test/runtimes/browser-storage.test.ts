/** The storage suites inside a real browser: its private files and its IndexedDB. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { describe, expect, test } from 'vitest';
import { ROOT } from '../tidy/source.ts';
import { launchChromium, NO_CHROMIUM, serveFiles } from './chromium.ts';

interface Report {
  readonly error?: string;
  readonly results?: readonly { readonly name: string; readonly failure: string | null }[];
}

describe.skipIf(NO_CHROMIUM !== null)(`storage in Chromium ${NO_CHROMIUM ?? ''}`, () => {
  test('log, checkpoints, identity and pages pass their suites', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'quorlite-suites-'));
    await build({
      absWorkingDir: ROOT,
      entryPoints: ['test/runtimes/browser-suites.ts'],
      outfile: join(folder, 'suites.js'),
      bundle: true,
      format: 'esm',
      target: 'es2022',
      platform: 'browser',
      logLevel: 'error',
      alias: { vitest: './test/runtimes/vitest-in-browser.ts' },
    });
    const files = await serveFiles(folder);
    const browser = await launchChromium();
    try {
      const page = await (await browser.newContext()).newPage();
      await page.goto(`${files.url}/index.html`);
      const report = await page.evaluate<Report>(
        `new Promise((resolve) => {
          const worker = new Worker('/suites.js', { type: 'module' });
          worker.onmessage = ({ data }) => resolve(data);
          worker.onerror = ({ message }) => resolve({ error: message });
        })`,
      );
      expect(report.error).toBeUndefined();
      const results = report.results ?? [];
      expect(results.filter(({ failure }) => failure !== null)).toEqual([]);
      expect(results.length).toBeGreaterThan(50);
    } finally {
      await browser.close();
      files.close();
      rmSync(folder, { recursive: true, force: true });
    }
  }, 120_000);
});
