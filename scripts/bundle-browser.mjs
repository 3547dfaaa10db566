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

/** What is built: format and further options by file. */
export const BROWSER_BUNDLES = [
  { file: 'quorlite.js', entry: 'src/browser.ts', options: { format: 'esm' } },
  {
    file: 'quorlite.iife.js',
    entry: 'src/browser.ts',
    options: { format: 'iife', globalName: 'Quorlite', ...SCRIPT_URL },
  },
  { file: 'worker.js', entry: 'src/runtime/browser/worker.ts', options: { format: 'esm' } },
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
    BROWSER_BUNDLES.map(({ file, entry, options }) =>
      build({
        ...BROWSER_OPTIONS,
        entryPoints: [entry],
        outfile: join(folder, file),
        ...options,
      }),
    ),
  );
  copyFileSync(
    require.resolve('@sqlite.org/sqlite-wasm/sqlite3.wasm'),
    join(folder, 'sqlite3.wasm'),
  );
  copyFileSync(join(root, 'wasm/sqlite/trampolines.wasm'), join(folder, 'trampolines.wasm'));
}
