/** The log under crashes and a failing disk: whatever happens, what was acknowledged is there, or the log says `CORRUPT`. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entries, shape, write } from '../../../test/conformance/log-store.ts';
import { ManualTime } from '../../../test/support/manual-time.ts';
import type { FileFolder } from '../../platform/files.ts';
import type { Entry } from '../../wire/entry.ts';
import type { LogStore, RecoveredLog, SyncMode } from '../contract.ts';
import { createFaultyFolder, type FaultPlan, SimulatedCrash } from '../faulty-folder.ts';
import { createMemoryFolder, type MemoryFolder, type Survival } from '../memory-folder.ts';
import { createFileLogStore } from './file-log.ts';

const SEGMENT_BYTES = 4096;

type Step =
  | { readonly do: 'append'; readonly count: number; readonly size: number }
  | { readonly do: 'conflict'; readonly back: number; readonly count: number }
  | { readonly do: 'vote' }
  | { readonly do: 'compact'; readonly keep: number }
  | { readonly do: 'reset'; readonly ahead: number }
  | { readonly do: 'reopen' }
  | { readonly do: 'timers' };

/** What the log should be after a step, compaction left out: everything since the last reset. */
interface Expected {
  readonly term: number;
  readonly vote: number;
  readonly base: number;
  readonly entries: readonly Entry[];
}

/** Runs steps and notes what was acknowledged when. */
class Run {
  readonly states: Expected[] = [{ term: 0, vote: 0, base: 0, entries: [] }];
  /** Number of the last state that was acknowledged. */
  acknowledged = 0;
  compacted = 0;
  failure: Error | null = null;
  store: LogStore | null = null;
  readonly #folder: FileFolder;
  readonly #mode: SyncMode;
  readonly #time: ManualTime;

  constructor(folder: FileFolder, mode: SyncMode, time: ManualTime) {
    this.#folder = folder;
    this.#mode = mode;
    this.#time = time;
  }

  get now(): Expected {
    return this.states.at(-1)!;
  }

  open(): RecoveredLog {
    this.store = openStore(this.#folder, this.#mode, this.#time);
    return this.store.open();
  }

  run(steps: readonly Step[]): void {
    this.open();
    for (const step of steps) {
      if (this.failure !== null) return;
      this.step(step);
    }
    if (this.failure === null) this.close();
  }

  step(step: Step): void {
    const { now } = this;
    const last = now.base + now.entries.length;
    if (step.do === 'timers') this.#time.advance(10);
    else if (step.do === 'append') this.#append(last + 1, step.count, step.size);
    else if (step.do === 'conflict') {
      const first = Math.max(this.compacted + 1, last + 1 - step.back);
      this.#vote({ ...now, term: now.term + 1, vote: 0 });
      this.#append(first, step.count, 30);
    } else if (step.do === 'vote') this.#vote({ ...now, term: now.term + 1, vote: now.term + 7 });
    else if (step.do === 'compact') {
      const index = last - step.keep;
      if (index <= this.compacted) return;
      this.compacted = index;
      this.store!.compact(index, termOf(now, index));
    } else if (step.do === 'reset') {
      const index = last + step.ahead;
      this.compacted = index;
      const state = { ...now, base: index, entries: [] };
      this.#push(state, (done) => this.store!.reset(index, now.term, done));
    } else {
      this.close();
      if (this.failure === null) this.open();
    }
  }

  close(): void {
    this.store!.close((error) => {
      this.failure ??= error;
    });
  }

  #append(first: number, count: number, size: number): void {
    const { now } = this;
    const added = entries(first, first + count - 1, Math.max(1, now.term), size);
    const kept = now.entries.slice(0, first - now.base - 1);
    const state = { ...now, entries: [...kept, ...added] };
    this.#push(state, (done) => this.store!.append(write(added), done));
  }

