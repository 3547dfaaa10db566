/**
 * Bundle sizes against their budgets: what a user's bundler makes of the package, minified and gzipped. Prints a table,
 * or JSON with `--json`; exit code 1 when a budget is exceeded.
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const KB = 1000;

/** Budgets hold what is reached today; the goals stand in `docs/roadmap.md`. What is bundled: `code` as a user would write it, with the package's sources in place of its name. */
const BUNDLES = [
  {
    name: 'SQL client (connect)',
    code: "export { connect } from './src/client/remote/connect.ts';",
    platform: 'browser',
    external: [],
    budget: 20 * KB,
  },
  {
    name: 'client with everything',
    code: "export * from './src/client.ts';",
    platform: 'browser',
    external: [],
    budget: 20.5 * KB,
  },
  {
    name: 'node in a browser, no SQLite',
    code: "export { takeSeat } from './src/runtime/browser/seat.ts';",
    platform: 'browser',
    external: [],
    budget: 135 * KB,
  },
  {
    // SQLite is a file of its own; ws and hono's server are Node's sockets, which other runtimes have built in.
    name: 'node without SQLite',
    code: "export * from './src/index.ts';",
    platform: 'node',
    external: ['ws', '@hono/node-server', '*.wasm'],
    budget: 165 * KB,
  },
];

/** Raw and gzipped bytes of one bundle, and what its largest inputs take. */
async function measure({ name, code, platform, external, budget }) {
  const result = await build({
    stdin: { contents: code, resolveDir: root, loader: 'ts' },
    absWorkingDir: root,
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: 'esm',
    target: 'es2023',
    platform,
    external,
    logLevel: 'error',
  });
  const bytes = result.outputFiles[0].contents;
  const inputs = Object.values(result.metafile.outputs)[0].inputs;
  const largest = Object.entries(inputs)
    .map(([path, { bytesInOutput }]) => ({ path, bytes: bytesInOutput }))
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, 5);
  const gzip = gzipSync(bytes, { level: 9 }).length;
  return { name, minified: bytes.length, gzip, budget, ok: gzip <= budget, largest };
}

const sizes = [];
for (const bundle of BUNDLES) sizes.push(await measure(bundle));
if (process.argv.includes('--json')) {
  process.stdout.write(`${JSON.stringify(sizes, null, 2)}\n`);
} else {
  const kb = (bytes) => `${(bytes / KB).toFixed(1)} KB`.padStart(9);
  for (const { name, minified, gzip, budget, ok, largest } of sizes) {
    const verdict = ok ? 'ok' : 'TOO LARGE';
    process.stdout.write(
      `${name.padEnd(24)} minified ${kb(minified)}  gzip ${kb(gzip)}  budget ${kb(budget)}  ${verdict}\n`,
    );
    if (process.argv.includes('--verbose') || !ok) {
      for (const { path, bytes } of largest) process.stdout.write(`  ${kb(bytes)}  ${path}\n`);
    }
  }
}
process.exitCode = sizes.every(({ ok }) => ok) ? 0 : 1;
