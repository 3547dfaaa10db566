/** Nobody ships two engines: what a bundler makes of each entry. */
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { ROOT } from '../tidy/source.ts';

/** Paths of what ends up in a bundle of `entry`. */
async function inputsOf(entry: string): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: [entry],
    absWorkingDir: ROOT,
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    target: 'es2023',
    platform: entry === 'src/index.ts' ? 'node' : 'browser',
    external: ['ws', '@hono/node-server', '*.wasm'],
    logLevel: 'error',
  });
  return Object.keys(metafile.inputs);
}

test('the default entry has no part of the second engine', async () => {
  const inputs = await inputsOf('src/index.ts');
  expect(inputs).toContain('wasm/sqlite/engine.ts');
  expect(inputs.filter((path) => path.includes('sqljs') || path.includes('sql.js'))).toEqual([]);
});

test.each(['src/sqljs-modules.ts', 'src/sqljs-fetch.ts'])(
  '%s is for runtimes without files, and has no loader of the default engine',
  async (entry) => {
    const inputs = await inputsOf(entry);
    expect(inputs).toContain('wasm/sqljs/start.ts');
    expect(inputs.filter((path) => path.startsWith('wasm/load/'))).toEqual([]);
  },
);
