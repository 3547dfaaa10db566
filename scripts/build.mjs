/**
 * Builds the package: compiles `src` and `wasm` into `dist`, copies the .wasm files beside the code that loads them and
 * makes the command executable; bundles for browsers go into `dist/browser`. `--no-check` only strips types (for tests,
 * which have their own type check).
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleForBrowsers } from './bundle-browser.mjs';

/** Flags that reduce compiling to stripping types. */
const STRIP = ['--noCheck', '--declaration', 'false', '--isolatedDeclarations', 'false'];

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
const check = !process.argv.includes('--no-check');

if (check) rmSync(dist, { recursive: true, force: true });
let copied = 0;
for (const entry of readdirSync(join(root, 'wasm'), { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !entry.name.endsWith('.wasm')) continue;
  const from = join(entry.parentPath, entry.name);
  const to = join(dist, relative(root, from));
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
  copied++;
}
const require = createRequire(import.meta.url);
/** The engines' own files come with the build, from packages that are pinned; sql.js's licence goes with it. */
const TAKEN = [
  ['@sqlite.org/sqlite-wasm/sqlite3.wasm', 'sqlite/sqlite3.wasm'],
  ['sql.js/dist/sql-wasm.wasm', 'sqljs/sql-wasm.wasm'],
];
for (const [from, to] of TAKEN) {
  copyFileSync(require.resolve(from), join(dist, 'wasm', to));
  copied++;
}
const sqljs = dirname(dirname(require.resolve('sql.js/dist/sql-wasm.wasm')));
copyFileSync(join(sqljs, 'LICENSE'), join(dist, 'wasm', 'sqljs', 'LICENSE'));
const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
const flags = ['-p', join(root, 'tsconfig.build.json'), ...(check ? [] : STRIP)];
const begin = new Date();
const compiled = spawnSync(process.execPath, [tsc, ...flags], { cwd: root, stdio: 'inherit' });
if (compiled.status !== 0) process.exit(compiled.status ?? 1);

chmodSync(join(dist, 'src', 'cli', 'main.js'), 0o755);
await bundleForBrowsers(join(dist, 'browser'));
// Tests that start processes rebuild when a source is newer than this; what was saved meanwhile is.
const stamp = join(dist, '.built');
writeFileSync(stamp, '');
utimesSync(stamp, begin, begin);
process.stdout.write(`built dist (${copied} wasm files)\n`);
