/**
 * The whole test suite: build, types, lint, then every test, then one line `N passed, N failed, N skipped` over all of it.
 * `--fast` leaves out what starts processes and the long simulations.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const fast = process.argv.includes('--fast');
const SLOW = ['test/cluster/**', 'test/faults/**', 'test/package/**', 'test/sim/**'];
const scratch = mkdtempSync(join(tmpdir(), 'quorlite-test-'));
const report = join(scratch, 'report.json');
const totals = { passed: 0, failed: 0, skipped: 0 };

/** Runs a command; a step that is not a test run itself counts as one test. */
function step(name, command, args, counted = true) {
  const started = Date.now();
  const { status } = spawnSync(command, args, { stdio: 'inherit', shell: false });
  const ok = status === 0;
  if (counted) totals[ok ? 'passed' : 'failed']++;
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  process.stdout.write(`${ok ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)\n`);
  return ok;
}

function bin(name) {
  return join('node_modules', '.bin', name);
}

step('build', process.execPath, ['scripts/build.mjs']);
step('types', bin('tsc'), ['-p', 'tsconfig.json']);
step('types of shared code', bin('tsc'), ['-p', 'tsconfig.shared.json']);
step('lint and format', bin('biome'), [
  'check',
  '.',
  '--diagnostic-level=warn',
  '--error-on-warnings',
]);
const without = fast ? SLOW.flatMap((pattern) => ['--exclude', pattern]) : [];
const outputs = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
const ran = step('tests', bin('vitest'), ['run', ...outputs, ...without], false);
try {
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(
    readFileSync(report, 'utf8'),
  );
  totals.passed += numPassedTests;
  totals.failed += numFailedTests;
  totals.skipped += numPendingTests + numTodoTests;
  // A file that does not load has no failed test of its own.
  if (!ran && numFailedTests === 0) totals.failed++;
} catch (error) {
  process.stdout.write(`no test report: ${error.message}\n`);
  totals.failed++;
}
rmSync(scratch, { recursive: true, force: true });
const { passed, failed, skipped } = totals;
process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`);
process.exit(failed === 0 ? 0 : 1);