  #vote(state: Expected): void {
    const hardState = { term: state.term, vote: state.vote, commit: 0 };
    this.#push(state, (done) => this.store!.append(write([], hardState), done));
  }

  #push(state: Expected, act: (done: (error: Error | null) => void) => void): void {
    const number = this.states.push(state) - 1;
    let calls = 0;
    act((error) => {
      expect(++calls).toBe(1);
      if (error === null) this.acknowledged = number;
      else this.failure = error;
    });
  }
}

function termOf(state: Expected, index: number): number {
  return state.entries[index - state.base - 1]?.term ?? Math.max(1, state.term);
}

function openStore(folder: FileFolder, sync: SyncMode, time: ManualTime): LogStore {
  const entropy = { fill: (out: Uint8Array) => void out.fill(0x5a) };
  return createFileLogStore({
    folder,
    sync,
    clock: time,
    timers: time,
    entropy,
    segmentBytes: SEGMENT_BYTES,
  });
}

/** Whether `found` is `state`, give or take compaction. */
function matches(found: RecoveredLog, state: Expected): boolean {
  if (found.hardState.term !== state.term || found.hardState.vote !== state.vote) return false;
  if (found.compacted.index < state.base) return false;
  const want = state.entries.slice(found.compacted.index - state.base);
  return (
    shape(want) === shape(found.entries) &&
    want.every((entry, i) => sameEntry(entry, found.entries[i]!))
  );
}

function sameEntry(a: Entry, b: Entry): boolean {
  return a.bytes.every((byte, i) => byte === b.bytes[i]);
}

/** Opens what is left and checks that it is the state after some step that was not lost; then that the log still works. */
function expectSafe(folder: MemoryFolder, run: Run, from: number = run.acknowledged): RecoveredLog {
  const time = new ManualTime();
  let store = openStore(folder, { mode: 'durable' }, time);
  const found = store.open();
  const allowed = run.states.slice(from);
  if (!allowed.some((state) => matches(found, state))) {
    const want = allowed.map((state) => `${state.term}/${state.vote} ${shape(state.entries)}`);
    const { term, vote } = found.hardState;
    throw new Error(
      `recovered ${term}/${vote} after ${found.compacted.index}: ${shape(found.entries)}\nexpected one of\n${want.join('\n')}`,
    );
  }
  expect(found.compacted.index).toBeLessThanOrEqual(run.compacted);
  if (found.torn) {
    folder.crash();
    store = openStore(folder, { mode: 'durable' }, time);
    const healed = store.open();
    expect([shape(healed.entries), healed.torn]).toEqual([shape(found.entries), false]);
  }
  const next = found.compacted.index + found.entries.length + 1;
  const added = entries(next, next + 3, Math.max(1, found.hardState.term), 700);
  let done = false;
  store.append(write(added), (error) => {
    done = error === null;
  });
  expect(done).toBe(true);
  folder.crash();
  const again = openStore(folder, { mode: 'durable' }, time).open();
  expect(shape(again.entries)).toBe(shape([...found.entries, ...added]));
  expect(again.torn).toBe(false);
  return found;
}

const SCRIPT: readonly Step[] = [
  { do: 'vote' },
  { do: 'append', count: 3, size: 40 },
  { do: 'timers' },
  { do: 'append', count: 20, size: 60 },
  { do: 'timers' },
  { do: 'conflict', back: 4, count: 2 },
  { do: 'timers' },
  { do: 'append', count: 1, size: 2500 },
  { do: 'timers' },
  { do: 'compact', keep: 3 },
  { do: 'append', count: 30, size: 50 },
  { do: 'timers' },
  { do: 'reopen' },
  { do: 'append', count: 1, size: 9000 },
  { do: 'timers' },
  { do: 'vote' },
  { do: 'append', count: 25, size: 80 },
  { do: 'compact', keep: 2 },
  { do: 'append', count: 25, size: 80 },
  { do: 'append', count: 20, size: 80 },
  { do: 'timers' },
  { do: 'reset', ahead: 10 },
  { do: 'timers' },
  { do: 'append', count: 10, size: 100 },
  { do: 'timers' },
  { do: 'compact', keep: 0 },
  { do: 'append', count: 40, size: 60 },
  { do: 'timers' },
  { do: 'append', count: 2, size: 10 },
  { do: 'timers' },
];

