/** Checkpoints under crashes, failing disks and rot: what was reported durable is there, or its loss is told. */
import { describe, expect, it } from 'vitest';
import { transfer, World } from '../../../test/conformance/snapshot-store.ts';
import type { FileFolder } from '../../platform/files.ts';
import type { SnapshotStore } from '../contract.ts';
import { createFaultyFolder, type FaultPlan, SimulatedCrash } from '../faulty-folder.ts';
import { createMemoryFolder, type MemoryFolder, type Survival } from '../memory-folder.ts';
import { createSnapshotStore } from './snapshot-store.ts';

/** Callbacks wait here until `drain`: whole runs are synchronous. */
class Later {
  readonly #queue: (() => void)[] = [];
  readonly push = (callback: () => void): void => void this.#queue.push(callback);

  drain(): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) next();
  }
}

/** What the disk may hold after a run. */
interface Run {
  readonly folder: MemoryFolder;
  readonly later: Later;
  /** The world at each checkpoint that was begun. */
  readonly worlds: World[];
  /** How many of them were reported durable; 0 before the first. */
  durable: number;
  failure: Error | null;
  died: boolean;
}

/** Changes that make deltas small at first and then large enough to be merged. */
function change(world: World, round: number): void {
  for (let page = 1; page <= (round === 1 ? 22 : 4); page++) {
    world.page(((page * round * 7) % 24) + 1, (page * round) % 256);
  }
  if (round === 4) world.resize(12);
  for (let i = 0; i < 20; i++)
    world.set('keys', `${(i * round) % 33}`, i % 5 === 0 ? null : `v${round}`);
}

/** Six checkpoints, a restart, a snapshot from a peer, and one checkpoint on top. */
function runWith(plan: FaultPlan): Run {
  const later = new Later();
  const folder = createMemoryFolder({ later: later.push });
  const faulty = createFaultyFolder(folder, plan);
  const run: Run = { folder, later, worlds: [], durable: 0, failure: null, died: false };
  try {
    const world = new World();
    let store = opened(faulty);
    for (let round = 1; round <= 8 && run.failure === null; round++) {
      change(world, round);
      if (round === 5) store = opened(faulty);
      if (round === 7) receiveFromPeer(run, store, world);
      else take(run, store, world);
    }
  } catch (error) {
    if (error instanceof SimulatedCrash) run.died = true;
    else if ((error as { code?: string }).code === 'STORAGE_FAILED') run.failure = error as Error;
    else throw error;
  }
  return run;
}

function opened(folder: FileFolder): SnapshotStore {
  const store = createSnapshotStore({ folder });
  store.open()?.content.close();
  return store;
}

/** Takes a checkpoint of `world` and notes how it went. */
function take(run: Run, store: SnapshotStore, world: World): void {
  const cut = world.cut(store.newest?.index ?? 0);
  const number = run.worlds.push(world.copy());
  store.write(cut, run.later.push, (error) => settled(run, number, error));
  run.later.drain();
}

function receiveFromPeer(run: Run, store: SnapshotStore, world: World): void {
  const peer = createMemoryFolder({ later: run.later.push });
  const source = opened(peer);
  source.write(world.cut(0), run.later.push, () => {});
  run.later.drain();
  const number = run.worlds.push(world.copy());
  const reader = source.read()!;
  const receiver = store.receive(reader.manifest);
  transfer(reader, receiver, 30_000);
  receiver.finish((error) => settled(run, number, error));
  run.later.drain();
}

function settled(run: Run, number: number, error: Error | null): void {
  if (error === null) run.durable = number;
  else run.failure = error;
}

/** Opens what is left, checks it against the worlds that may be there, then takes another checkpoint on top. */
function expectSafe(run: Run): void {
  const found = createSnapshotStore({ folder: run.folder }).open();
  if (found === null) {
    expect(run.durable).toBe(0);
    return;
  }
  const { index } = found.content.meta;
  const number = run.worlds.findIndex((world) => world.index === index) + 1;
  expect(number).toBeGreaterThanOrEqual(Math.max(1, run.durable));
  const world = run.worlds[number - 1]!.copy();
  world.expectIn(found.content);
  expect(found.fellBack).toBe(false);
  found.content.close();
  const store = opened(run.folder);
  change(world, 9);
  const again: Run = { ...run, worlds: [], durable: 0, failure: null };
  take(again, store, world);
  expect(again.failure).toBeNull();
  run.folder.crash();
  const { content } = createSnapshotStore({ folder: run.folder }).open()!;
  world.expectIn(content);
  content.close();
}

