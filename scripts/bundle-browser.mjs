/**
 * Bundles for browsers, to be served from any static file server: `dist/browser/` holds the entry as a module and as a
 * plain script, the script of the node's worker, and the engine's two files. Everything refers to its neighbours.
 */
import { copyFileSync, mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);

/** The engine's files stand beside the bundle, not in a folder of their own. */
const NEIGHBOURS = {
  name: 'neighbours',
  setup({ onLoad }) {
    onLoad({ filter: /wasm[\\/]load[\\/]browser\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      const contents = text.replaceAll("URL('../sqlite/", "URL('./");
      if (contents === text) throw new Error(`${path} does not name the engine's files`);
      return { contents, loader: 'ts' };
    });
  },
};

/** A plain script has no address of its own but the one of its element. */
const SCRIPT_URL = {
  define: { 'import.meta.url': 'QUORLITE_SCRIPT_URL' },
  banner: {
    js: 'var QUORLITE_SCRIPT_URL=globalThis.document?.currentScript?.src??globalThis.location.href;',
  },
};

/**
 * What is built. The modules share what both need, and a page that runs its node in a worker never loads the node; the
 * plain script is one file.
 */
export const BROWSER_BUNDLES = [
  {
    entryPoints: {
      quorlite: 'src/browser.ts',
      worker: 'src/runtime/browser/worker.ts',
    },
    format: 'esm',
    splitting: true,
    chunkNames: 'part-[hash]',
  },
  {
    entryPoints: { 'quorlite.iife': 'src/browser.ts' },
    format: 'iife',
    globalName: 'Quorlite',
    ...SCRIPT_URL,
  },
];

/** Options of esbuild for a script that runs in browsers. */
export const BROWSER_OPTIONS = {
  absWorkingDir: root,
  bundle: true,
  minify: true,
  target: 'es2022',
  platform: 'browser',
  logLevel: 'error',
  plugins: [NEIGHBOURS],
};

/** Builds the bundles into `folder` and puts the engine's files beside them. */
export async function bundleForBrowsers(folder) {
  mkdirSync(folder, { recursive: true });
  await Promise.all(
    BROWSER_BUNDLES.map((bundle) => build({ ...BROWSER_OPTIONS, outdir: folder, ...bundle })),
  );
  copyFileSync(
    require.resolve('@sqlite.org/sqlite-wasm/sqlite3.wasm'),
    join(folder, 'sqlite3.wasm'),
  );
  copyFileSync(join(root, 'wasm/sqlite/trampolines.wasm'), join(folder, 'trampolines.wasm'));
}
