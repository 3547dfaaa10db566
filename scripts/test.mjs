/**
 * The whole test suite: build, types, lint, then every test, then one line `N passed, N failed, N skipped` over all of it.
 * `--fast` leaves out the folders whose tests start processes or simulate for long. `--slowest` names the files that
 * took longest.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

/** Folders without processes and long simulations. */
const FAST = ['src', 'wasm', 'test/scenarios', 'test/tidy', 'test/unit'];
const SHOWN_FILES = 15;
const fast = process.argv.includes('--fast');
const slowest = process.argv.includes('--slowest');
const scratch = mkdtempSync(join(tmpdir(), 'quorlite-test-'));
const report = join(scratch, 'report.json');
const totals = { passed: 0, failed: 0, skipped: 0 };

/** Runs a command to its end; `text` is what it wrote, unless that went to the terminal at once. */
function run(command, args, stdio) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
    }
    child.once('error', (error) => resolve({ ok: false, text: `${error.message}\n` }));
    child.once('close', (code) => resolve({ ok: code === 0, text }));
  });
}

function told(name, ok, started) {
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  process.stdout.write(`${ok ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)\n`);
}

/** A step that is no test run itself counts as one test. */
async function step(name, command, args) {
  const started = Date.now();
  const { ok, text } = await run(command, args, ['ignore', 'pipe', 'pipe']);
  totals[ok ? 'passed' : 'failed']++;
  if (!ok) process.stdout.write(text);
  told(name, ok, started);
}

function bin(name) {
  return join('node_modules', '.bin', name);
}

/**
 * The runtimes beside this one have a package of their own, so that the quick start stays light. Where they cannot be
 * installed their tests are skipped, and say so.
 */
async function runtimes() {
  const folder = join('test', 'runtimes');
  const lock = changedAt(join(folder, 'package-lock.json'));
  if (changedAt(join(folder, 'node_modules', '.package-lock.json')) > lock) return;
  const started = Date.now();
  const { ok, text } = await run('npm', ['ci', '--prefix', folder], ['ignore', 'pipe', 'pipe']);
  told('runtimes installed', ok, started);
  if (!ok) process.stdout.write(`${text}the tests of other runtimes are skipped\n`);
}

function changedAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** Test files run beside each other, and one after the other in a process: none may depend on who was there before. */
async function tests() {
  const started = Date.now();
  const outputs = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const args = ['run', '--no-isolate', ...outputs, ...(fast ? FAST : [])];
  const { ok } = await run(bin('vitest'), args, 'inherit');
  told('tests', ok, started);
  try {
    count(JSON.parse(readFileSync(report, 'utf8')), ok);
  } catch (error) {
    process.stdout.write(`no test report: ${error.message}\n`);
    totals.failed++;
  }
}

function count({ numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults }, ok) {
  totals.passed += numPassedTests;
  totals.failed += numFailedTests;
  totals.skipped += numPendingTests + numTodoTests;
  // A file that does not load has no failed test of its own.
  if (!ok && numFailedTests === 0) totals.failed++;
  if (!slowest) return;
  const took = testResults.map(({ name, startTime, endTime }) => [endTime - startTime, name]);
  took.sort(([a], [b]) => b - a);
  for (const [ms, name] of took.slice(0, SHOWN_FILES)) {
    const seconds = (ms / 1000).toFixed(1).padStart(6);
    process.stdout.write(`${seconds} s ${relative(process.cwd(), name)}\n`);
  }
}

await step('build', process.execPath, ['scripts/build.mjs']);
await Promise.all([
  step('types', bin('tsc'), ['-p', 'tsconfig.json']),
  step('types of shared code', bin('tsc'), ['-p', 'tsconfig.shared.json']),
  step('lint and format', bin('biome'), [
    'check',
    '.',
    '--diagnostic-level=warn',
    '--error-on-warnings',
  ]),
]);
if (!fast) await runtimes();
await tests();
rmSync(scratch, { recursive: true, force: true });
const { passed, failed, skipped } = totals;
process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`);
process.exit(failed === 0 ? 0 : 1);