function chooser(seed: number): () => Survival {
  let state = seed | 1;
  const decide = (): boolean => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    return ((state >>> 13) & 1) === 1;
  };
  return () => (decide() ? decide() : () => decide());
}

const OPERATIONS = (() => {
  let count = 0;
  runWith(() => {
    count++;
    return null;
  });
  return count;
})();

describe('checkpoints under crashes', () => {
  it('has a run that is long enough', () => {
    expect(OPERATIONS).toBeGreaterThan(100);
    const run = runWith(() => null);
    expect(run.failure).toBeNull();
    expect(run.durable).toBe(8);
    expectSafe(run);
  });

  it('a dying process loses no checkpoint, at every boundary (rule S4, scenario 14)', () => {
    for (let at = 0; at < OPERATIONS; at++) {
      const run = runWith(({ number }) => (number === at ? { type: 'crash' } : null));
      expect(run.died).toBe(true);
      run.folder.kill();
      expectSafe(run);
    }
  });

  it('a power failure loses no checkpoint, at every boundary (rule S1)', () => {
    for (let at = 0; at < OPERATIONS; at++) {
      const run = runWith(({ number }) => (number === at ? { type: 'crash' } : null));
      run.folder.crash(at % 3 === 0 ? undefined : chooser(at));
      expectSafe(run);
    }
  });

  it('a failing operation loses no checkpoint (scenarios 6, 16)', () => {
    let failures = 0;
    for (let at = 0; at < OPERATIONS; at++) {
      const kind = at % 2 === 0 ? 'io' : 'no-space';
      const run = runWith(({ number, kind: operation }) => {
        // A read that fails at open is damage: see below.
        return number === at && operation !== 'read' ? { type: 'error', kind } : null;
      });
      if (run.failure !== null) failures++;
      run.folder.kill();
      expectSafe(run);
    }
    expect(failures).toBeGreaterThan(40);
  });
});

describe('checkpoints on a full disk', () => {
  it('a failed write leaves the store usable, and nothing behind', () => {
    const later = new Later();
    const folder = createMemoryFolder({ later: later.push });
    let full = false;
    const store = opened(
      createFaultyFolder(folder, ({ kind }) => {
        return full && kind === 'write' ? { type: 'error', kind: 'no-space' } : null;
      }),
    );
    const world = new World();
    const run: Run = { folder, later, worlds: [], durable: 0, failure: null, died: false };
    change(world, 1);
    take(run, store, world);
    const files = folder.list();
    full = true;
    change(world, 2);
    take(run, store, world);
    expect(run.failure).toMatchObject({ code: 'STORAGE_FAILED' });
    expect(folder.list()).toEqual(files);
    full = false;
    run.failure = null;
    take(run, store, world);
    expect(run.failure).toBeNull();
    expect(run.durable).toBe(3);
    expectSafe(run);
  });

  it('accepts nothing more when it is unknown which checkpoint is in force (rule D3)', () => {
    const later = new Later();
    const folder = createMemoryFolder({ later: later.push });
    let failing = false;
    const store = opened(
      createFaultyFolder(folder, ({ kind }) => {
        return failing && kind === 'rename' ? { type: 'error', kind: 'io' } : null;
      }),
    );
    const world = new World();
    const run: Run = { folder, later, worlds: [], durable: 0, failure: null, died: false };
    take(run, store, world);
    failing = true;
    take(run, store, world);
    expect(run.failure).toMatchObject({ code: 'STORAGE_FAILED' });
    failing = false;
    run.failure = null;
    take(run, store, world);
    expect(run.failure).toMatchObject({ code: 'STORAGE_FAILED' });
    expect(run.durable).toBe(1);
  });
});

