/**
 * Builds the demo into `dist/demo`: static files that work from any server. With `--serve [port]` it also serves them
 * on the loopback address. Prints the gzipped sizes beside their budgets; exit code 1 when one is exceeded.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..');
const out = join(root, 'dist', 'demo');
const KB = 1000;
/**
 * Gzipped: the shell is what paints the page, the worker script is the database without SQLite. Budgets hold what is
 * reached today; the goal for the worker script is 110 KB.
 */
const BUDGETS = [
  { name: 'shell', files: ['index.html', 'page.css', 'page.js'], budget: 80 * KB },
  { name: 'worker script', files: ['worker.js'], budget: 125 * KB },
];
const FILES = [
  'index.html',
  'page.css',
  'page.js',
  'worker.js',
  'sqlite3.wasm',
  'trampolines.wasm',
];
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.wasm': 'application/wasm',
};

await buildDemo();
const sizes = BUDGETS.map(measure);
for (const { name, bytes, budget } of sizes) {
  process.stdout.write(`${name}: ${bytes} bytes gzipped (budget ${budget})\n`);
}
if (sizes.some(({ bytes, budget }) => bytes > budget)) process.exitCode = 1;
const serve = process.argv.indexOf('--serve');
if (serve >= 0) serveDemo(Number(process.argv[serve + 1] ?? 4180));

async function buildDemo() {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const sqlite = createRequire(import.meta.url).resolve('@sqlite.org/sqlite-wasm/sqlite3.wasm');
  copyFileSync(sqlite, join(out, 'sqlite3.wasm'));
  copyFileSync(join(root, 'wasm', 'sqlite', 'trampolines.wasm'), join(out, 'trampolines.wasm'));
  copyFileSync(join(here, 'src', 'index.html'), join(out, 'index.html'));
  const shared = {
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    platform: 'browser',
    logLevel: 'warning',
    outdir: out,
    tsconfig: join(here, 'tsconfig.json'),
  };
  const hash = createHash('sha256').update(readFileSync(sqlite)).digest('hex');
  await Promise.all([
    build({
      ...shared,
      entryPoints: { page: join(here, 'src', 'page', 'main.tsx') },
      define: { SQLITE_HASH: JSON.stringify(hash) },
    }),
    build({ ...shared, entryPoints: { page: join(here, 'src', 'page.css') } }),
    build({ ...shared, entryPoints: { worker: join(here, 'src', 'sim', 'worker.ts') } }),
  ]);
  const version = createHash('sha256');
  for (const file of FILES) version.update(readFileSync(join(out, file)));
  await build({
    ...shared,
    format: 'iife',
    entryPoints: { offline: join(here, 'src', 'offline.ts') },
    define: {
      FILES: JSON.stringify(['./', ...FILES.map((file) => `./${file}`)]),
      VERSION: JSON.stringify(version.digest('hex').slice(0, 16)),
    },
  });
  writeFileSync(join(out, '.nojekyll'), '');
}

function measure({ name, files, budget }) {
  let bytes = 0;
  for (const file of files) bytes += gzipSync(readFileSync(join(out, file)), { level: 9 }).length;
  return { name, bytes, budget };
}

function serveDemo(port) {
  const known = new Set([...FILES, 'offline.js']);
  const server = createServer((request, response) => {
    const path = new URL(request.url, 'http://localhost').pathname.slice(1) || 'index.html';
    if (!known.has(path)) {
      response.writeHead(404).end('not found');
      return;
    }
    response.writeHead(200, {
      'content-type': TYPES[extname(path)],
      'cache-control': 'no-cache',
    });
    response.end(readFileSync(join(out, path)));
  });
  server.listen(port, '127.0.0.1', () => {
    process.stdout.write(`the demo is at http://127.0.0.1:${server.address().port}/\n`);
  });
}
