/** Checks of the data folder: permissions, lock, free space, the price of a sync. */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { formatBytes } from '../../config/units.ts';
import { lockFolder } from '../../runtime/node/lock.ts';
import { type Finding, finding, reasonOf } from './check.ts';

const SYNC_SAMPLES = 25;
const SYNC_BYTES = 4096;
/** A sync slower than this limits a cluster noticeably, milliseconds. */
const SYNC_SLOW_MS = 10;
const FREE_LOW = 1024 ** 3;
const FREE_MIN = 64 * 1024 ** 2;

/** All checks of the folder, which need not exist yet. */
export function checkDisk(dataDir: string, sync: string): Finding[] {
  const folder = resolve(dataDir);
  const place = nearestFolder(folder);
  const access = checkAccess(folder, place);
  if (access.status === 'fail') return [access];
  const findings = [access, checkSpace(place), checkSync(place, sync)];
  if (existsSync(folder)) findings.splice(1, 0, checkLock(folder));
  return findings;
}

function checkAccess(folder: string, place: string): Finding {
  try {
    if (!statSync(place).isDirectory()) throw new Error(`${place} is not a folder`);
    accessSync(place, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    return finding(
      'data folder',
      'fail',
      reasonOf(error),
      'give this user the folder, or --data-dir',
    );
  }
  if (place !== folder) return finding('data folder', 'ok', `${folder} (will be created)`);
  const others = statSync(folder).mode & 0o002;
  return others === 0
    ? finding('data folder', 'ok', folder)
    : finding('data folder', 'warn', `${folder} can be written by anybody`, `chmod o-w ${folder}`);
}

function checkLock(folder: string): Finding {
  try {
    lockFolder(folder).release();
    return finding('lock', 'ok', 'no node uses the folder');
  } catch (error) {
    return finding(
      'lock',
      'warn',
      reasonOf(error),
      'a node runs on it: each needs a folder of its own',
    );
  }
}

function checkSpace(place: string): Finding {
  const { bavail, bsize } = statfsSync(place);
  const free = bavail * bsize;
  const detail = `${formatBytes(free)} free`;
  if (free < FREE_MIN)
    return finding('disk space', 'fail', detail, 'free some: a full disk stops a node');
  return free < FREE_LOW
    ? finding('disk space', 'warn', detail, 'a full disk stops a node')
    : finding('disk space', 'ok', detail);
}

function checkSync(place: string, sync: string): Finding {
  let folder: string | null = null;
  try {
    folder = mkdtempSync(join(place, '.quorlite-doctor-'));
    const times = measureSyncs(join(folder, 'sync')).sort((a, b) => a - b);
    const median = times[times.length >> 1]!;
    const worst = times[times.length - 1]!;
    const detail = `a sync of ${SYNC_BYTES} bytes takes ${median.toFixed(2)} ms, at worst ${worst.toFixed(1)} ms (sync: ${sync})`;
    return median > SYNC_SLOW_MS && sync === 'durable'
      ? finding(
          'disk sync',
          'warn',
          detail,
          'use a local SSD; --sync interval:200ms loses what a power cut finds unsynced',
        )
      : finding('disk sync', 'ok', detail);
  } catch (error) {
    return finding('disk sync', 'fail', reasonOf(error), 'this disk cannot hold a log');
  } finally {
    if (folder !== null) rmSync(folder, { recursive: true, force: true });
  }
}

/** Milliseconds of each sync, into a preallocated file as the log does it. */
function measureSyncs(file: string): number[] {
  const fd = openSync(file, 'w');
  try {
    writeSync(fd, new Uint8Array(SYNC_SAMPLES * SYNC_BYTES));
    fdatasyncSync(fd);
    return Array.from({ length: SYNC_SAMPLES }, (_, i) => {
      const begin = performance.now();
      writeSync(fd, new Uint8Array(SYNC_BYTES).fill(i + 1), 0, SYNC_BYTES, i * SYNC_BYTES);
      fdatasyncSync(fd);
      return performance.now() - begin;
    });
  } finally {
    closeSync(fd);
  }
}

function nearestFolder(folder: string): string {
  let place = folder;
  while (!existsSync(place) && place !== dirname(place)) place = dirname(place);
  return place;
}