/** Runs the script with `plan` under the file layer; the run stops where the process dies or the store fails. */
function runWith(
  plan: FaultPlan,
  steps: readonly Step[] = SCRIPT,
  mode: SyncMode = { mode: 'durable' },
): { folder: MemoryFolder; run: Run; died: boolean } {
  const time = new ManualTime();
  const folder = createMemoryFolder({ later: (callback) => time.soon(callback) });
  const run = new Run(createFaultyFolder(folder, plan), mode, time);
  let died = false;
  try {
    run.run(steps);
  } catch (error) {
    const failure = error as { code?: string };
    if (error instanceof SimulatedCrash) died = true;
    else if (failure.code === 'STORAGE_FAILED') run.failure = error as Error;
    else throw error;
  }
  return { folder, run, died };
}

function countOperations(): number {
  let count = 0;
  runWith(() => {
    count++;
    return null;
  });
  return count;
}

/** A small generator: the same seed, the same decisions. */
function decisions(seed: number): () => boolean {
  let state = seed | 1;
  return () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    return ((state >>> 13) & 1) === 1;
  };
}

/** Keeps, drops and tears what was not synced. */
function chooser(seed: number): () => Survival {
  const decide = decisions(seed);
  return () => (decide() ? decide() : () => decide());
}

const OPERATIONS = countOperations();

describe('file log under crashes', () => {
  it('has a script that is long enough', () => {
    expect(OPERATIONS).toBeGreaterThan(90);
    const { run, folder } = runWith(() => null);
    expect(run.failure).toBeNull();
    expect(run.acknowledged).toBe(run.states.length - 1);
    expectSafe(folder, run);
  });

  it('a dying process loses nothing acknowledged, at every boundary', () => {
    for (let at = 0; at < OPERATIONS; at++) {
      const { folder, run, died } = runWith(({ number }) =>
        number === at ? { type: 'crash' } : null,
      );
      expect(died).toBe(true);
      folder.kill();
      expectSafe(folder, run);
    }
  });

  it('a power failure loses nothing acknowledged, at every boundary (scenarios 3, 7)', () => {
    let torn = 0;
    for (let at = 0; at < OPERATIONS; at++) {
      for (let seed = 0; seed < 4; seed++) {
        const { folder, run } = runWith(({ number }) => (number === at ? { type: 'crash' } : null));
        folder.crash(seed === 0 ? undefined : chooser(at * 100 + seed));
        if (expectSafe(folder, run).torn) torn++;
      }
    }
    expect(torn).toBeGreaterThan(10);
  });

  it('survives a second power failure while it recovers from the first', () => {
    for (let at = 20; at < OPERATIONS; at += 7) {
      for (let second = 0; second < 25; second++) {
        const { folder, run } = runWith(({ number }) => (number === at ? { type: 'crash' } : null));
        folder.crash(chooser(at));
        const dying = createFaultyFolder(folder, ({ number }) => {
          return number === second ? { type: 'crash' } : null;
        });
        try {
          openStore(dying, { mode: 'durable' }, new ManualTime()).open();
        } catch (error) {
          if (!(error instanceof SimulatedCrash)) throw error;
        }
        folder.crash(chooser(second));
        expectSafe(folder, run);
      }
    }
  });

  it('relaxed modes come back with a prefix, and with every vote (rule E1)', () => {
    for (const mode of [{ mode: 'os' }, { mode: 'interval', ms: 5 }] as const) {
      for (let at = 0; at < OPERATIONS; at++) {
        const { folder, run } = runWith(
          ({ number }) => (number === at ? { type: 'crash' } : null),
          SCRIPT,
          mode,
        );
        folder.crash(chooser(at));
        const voted = run.states.findLastIndex((state, i) => {
          return i > 0 && i <= run.acknowledged && state.term !== run.states[i - 1]!.term;
        });
        expectSafe(folder, run, Math.max(0, voted));
      }
    }
  });

  it('any script, any crash, any sectors (property)', () => {
    const step = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({
          do: fc.constant('append' as const),
          count: fc.integer({ min: 1, max: 30 }),
          size: fc.nat(200),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          do: fc.constant('conflict' as const),
          back: fc.nat(20),
          count: fc.integer({ min: 1, max: 5 }),
        }),
      },
      { weight: 1, arbitrary: fc.constant({ do: 'vote' as const }) },
      {
        weight: 2,
        arbitrary: fc.record({ do: fc.constant('compact' as const), keep: fc.nat(15) }),
      },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('reset' as const), ahead: fc.nat(5) }) },
      { weight: 1, arbitrary: fc.constant({ do: 'reopen' as const }) },
      { weight: 2, arbitrary: fc.constant({ do: 'timers' as const }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.nat(150), fc.nat(), (steps, at, seed) => {
        const { folder, run } = runWith(
          ({ number }) => (number === at ? { type: 'crash' } : null),
          steps,
        );
        folder.crash(chooser(seed));
        expectSafe(folder, run);
      }),
      { numRuns: 400 },
    );
  });
});

