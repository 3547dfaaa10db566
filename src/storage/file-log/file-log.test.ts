import { describe, expect, it } from 'vitest';
import { entries, shape, write } from '../../../test/conformance/log-store.ts';
import { ManualTime } from '../../../test/support/manual-time.ts';
import type { FileFolder, FileHandle } from '../../platform/files.ts';
import type { LogStore, SyncMode } from '../contract.ts';
import { createFaultyFolder } from '../faulty-folder.ts';
import { HEALTHY_SYNCS, LOG_CLAIM_MS, SLOW_SYNC_MS } from '../limits.ts';
import { createMemoryFolder, type MemoryFolder } from '../memory-folder.ts';
import { createFileLogStore } from './file-log.ts';

/** A log over a disk whose syncs take `syncMs`, and what was done to it. */
class Bench {
  readonly time: ManualTime = new ManualTime();
  readonly folder: MemoryFolder;
  readonly calls: string[] = [];
  readonly answers: number[] = [];
  syncMs = 0;
  store: LogStore;
  #next = 1;

  constructor(mode: SyncMode, segmentBytes = 64 * 1024) {
    this.folder = createMemoryFolder({
      later: (callback) => void this.time.after(this.syncMs, callback),
    });
    this.store = createFileLogStore({
      folder: this.#slowFolder(),
      sync: mode,
      clock: this.time,
      timers: this.time,
      segmentBytes,
    });
    this.store.open();
    this.time.advance(0);
    this.calls.length = 0;
  }

  /** Appends one entry; its index goes to `answers` when it is done. */
  append(size: number = 20): void {
    const index = this.#next++;
    this.store.append(write(entries(index, index, 1, size)), (error) => {
      this.answers.push(error === null ? index : -index);
    });
  }

  #slowFolder(): FileFolder {
    const { folder } = this;
    const watched = createFaultyFolder(folder, ({ kind, length }) => {
      if (kind === 'write') this.calls.push(`write ${length}`);
      return null;
    });
    return { ...watched, open: (name, options) => this.#slowHandle(watched.open(name, options)) };
  }

  #slowHandle(handle: FileHandle): FileHandle {
    return {
      size: () => handle.size(),
      read: (out, position) => handle.read(out, position),
      write: (bytes, position) => handle.write(bytes, position),
      truncate: (size) => handle.truncate(size),
      sync: () => {
        this.calls.push('sync');
        this.time.pass(this.syncMs);
        handle.sync();
      },
      syncAsync: (done) => {
        this.calls.push('syncAsync');
        handle.syncAsync(done);
      },
      close: () => handle.close(),
    };
  }
}