describe('checkpoints and rot', () => {
  /** Two checkpoints: a base, and a delta on it. */
  function twoCheckpoints(): Run {
    const later = new Later();
    const folder = createMemoryFolder({ later: later.push });
    const store = opened(folder);
    const world = new World();
    const run: Run = { folder, later, worlds: [], durable: 0, failure: null, died: false };
    for (const round of [1, 2]) {
      change(world, round);
      take(run, store, world);
    }
    return run;
  }

  /** What opening says: the number of the checkpoint, or the code of the error. */
  function outcome(run: Run): string {
    try {
      const found = createSnapshotStore({ folder: run.folder }).open()!;
      const number = run.worlds.findIndex((world) => world.index === found.content.meta.index);
      run.worlds[number]!.expectIn(found.content);
      found.content.close();
      return `${number + 1}${found.fellBack ? ' fell back' : ''}`;
    } catch (error) {
      return (error as { code?: string }).code ?? String(error);
    }
  }

  it('falls back to the one before when the newest is damaged (rule S6, scenario 15)', () => {
    expect(outcome(twoCheckpoints())).toBe('2');
    const expected = {
      'checkpoint-1.data': 'CORRUPT',
      'checkpoint-1.manifest': '2',
      'checkpoint-2.data': '1 fell back',
      'checkpoint-2.manifest': '1 fell back',
    };
    expect(twoCheckpoints().folder.list()).toEqual(Object.keys(expected));
    for (const [name, result] of Object.entries(expected)) {
      const size = twoCheckpoints().folder.contentOf(name).length;
      for (let at = 0; at < size; at += Math.ceil(size / 30)) {
        const run = twoCheckpoints();
        run.folder.damage(name, (content) => {
          content[at]! ^= 1 << (at % 8);
        });
        expect(outcome(run), `byte ${at} of ${name}`).toBe(result);
      }
    }
  });

  it('falls back when a file of the newest was cut, lost, or cannot be read', () => {
    for (const name of ['checkpoint-2.data', 'checkpoint-2.manifest']) {
      for (const size of [0, 40]) {
        const run = twoCheckpoints();
        run.folder.open(name, { create: false }).truncate(size);
        expect(outcome(run)).toBe('1 fell back');
      }
      const run = twoCheckpoints();
      const unreadable = createFaultyFolder(run.folder, ({ kind, file }) => {
        return kind === 'read' && file === name ? { type: 'error', kind: 'io' } : null;
      });
      const found = createSnapshotStore({ folder: unreadable }).open()!;
      expect([found.content.meta.index, found.fellBack]).toEqual([1, true]);
    }
    const run = twoCheckpoints();
    run.folder.remove('checkpoint-2.data');
    expect(outcome(run)).toBe('1 fell back');
  });

  it('goes on after a fall-back: the next checkpoint replaces the damaged one', () => {
    const run = twoCheckpoints();
    run.folder.damage('checkpoint-2.data', (content) => content.fill(7));
    const store = createSnapshotStore({ folder: run.folder });
    const { content } = store.open()!;
    content.close();
    expect([store.newest?.index, store.previousIndex]).toEqual([1, 0]);
    const world = run.worlds[0]!.copy();
    world.index = 5;
    change(world, 3);
    take(run, store, world);
    expect(run.failure).toBeNull();
    expect([store.newest?.index, store.previousIndex]).toEqual([6, 1]);
    expect(outcome(run)).toBe('3');
    expect(run.folder.list().some((name) => name === 'checkpoint-2.data')).toBe(false);
  });

  it('does not pass rot on when it merges', () => {
    const run = twoCheckpoints();
    const store = opened(run.folder);
    run.folder.damage('checkpoint-1.data', (content) => {
      content[5000]! ^= 1;
    });
    const world = run.worlds[1]!.copy();
    for (let round = 0; round < 12 && run.failure === null; round++) {
      for (let page = 12; page < 20; page++) world.page(page, round + 1);
      take(run, store, world);
    }
    expect(run.failure).toMatchObject({ code: 'CORRUPT' });
    expect((run.failure as Error).message).toContain('checkpoint-1.data');
  });

  it('refuses a file that is too small, or none of ours (scenario 17)', () => {
    const run = twoCheckpoints();
    const source = opened(run.folder);
    const reader = source.read()!;
    const at = createMemoryFolder({ later: run.later.push });
    const target = opened(at);
    const receiver = target.receive(reader.manifest);
    transfer(reader, receiver, 30_000);
    for (const name of at.list()) {
      at.open(name, { create: false }).sync();
      at.damage(name, (content) => content.fill(0));
    }
    let failure: Error | null = null;
    receiver.finish((error) => {
      failure = error;
    });
    run.later.drain();
    expect(failure).toMatchObject({ code: 'CORRUPT' });
    expect(target.newest).toBeNull();
    expect(at.list()).toEqual([]);
  });
});