describe('file log in a segment that was begun in a crash', () => {
  it('does not reuse a file that holds records of a generation to come', () => {
    const { folder, died } = runWith(
      ({ kind, length }) => {
        // The last append's.
        return kind === 'write' && length === 224 ? { type: 'crash' } : null;
      },
      [
        { do: 'append', count: 30, size: 50 },
        { do: 'append', count: 30, size: 50 },
        { do: 'append', count: 5, size: 50 },
        { do: 'append', count: 1, size: 71 },
      ],
      { mode: 'os' },
    );
    expect(died).toBe(true);
    folder.crash((operation) => {
      return operation.type !== 'write' || operation.position > 0 || ((sector) => sector > 0);
    });
    const time = new ManualTime();
    const store = openStore(folder, { mode: 'durable' }, time);
    expect(store.open().entries).toHaveLength(30);
    for (let i = 31; i <= 33; i++) store.append(write(entries(i, i, 1, 300)), () => {});
    store.close(() => {});
    const again = openStore(folder, { mode: 'durable' }, time).open();
    expect([again.entries.length, again.torn]).toEqual([33, false]);
  });
});

describe('file log on a failing disk', () => {
  it('a failed or short operation stops the log, and nothing acknowledged is lost (scenarios 5, 6)', () => {
    for (let at = 0; at < OPERATIONS; at++) {
      for (const kind of ['io', 'no-space'] as const) {
        const { folder, run } = runWith(({ number }) =>
          number === at ? { type: 'error', kind } : null,
        );
        folder.kill();
        expectSafe(folder, run);
      }
    }
  });

  it('goes on after a short write', () => {
    for (let at = 0; at < OPERATIONS; at++) {
      const { folder, run } = runWith(({ number, kind }) => {
        return number === at && kind === 'write' ? { type: 'short', bytes: 33 } : null;
      });
      expect(run.failure).toBeNull();
      expectSafe(folder, run);
    }
  });

  it('never acknowledges after a failed sync, and takes nothing more (rule D3)', () => {
    const time = new ManualTime();
    const folder = createMemoryFolder();
    let failing = false;
    const faulty = createFaultyFolder(folder, ({ kind }) => {
      return failing && kind === 'sync' ? { type: 'error', kind: 'io' } : null;
    });
    const store = openStore(faulty, { mode: 'durable' }, time);
    store.open();
    const answers: string[] = [];
    const note = (name: string) => (error: Error | null) => {
      answers.push(`${name} ${error === null ? 'ok' : (error as Error & { code: string }).code}`);
    };
    store.append(write(entries(1, 2, 1)), note('a'));
    failing = true;
    store.append(write(entries(3, 3, 1)), (error) => {
      note('b')(error);
      store.append(write(entries(4, 4, 1)), note('c'));
    });
    failing = false;
    store.append(write(entries(5, 5, 1)), note('d'));
    store.close(note('close'));
    expect(answers).toEqual([
      'a ok',
      'b STORAGE_FAILED',
      'c STORAGE_FAILED',
      'd STORAGE_FAILED',
      'close STORAGE_FAILED',
    ]);
  });

  it('a full disk at rollover is a definite failure with advice', () => {
    const { folder, run } = runWith(({ kind, file }) => {
      const full = kind === 'write' && file !== 'log-1.seg';
      return full ? { type: 'error', kind: 'no-space' } : null;
    });
    expect(run.failure).toMatchObject({
      code: 'STORAGE_FAILED',
      outcome: 'not-applied',
      hint: expect.stringContaining('free space'),
    });
    folder.kill();
    expectSafe(folder, run);
  });
});