describe('file log', () => {
  it('makes one write and one sync per append, and a claim that is not synced once it is idle', () => {
    const bench = new Bench({ mode: 'durable' });
    bench.append();
    bench.append();
    expect(bench.answers).toEqual([1, 2]);
    expect(bench.calls).toEqual(['write 176', 'sync', 'write 176', 'sync']);
    bench.time.advance(LOG_CLAIM_MS);
    expect(bench.calls.slice(4)).toEqual(['write 120']);
    bench.time.advance(1000);
    expect(bench.calls).toHaveLength(5);
  });

  it('gathers what an append holds into one write', () => {
    const bench = new Bench({ mode: 'durable' });
    bench.store.append(write(entries(1, 50, 1), { term: 1, vote: 3, commit: 0 }), () => {});
    expect(bench.calls).toEqual([`write ${120 + 50 * 52}`, 'sync']);
  });

  it('moves syncs off the event loop after a slow one, and back when the disk is healthy (rule P7)', () => {
    const bench = new Bench({ mode: 'durable' });
    bench.syncMs = SLOW_SYNC_MS + 1;
    bench.append();
    expect(bench.answers).toEqual([1]);
    bench.calls.length = 0;
    bench.append();
    expect(bench.answers).toEqual([1]);
    expect(bench.calls).toEqual(['write 176', 'syncAsync']);
    bench.time.advance(bench.syncMs);
    expect(bench.answers).toEqual([1, 2]);
    bench.syncMs = 1;
    for (let i = 0; i < HEALTHY_SYNCS; i++) {
      bench.append();
      bench.time.advance(1);
    }
    bench.calls.length = 0;
    bench.append();
    expect(bench.calls).toContain('sync');
    expect(bench.calls).not.toContain('syncAsync');
  });

  it('commits in groups: what arrives during a sync is the next batch, and the watchdog sees the wait', () => {
    const bench = new Bench({ mode: 'durable' });
    bench.syncMs = 100;
    bench.append();
    expect(bench.store.stalledMs()).toBe(0);
    bench.append();
    bench.time.advance(60);
    for (let i = 0; i < 4; i++) bench.append();
    expect(bench.store.stalledMs()).toBe(60);
    expect(bench.answers).toEqual([1]);
    bench.calls.length = 0;
    bench.time.advance(40);
    expect(bench.answers).toEqual([1, 2]);
    expect(bench.calls).toEqual([`write ${328}`, 'syncAsync']);
    expect(bench.store.stalledMs()).toBe(40);
    bench.time.advance(100);
    expect(bench.answers).toEqual([1, 2, 3, 4, 5, 6]);
    expect(bench.store.stalledMs()).toBe(0);
  });

  it('syncs votes in every mode (rule E1)', () => {
    for (const mode of [{ mode: 'os' }, { mode: 'interval', ms: 50 }] as const) {
      const bench = new Bench(mode);
      bench.append();
      expect(bench.answers).toEqual([1]);
      expect(bench.calls).toEqual(['write 176']);
      const hardState = { term: 2, vote: 9, commit: 0 };
      bench.store.append(write([], hardState), () => {});
      expect(bench.calls).toEqual(['write 176', 'write 120', 'sync']);
    }
  });

  it('syncs on its interval when there is something to sync, off the event loop', () => {
    const bench = new Bench({ mode: 'interval', ms: 200 });
    bench.append();
    bench.append();
    bench.time.advance(199);
    expect(bench.calls).toEqual(['write 176', 'write 176']);
    bench.time.advance(1);
    expect(bench.calls).toEqual(['write 176', 'write 176', 'syncAsync']);
    bench.time.advance(1000);
    expect(bench.calls[3]).toBe('write 120');
    expect(bench.calls).toHaveLength(4);
    bench.append();
    bench.folder.crash();
    const again = createFileLogStore({
      folder: bench.folder,
      sync: { mode: 'durable' },
      clock: bench.time,
      timers: bench.time,
      segmentBytes: 64 * 1024,
    });
    expect(shape(again.open().entries)).toBe('1/1 2/1');
  });

  it('does not write a commit hint that nobody waits for', () => {
    const bench = new Bench({ mode: 'durable' });
    const hardState = { term: 0, vote: 0, commit: 5 };
    let done = false;
    bench.store.append({ token: 1, hardState, entries: [], mustSync: false }, () => {
      done = true;
    });
    expect(done).toBe(true);
    expect(bench.calls).toEqual([]);
  });

  it('gives no segment back before the record that frees it is synced', () => {
    const bench = new Bench({ mode: 'interval', ms: 10 }, 4096);
    bench.syncMs = 100;
    bench.store.append(write([], { term: 1, vote: 1, commit: 0 }), () => {});
    for (let i = 0; i < 30; i++) {
      bench.append(100);
      bench.time.advance(30);
    }
    // A sync of the interval is under way when the segment is freed.
    bench.append(100);
    bench.time.advance(60);
    const { bytes } = bench.store;
    bench.store.compact(25, 1);
    bench.time.advance(50);
    expect(bench.store.bytes).toBeGreaterThanOrEqual(bytes);
    bench.time.advance(1000);
    expect(bench.store.bytes).toBeLessThan(bytes);
  });

  it('reuses its files instead of making new ones', () => {
    const bench = new Bench({ mode: 'durable' }, 4096);
    for (let i = 1; i <= 400; i++) {
      bench.append(100);
      if (i % 20 === 0) bench.store.compact(i - 5, 1);
      bench.time.advance(1);
    }
    expect(bench.answers).toHaveLength(400);
    expect(bench.folder.list().length).toBeLessThanOrEqual(5);
    expect(bench.store.bytes).toBeLessThan(4 * 4096);
  });
});
