/**
 * Checks the package as it would be published: packs `dist` as it stands, looks at what is in the tarball, and lets
 * publint and attw judge exports and types. Prints the tarball's path with `--keep`.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const scratch = mkdtempSync(join(tmpdir(), 'quorlite-pack-'));
const keep = process.argv.includes('--keep');

/** Files without which the package does not work. */
const NEEDED = [
  'package.json',
  'README.md',
  'LICENSE',
  'dist/src/index.js',
  'dist/src/index.d.ts',
  'dist/src/cli/main.js',
  'dist/wasm/sqlite/trampolines.wasm',
  'dist/wasm/sqljs/bridge.wasm',
  'dist/wasm/sqljs/sql-wasm.wasm',
  'dist/wasm/sqljs/LICENSE',
];
/** Files that nobody needs who installs it. */
const UNWANTED = [/\.test\./, /^test\//, /^node_modules\//, /^data\//, /\.tgz$/];

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', ...options });
  if (result.error) throw result.error;
  return result;
}

function pack() {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', scratch];
  const { status, stdout, stderr } = run('npm', args);
  if (status !== 0) throw new Error(`npm pack failed:\n${stderr}`);
  const [info] = JSON.parse(stdout);
  return { tarball: join(scratch, info.filename), files: info.files };
}

function contentProblems(files) {
  const paths = new Set(files.map(({ path }) => path));
  const main = files.find(({ path }) => path === 'dist/src/cli/main.js');
  return [
    ...NEEDED.filter((path) => !paths.has(path)).map((path) => `${path} is missing`),
    ...[...paths]
      .filter((path) => UNWANTED.some((pattern) => pattern.test(path)))
      .map((path) => `${path} should not be there`),
    ...(main !== undefined && (main.mode & 0o111) === 0 ? ['the command is not executable'] : []),
  ];
}

let ok = true;
try {
  const { tarball, files } = pack();
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  process.stdout.write(`${files.length} files, ${(bytes / 1000).toFixed(0)} KB unpacked\n`);
  for (const problem of contentProblems(files)) {
    ok = false;
    process.stdout.write(`FAILED ${problem}\n`);
  }
  const judges = [
    ['publint', [tarball, '--strict']],
    ['attw', [tarball, '--profile', 'esm-only', '--no-emoji', '--no-color']],
  ];
  for (const [tool, args] of judges) {
    const { status, stdout, stderr } = run('npx', ['--no-install', tool, ...args]);
    process.stdout.write(`${status === 0 ? 'ok    ' : 'FAILED'} ${tool}\n`);
    if (status === 0) continue;
    ok = false;
    process.stdout.write(`${stdout}${stderr}`);
  }
  if (keep) process.stdout.write(`${tarball}\n`);
} finally {
  if (!keep) rmSync(scratch, { recursive: true, force: true });
}
process.exitCode = ok ? 0 : 1;