describe('file log and rot', () => {
  /** A log of two records; `variant` changes the entries, not their sizes. */
  function twoRecords(variant: number): { folder: MemoryFolder; first: number; second: number } {
    const folder = createMemoryFolder();
    const { store } = saltedLog(folder, 1);
    const first = store.bytes;
    store.append(write(entries(1, 4, variant)), () => {});
    const second = store.bytes;
    store.append(write(entries(5, 8, variant)), () => {});
    store.close(() => {});
    return { folder, first, second };
  }

  /** Overwrites bytes of one log by those of the other, as a write to the wrong place or a lost one does. */
  function misdirect(from: number, to: number): MemoryFolder {
    const { folder } = twoRecords(1);
    const other = twoRecords(2).folder.contentOf('log-1.seg');
    folder.damage('log-1.seg', (content) => content.set(other.subarray(from, to), from));
    return folder;
  }

  it('a good record that does not follow from the one before it is bad (rule D6)', () => {
    const { second } = twoRecords(1);
    const folder = misdirect(second, second + 120 + 4 * 52);
    expect(() => openStore(folder, { mode: 'durable' }, new ManualTime()).open()).toThrow(
      `offset ${second}`,
    );
  });

  it('good entries under the header of others are bad', () => {
    const { first } = twoRecords(1);
    const folder = misdirect(first + 120, first + 120 + 4 * 52);
    expect(() => openStore(folder, { mode: 'durable' }, new ManualTime()).open()).toThrow(
      `offset ${first}`,
    );
  });

  function closedLog(): { folder: MemoryFolder; run: Run } {
    const { folder, run } = runWith(() => null, SCRIPT.slice(0, 16));
    folder.crash(() => true);
    return { folder, run };
  }

  it('a flipped bit anywhere is harmless or `CORRUPT`, never a silent loss (scenario 8)', () => {
    const { folder, run } = closedLog();
    let corrupt = 0;
    let total = 0;
    for (const name of folder.list()) {
      const size = folder.contentOf(name).length;
      for (let at = 0; at < size; at += 3) {
        const flip = (content: Uint8Array): void => {
          content[at]! ^= 1 << (at % 8);
        };
        total++;
        folder.damage(name, flip);
        const before = folder.contentOf(name);
        let state: Expected | undefined;
        try {
          const found = openStore(folder, { mode: 'durable' }, new ManualTime()).open();
          state = matches(found, run.now) ? run.now : undefined;
          expect(state, `bit ${at % 8} of byte ${at} of ${name}`).toBeDefined();
        } catch (error) {
          expect(error).toMatchObject({ code: 'CORRUPT', hint: expect.any(String) });
          expect((error as Error).message).toContain('memory/log-');
          corrupt++;
        }
        restore(folder, name, before, flip);
      }
    }
    expect(corrupt).toBeGreaterThan(total / 4);
  });

  /** Puts a file back as it was before the flip and before what opening it wrote. */
  function restore(
    folder: MemoryFolder,
    name: string,
    flipped: Uint8Array,
    flip: (content: Uint8Array) => void,
  ): void {
    flip(flipped);
    folder.crash(() => true);
    for (const other of folder.list()) if (!pristine.has(other)) folder.remove(other);
    for (const [other, content] of pristine) {
      const handle = folder.open(other, { create: true });
      handle.truncate(0);
      handle.write(other === name ? flipped : content, 0);
      handle.sync();
      handle.close();
    }
    folder.syncFolder();
  }

  const pristine = new Map<string, Uint8Array>();
  {
    const { folder } = closedLog();
    for (const name of folder.list()) pristine.set(name, folder.contentOf(name));
  }

  it('a file that was cut, emptied or lost is `CORRUPT`', () => {
    for (const [name, content] of pristine) {
      for (const size of [0, 100, content.length - 1, -1]) {
        const { folder, run } = closedLog();
        if (size < 0) folder.remove(name);
        else folder.open(name, { create: false }).truncate(size);
        let outcome: string;
        try {
          const found = openStore(folder, { mode: 'durable' }, new ManualTime()).open();
          outcome = matches(found, run.now) ? 'spare' : 'lost';
        } catch (error) {
          outcome = (error as { code: string }).code;
        }
        const live = content.some((byte) => byte !== 0) && !isNewestAndGone(name, size);
        if (live) expect(['CORRUPT', 'spare'], `${name} cut to ${size}`).toContain(outcome);
      }
    }

    /** The newest segment leaves no trace when it is lost whole; peers remember (architecture, section 3). */
    function isNewestAndGone(name: string, size: number): boolean {
      return size < 4096 && name === newestName();
    }
  });

  function newestName(): string {
    let newest = '';
    let highest = -1;
    for (const [name, content] of pristine) {
      const generation = new DataView(content.buffer).getUint32(40, true);
      if (generation > highest) [newest, highest] = [name, generation];
    }
    return newest;
  }

  it('zeros and garbage behind the end are no records (rule D6, scenario 9)', () => {
    const { folder, run } = runWith(() => null, SCRIPT.slice(0, 3));
    folder.crash(() => true);
    const [name] = folder.list();
    folder.damage(name!, (content) => {
      const view = new DataView(content.buffer, content.byteOffset, content.length);
      const end = findEnd(content);
      view.setUint32(end, 0x474f4c51, true);
      view.setUint32(end + 8, 0xfffffff8, true);
      view.setUint32(end + 20, 0x7fffffff, true);
    });
    const found = openStore(folder, { mode: 'durable' }, new ManualTime()).open();
    expect(found.torn).toBe(true);
    expect(matches(found, run.now)).toBe(true);
  });

  function findEnd(content: Uint8Array): number {
    let end = content.length;
    while (end > 0 && content[end - 1] === 0) end--;
    return Math.ceil(end / 8) * 8;
  }

  it('bytes of a client that look like a record do not count behind a torn one', () => {
    // The client sends the records of another log, which claim everything as synced; then power fails.
    const forged = saltedLog(createMemoryFolder(), 1);
    for (let i = 1; i <= 5; i++) {
      forged.store.append(write(entries(i, i, 1), { term: i, vote: 1, commit: 0 }), () => {});
    }
    forged.store.close(() => {});
    const payload = forged.folder.contentOf('log-1.seg').slice(0, 2000);
    function reopened(salt: number): RecoveredLog {
      const victim = saltedLog(createMemoryFolder(), salt);
      const padding = 8 - (32 % 8);
      const [entry] = entries(1, 1, 1, padding + payload.length);
      entry!.bytes.set(payload, 32 + padding);
      victim.store.append(write([entry!]), () => {});
      victim.folder.crash((operation) => operation.type !== 'write' || ((sector) => sector > 0));
      return openStore(victim.folder, { mode: 'durable' }, new ManualTime()).open();
    }
    expect(reopened(2).entries).toEqual([]);
    // It would have worked with the salt known.
    expect(() => reopened(1)).toThrow('says that it was synced');
  });

  function saltedLog(
    folder: MemoryFolder,
    salt: number,
  ): { folder: MemoryFolder; store: LogStore } {
    const time = new ManualTime();
    const store = createFileLogStore({
      folder,
      sync: { mode: 'os' },
      clock: time,
      timers: time,
      entropy: { fill: (out) => void out.fill(salt) },
      segmentBytes: SEGMENT_BYTES,
    });
    store.open();
    return { folder, store };
  }
});
