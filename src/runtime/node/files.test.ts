import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileError } from '../../platform/files.ts';
import { openNodeFolder } from './files.ts';
import { createNodePlatform } from './platform.ts';

let path = '';
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'quorlite-files-'));
});
afterEach(() => rmSync(path, { recursive: true }));

function kindOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof FileError) return error.kind;
    throw error;
  }
  return 'none';
}

describe('folder on disk', () => {
  it('creates itself and its parents', () => {
    const folder = openNodeFolder(join(path, 'a/b/c'));
    expect(folder.list()).toEqual([]);
    expect(folder.label).toBe(join(path, 'a/b/c'));
  });

  it('reads and writes at positions', () => {
    const folder = openNodeFolder(path);
    const file = folder.open('f', { create: true });
    expect(file.write(Uint8Array.of(1, 2, 3), 2)).toBe(3);
    const out = new Uint8Array(10);
    expect(file.read(out, 0)).toBe(5);
    expect([...out.subarray(0, 5)]).toEqual([0, 0, 1, 2, 3]);
    expect(file.read(out, 5)).toBe(0);
    file.truncate(3);
    expect(file.size()).toBe(3);
    file.sync();
    file.close();
    file.close();
    expect(kindOf(() => file.size())).toBe('closed');
    const again = folder.open('f', { create: true });
    expect(again.size()).toBe(3);
    again.close();
  });

  it('lists, renames, removes', () => {
    const folder = openNodeFolder(path);
    folder.lock();
    for (const name of ['b', 'a']) folder.open(name, { create: true }).close();
    folder.rename('b', 'c');
    folder.syncFolder();
    expect(folder.list()).toEqual(['a', 'c']);
    expect([folder.exists('b'), folder.exists('c')]).toEqual([false, true]);
    folder.remove('a');
    expect(folder.list()).toEqual(['c']);
    folder.unlock();
  });

  it('names the kind of its failures', () => {
    const folder = openNodeFolder(path);
    expect(kindOf(() => folder.open('none', { create: false }))).toBe('not-found');
    expect(kindOf(() => folder.remove('none'))).toBe('not-found');
    expect(kindOf(() => folder.rename('none', 'other'))).toBe('not-found');
    expect(kindOf(() => openNodeFolder('/dev/null/x'))).toBe('io');
  });

  it.skipIf(process.platform !== 'linux')('ends where no folder can be made', () => {
    expect(kindOf(() => openNodeFolder('/proc/none'))).toBe('not-found');
  });

  it('syncs on a thread, also when it is closed meanwhile', async () => {
    const file = openNodeFolder(path).open('f', { create: true });
    file.write(new Uint8Array(1000), 0);
    let returned = false;
    const error = await new Promise<FileError | null>((resolve) => {
      file.syncAsync((result) => {
        expect(returned).toBe(true);
        resolve(result);
      });
      file.close();
      returned = true;
    });
    expect(error).toBeNull();
  });
});

/** Starts a process that takes the lock and says `locked`, or says why it could not. */
async function holder(): Promise<{ said: string; kill: () => Promise<unknown> }> {
  const script = join(path, '..', `quorlite-holder-${process.pid}.mjs`);
  const { outputFiles } = buildSync({
    entryPoints: [fileURLToPath(new URL('./files.ts', import.meta.url))],
    bundle: true,
    platform: 'node',
    format: 'esm',
    write: false,
  });
  const work = `
    const folder = openNodeFolder(${JSON.stringify(path)});
    try { folder.lock(); console.log('locked'); setInterval(() => {}, 1000); }
    catch (error) { console.log(error.kind, error.message); }`;
  writeFileSync(script, outputFiles[0]!.text + work);
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = (await once(child.stdout!, 'data')) as [Uint8Array];
  rmSync(script);
  const ended = once(child, 'exit');
  return {
    said: new TextDecoder().decode(said).trim(),
    kill() {
      child.kill('SIGKILL');
      return ended;
    },
  };
}

describe('lock of a folder (scenario 20)', () => {
  it('refuses a second node of this process', () => {
    const first = openNodeFolder(path);
    const second = openNodeFolder(path);
    first.lock();
    expect(kindOf(() => first.lock())).toBe('locked');
    expect(kindOf(() => second.lock())).toBe('locked');
    expect(() => second.lock()).toThrow(`process ${process.pid}`);
    first.unlock();
    first.unlock();
  });

  it('can be taken again once it is given back', async () => {
    const folder = openNodeFolder(path);
    for (let i = 0; i < 3; i++) {
      folder.lock();
      folder.unlock();
    }
    folder.lock();
    folder.unlock();
  });

  it('refuses a second process', async () => {
    const folder = openNodeFolder(path);
    folder.lock();
    const other = await holder();
    await other.kill();
    expect(other.said).toMatch(/^locked .*is in use/);
    folder.unlock();
  });

  it('dies with its process, also by kill -9, and needs no cleaning', async () => {
    const other = await holder();
    expect(other.said).toBe('locked');
    const folder = openNodeFolder(path);
    expect(kindOf(() => folder.lock())).toBe('locked');
    await other.kill();
    folder.lock();
    folder.unlock();
  });
});

describe('platform of Node', () => {
  it('has clocks, entropy and a boot id', () => {
    const { clock, entropy, osBootId, runtime } = createNodePlatform();
    const before = clock.monotonicMs();
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(before);
    expect(clock.wallMs()).toBeGreaterThan(1_600_000_000_000);
    const random = new Uint8Array(200_000);
    entropy.fill(random);
    expect(new Set(random.subarray(150_000)).size).toBe(256);
    expect(osBootId).toBe(createNodePlatform().osBootId);
    expect(runtime).toMatch(/^node \d+\./);
  });

  it('has timers that can be cancelled', async () => {
    const { timers } = createNodePlatform();
    const order: string[] = [];
    timers.cancel(timers.after(0, () => order.push('cancelled')));
    await new Promise<void>((resolve) => {
      timers.after(1, () => {
        order.push('after');
        timers.soon(() => {
          order.push('soon');
          resolve();
        });
      });
    });
    expect(order).toEqual(['after', 'soon']);
  });
});
