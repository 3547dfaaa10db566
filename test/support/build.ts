/** Makes sure that `dist` holds what the sources say, for tests that start processes. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../tidy/source.ts';

/** Written by `scripts/build.mjs`, with the time at which it began. */
const STAMP = join(ROOT, 'dist', '.built');
const LOCK = join(ROOT, 'node_modules', '.quorlite-build');
/** A build takes seconds; a lock this old was left behind by a process that died. */
const STALE_LOCK_MS = 60_000;

/** Builds unless the last build is newer than every source. Test files run at once: one builds, the others wait. */
export function ensureBuilt(): void {
  if (isFresh()) return;
  const release = acquire();
  try {
    if (isFresh()) return;
    execFileSync(process.execPath, [join(ROOT, 'scripts', 'build.mjs'), '--no-check'], {
      cwd: ROOT,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  } finally {
    release();
  }
}

function isFresh(): boolean {
  const built = statSync(STAMP, { throwIfNoEntry: false })?.mtimeMs;
  if (built === undefined) return false;
  return ['src', 'wasm'].every((folder) => newest(join(ROOT, folder)) < built);
}

function newest(folder: string): number {
  let latest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || entry.name.endsWith('.test.ts')) continue;
    latest = Math.max(latest, statSync(join(entry.parentPath, entry.name)).mtimeMs);
  }
  return latest;
}

/** A folder is made by exactly one process. */
function acquire(): () => void {
  for (;;) {
    try {
      mkdirSync(LOCK);
      return () => rmdirSync(LOCK);
    } catch {
      const since = statSync(LOCK, { throwIfNoEntry: false })?.mtimeMs;
      if (since !== undefined && Date.now() - since > STALE_LOCK_MS) rmdirSync(LOCK);
      else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    }
  }
}
