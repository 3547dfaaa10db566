import { describe, expect, it } from 'vitest';
import { FileError } from '../platform/files.ts';
import {
  createMemoryFolder,
  type MemoryFolder,
  SECTOR_BYTES,
  type Unsynced,
} from './memory-folder.ts';

function textOf(folder: MemoryFolder, name: string): string {
  return String.fromCharCode(...folder.contentOf(name));
}

function writeText(folder: MemoryFolder, name: string, text: string, position = 0): void {
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  folder.open(name, { create: true }).write(bytes, position);
}

describe('folder in memory', () => {
  it('shows what was written, and keeps what was synced', () => {
    const folder = createMemoryFolder();
    writeText(folder, 'f', 'synced');
    folder.open('f', { create: false }).sync();
    folder.syncFolder();
    writeText(folder, 'f', 'SYN');
    expect(textOf(folder, 'f')).toBe('SYNced');
    folder.kill();
    expect(textOf(folder, 'f')).toBe('SYNced');
    folder.crash();
    expect(textOf(folder, 'f')).toBe('synced');
  });

  it('loses a file whose name was not synced', () => {
    const folder = createMemoryFolder();
    writeText(folder, 'f', 'x');
    folder.open('f', { create: false }).sync();
    folder.crash();
    expect(folder.list()).toEqual([]);
  });

  it('asks about every unsynced operation, in order', () => {
    const folder = createMemoryFolder();
    writeText(folder, 'f', 'abc');
    folder.open('f', { create: false }).truncate(2);
    folder.rename('f', 'g');
    const asked: string[] = [];
    folder.crash((operation: Unsynced) => {
      asked.push(operation.type);
      return operation.type !== 'truncate';
    });
    expect(asked).toEqual(['write', 'truncate', 'link', 'rename']);
    expect(folder.list()).toEqual(['g']);
    expect(textOf(folder, 'g')).toBe('abc');
  });

  it('keeps later writes without earlier ones, and single sectors of one', () => {
    const folder = createMemoryFolder();
    folder.open('f', { create: true });
    folder.syncFolder();
    writeText(folder, 'f', 'a'.repeat(SECTOR_BYTES * 3));
    writeText(folder, 'f', 'bb', 1);
    folder.crash(({ type, ...rest }) => {
      if (type !== 'write' || !('bytes' in rest)) return true;
      return rest.bytes.length === 2 ? true : (sector) => sector === 1;
    });
    const content = textOf(folder, 'f');
    expect(content).toBe(`\0bb${'\0'.repeat(SECTOR_BYTES - 3)}${'a'.repeat(SECTOR_BYTES)}`);
  });

  it('a removed file comes back, a renamed one keeps its old name', () => {
    const folder = createMemoryFolder();
    for (const name of ['a', 'b']) writeText(folder, name, name);
    for (const name of ['a', 'b']) folder.open(name, { create: false }).sync();
    folder.syncFolder();
    folder.remove('a');
    folder.rename('b', 'c');
    folder.crash();
    expect(folder.list()).toEqual(['a', 'b']);
  });

  it('a sync on a thread covers what was written before it, and never ends after a crash', () => {
    const later: (() => void)[] = [];
    const folder = createMemoryFolder({ later: (callback) => void later.push(callback) });
    writeText(folder, 'f', '1');
    folder.syncFolder();
    const done: unknown[] = [];
    const handle = folder.open('f', { create: false });
    handle.syncAsync((error) => done.push(error));
    writeText(folder, 'f', '2');
    expect(done).toEqual([]);
    later.shift()!();
    expect(done).toEqual([null]);
    handle.syncAsync((error) => done.push(error));
    folder.crash();
    later.shift()!();
    expect(done).toEqual([null]);
    expect(textOf(folder, 'f')).toBe('1');
  });

  it('handles and locks die with the process', () => {
    const folder = createMemoryFolder();
    const handle = folder.open('f', { create: true });
    folder.lock();
    expect(() => folder.lock()).toThrow(FileError);
    folder.kill();
    folder.lock();
    expect(() => handle.write(new Uint8Array(1), 0)).toThrow('closed');
  });

  it('without crashes keeps one content', () => {
    const folder = createMemoryFolder({ crashable: false });
    writeText(folder, 'f', 'abc');
    folder.syncFolder();
    folder.kill();
    expect(textOf(folder, 'f')).toBe('abc');
    expect(() => folder.crash()).toThrow('crashable');
  });
});
