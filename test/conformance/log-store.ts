/** What every log store must do, whatever it writes to. */
import { afterEach, describe, expect, it } from 'vitest';
import type { HardState, StorageWrite } from '../../src/raft/contract.ts';
import type { LogStore, RecoveredLog } from '../../src/storage/contract.ts';
import { type Entry, EntryKind, makeEntry, verifyEntry } from '../../src/wire/entry.ts';

/** A place that holds one log across restarts. */
export interface LogStoreHome {
  /** A store over what is there. The one before it was closed. */
  store(): LogStore | Promise<LogStore>;
  /** Compacted bytes that may wait for their segment to be given back. */
  readonly slackBytes: number;
  /** The process dies and the machine stays up. Absent where that cannot be done. */
  kill?(): void;
  /** The machine loses power: what is not synced is gone. Absent where that cannot be done. */
  crash?(): void;
  destroy(): void;
}

/** Entries `from`..`to` of `term`, each with `size` bytes of payload that depend on both. */
export function entries(from: number, to: number, term: number, size: number = 20): Entry[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => {
    const payload = new Uint8Array(size).fill((from + i) * 31 + term);
    return makeEntry(term, from + i, EntryKind.commands, payload);
  });
}

let token = 0;

/** One write. */
export function write(list: readonly Entry[], hardState: HardState | null = null): StorageWrite {
  return { token: ++token, hardState, entries: list, mustSync: true };
}

/** Index and term of each entry, short enough for a failure message. */
export function shape(list: readonly Entry[]): string {
  return list.map(({ index, term }) => `${index}/${term}`).join(' ');
}

/** Whether two byte arrays are equal, without printing them. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Waits for a callback of the store. */
export function wait(start: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error === null ? resolve() : reject(error)));
  });
}

/** Runs the suite over homes that `create` makes, one per test. */
export function testLogStore(name: string, create: () => LogStoreHome): void {
  describe(`log store: ${name}`, () => {
    const homes: LogStoreHome[] = [];
    afterEach(() => {
      for (const home of homes.splice(0)) home.destroy();
    });

    function home(): LogStoreHome {
      const made = create();
      homes.push(made);
      return made;
    }

    async function reopened(
      at: LogStoreHome,
      work: (store: LogStore, found: RecoveredLog) => Promise<void>,
    ): Promise<RecoveredLog> {
      const store = await at.store();
      await work(store, store.open());
      await wait((done) => store.close(done));
      const again = await at.store();
      const found = again.open();
      await wait((done) => again.close(done));
      return found;
    }

    it('is empty when new', async () => {
      expect((await home().store()).open()).toEqual({
        hardState: { term: 0, vote: 0, commit: 0 },
        compacted: { index: 0, term: 0 },
        entries: [],
        torn: false,
      });
    });

    it('keeps entries and hard state across a restart (rules D1, D2)', async () => {
      const found = await reopened(home(), async (store) => {
        await wait((done) => store.append(write([], { term: 3, vote: 7, commit: 0 }), done));
        await wait((done) => store.append(write(entries(1, 3, 3)), done));
        await wait((done) => store.append(write(entries(4, 4, 3, 0)), done));
      });
      expect(found.hardState).toEqual({ term: 3, vote: 7, commit: 0 });
      expect(shape(found.entries)).toBe('1/3 2/3 3/3 4/3');
      expect(found.entries.map((entry) => entry.bytes)).toEqual(
        [...entries(1, 3, 3), ...entries(4, 4, 3, 0)].map((entry) => entry.bytes),
      );
      expect(found.entries.every(verifyEntry)).toBe(true);
      expect(found.torn).toBe(false);
    });

    it('what it opens with is safe from then on, whatever was synced before', async () => {
      const at = home();
      if (!at.kill || !at.crash) return;
      const store = await at.store();
      store.open();
      for (let index = 1; index <= 40; index++) {
        await wait((done) => store.append(write(entries(index, index, 3, 1000)), done));
      }
      at.kill();
      const found = (await at.store()).open();
      expect(found.entries).toHaveLength(40);
      at.crash();
      expect(shape((await at.store()).open().entries)).toBe(shape(found.entries));
    });

    it('replaces a conflicting suffix (rule R1)', async () => {
      const found = await reopened(home(), async (store) => {
        await wait((done) => store.append(write(entries(1, 6, 1)), done));
        await wait((done) => store.append(write(entries(4, 5, 2)), done));
        await wait((done) => store.append(write(entries(6, 7, 3)), done));
      });
      expect(shape(found.entries)).toBe('1/1 2/1 3/1 4/2 5/2 6/3 7/3');
    });

    it('replaces everything from the first entry on', async () => {
      const found = await reopened(home(), async (store) => {
        await wait((done) => store.append(write(entries(1, 3, 1)), done));
        await wait((done) => store.append(write(entries(1, 1, 2)), done));
      });
      expect(shape(found.entries)).toBe('1/2');
    });

    it('forgets what is compacted', async () => {
      const found = await reopened(home(), async (store) => {
        await wait((done) => store.append(write(entries(1, 5, 1)), done));
        store.compact(3, 1);
        store.compact(2, 1);
        await wait((done) => store.append(write(entries(6, 6, 1)), done));
      });
      expect(found.compacted).toEqual({ index: 3, term: 1 });
      expect(shape(found.entries)).toBe('4/1 5/1 6/1');
    });

    it('compacts to its last entry and goes on', async () => {
      const at = home();
      const found = await reopened(at, async (store) => {
        await wait((done) => store.append(write(entries(1, 5, 1)), done));
        store.compact(5, 1);
      });
      expect(found.compacted).toEqual({ index: 5, term: 1 });
      expect(found.entries).toEqual([]);
      const later = await reopened(at, async (store) => {
        await wait((done) => store.append(write(entries(6, 7, 2)), done));
      });
      expect(shape(later.entries)).toBe('6/2 7/2');
    });

    it('starts over at a snapshot (rule S3)', async () => {
      const at = home();
      const found = await reopened(at, async (store) => {
        await wait((done) =>
          store.append(write(entries(1, 5, 1), { term: 4, vote: 2, commit: 1 }), done),
        );
        await wait((done) => store.reset(100, 3, done));
        await wait((done) => store.append(write(entries(101, 102, 4)), done));
      });
      expect(found.compacted).toEqual({ index: 100, term: 3 });
      expect(found.hardState).toEqual({ term: 4, vote: 2, commit: 1 });
      expect(shape(found.entries)).toBe('101/4 102/4');
      const shorter = await reopened(at, async (store) => {
        await wait((done) => store.reset(101, 4, done));
      });
      expect(shorter.compacted).toEqual({ index: 101, term: 4 });
      expect(shorter.entries).toEqual([]);
    });

    it('calls back once each, in the order of the appends, also from inside a callback (rule D10)', async () => {
      const store = await home().store();
      store.open();
      const order: string[] = [];
      await new Promise<void>((resolve) => {
        store.append(write(entries(1, 1, 1)), () => {
          order.push('a');
          store.append(write(entries(2, 2, 1)), () => {
            order.push('b');
            store.append(write(entries(4, 4, 1)), () => {
              order.push('d');
              resolve();
            });
            order.push('b ends');
          });
          store.append(write(entries(3, 3, 1)), () => order.push('c'));
          order.push('a ends');
        });
      });
      expect(order).toEqual(['a', 'a ends', 'b', 'b ends', 'c', 'd']);
      await wait((done) => store.close(done));
    });

    it('keeps a commit hint that nobody waits for, at the latest when it closes', async () => {
      const found = await reopened(home(), async (store) => {
        await wait((done) => store.append(write(entries(1, 2, 1)), done));
        const hint = { term: 0, vote: 0, commit: 2 };
        await wait((done) => store.append({ ...write([], hint), mustSync: false }, done));
      });
      expect(found.hardState.commit).toBe(2);
    });

    it('takes entries larger than what it likes', async () => {
      const big = entries(2, 2, 1, 300_000);
      const found = await reopened(home(), async (store) => {
        await wait((done) => store.append(write([...entries(1, 1, 1), ...big]), done));
        await wait((done) => store.append(write(entries(3, 3, 1)), done));
      });
      expect(shape(found.entries)).toBe('1/1 2/1 3/1');
      expect(sameBytes(found.entries[1]!.bytes, big[0]!.bytes)).toBe(true);
    });

    it('goes through many restarts and compactions without losing or keeping too much', async () => {
      const at = home();
      let last = 0;
      let compacted = 0;
      let bytes = 0;
      for (let round = 1; round <= 12; round++) {
        const store = await at.store();
        const found = store.open();
        expect(found.compacted.index).toBe(compacted);
        expect(found.entries.map((entry) => entry.index)).toEqual(
          Array.from({ length: last - compacted }, (_, i) => compacted + 1 + i),
        );
        for (let i = 0; i < 40; i++) {
          await wait((done) => store.append(write(entries(last + 1, last + 3, 1, 100)), done));
          last += 3;
        }
        compacted = last - 7;
        store.compact(compacted, 1);
        await wait((done) => store.append(write(entries(++last, last, 1)), done));
        if (round === 3) bytes = store.bytes;
        if (round > 3) expect(store.bytes).toBeLessThan(bytes * 2 + at.slackBytes);
        await wait((done) => store.close(done));
      }
    });

    it('says how long the oldest append waits', async () => {
      const store = await home().store();
      store.open();
      expect(store.stalledMs()).toBe(0);
      await wait((done) => store.append(write(entries(1, 1, 1)), done));
      expect(store.stalledMs()).toBe(0);
      await wait((done) => store.close(done));
    });

    it('refuses a gap, a step back behind compaction, and a falling term', async () => {
      const store = await home().store();
      store.open();
      await wait((done) =>
        store.append(write(entries(1, 3, 2), { term: 2, vote: 0, commit: 0 }), done),
      );
      store.compact(2, 2);
      expect(() => store.append(write(entries(5, 5, 2)), () => {})).toThrow('appending 5');
      expect(() => store.append(write(entries(2, 2, 2)), () => {})).toThrow('appending 2');
      expect(() => store.append(write([], { term: 1, vote: 0, commit: 0 }), () => {})).toThrow(
        'term',
      );
    });
  });
}
