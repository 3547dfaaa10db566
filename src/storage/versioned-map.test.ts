import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOfKey, keyOfBytes } from './byte-key.ts';
import { type Fork, VersionedMap } from './versioned-map.ts';

/** The slow and obvious one: every fork is a copy, every change is in a list. */
class Model {
  now: Map<string, number> = new Map();
  readonly changes: { at: number; key: string }[] = [];
  at = 0;

  set(key: string, value: number): void {
    this.now.set(key, value);
    this.changes.push({ at: this.at, key });
  }

  delete(key: string): void {
    if (this.now.delete(key)) this.changes.push({ at: this.at, key });
  }

  changedBetween(since: number, until: number): string[] {
    const keys = this.changes.filter(({ at }) => at > since && at <= until).map(({ key }) => key);
    return [...new Set(keys)].sort();
  }
}

interface Open {
  readonly fork: Fork<string, number>;
  readonly copy: Map<string, number>;
  readonly at: number;
}

const command = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant('set' as const), key: fc.nat(9), value: fc.nat() }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('delete' as const), key: fc.nat(9) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('fork' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('release' as const), which: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forget' as const), which: fc.nat(9) }) },
);

function pairs(entries: Iterable<[string, number]>): [string, number][] {
  return [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Runs commands on both and compares everything that can be seen. */
function compare(
  commands: readonly (typeof command extends fc.Arbitrary<infer C> ? C : never)[],
): void {
  const map = new VersionedMap<string, number>();
  const model = new Model();
  const open: Open[] = [];
  const marks: { mark: number; at: number }[] = [{ mark: 0, at: -1 }];
  let floor = 0;
  for (const step of commands) {
    if (step.do === 'set') {
      map.set(`k${step.key}`, step.value);
      model.set(`k${step.key}`, step.value);
    } else if (step.do === 'delete') {
      expect(map.delete(`k${step.key}`)).toBe(model.now.has(`k${step.key}`));
      model.delete(`k${step.key}`);
    } else if (step.do === 'fork') {
      const fork = map.fork();
      open.push({ fork, copy: new Map(model.now), at: model.at });
      marks.push({ mark: fork.mark, at: model.at });
      model.at++;
    } else if (step.do === 'release' && open.length > 0) {
      const [gone] = open.splice(step.which % open.length, 1);
      gone!.fork.release();
    } else if (step.do === 'forget') {
      floor = Math.max(floor, step.which % marks.length);
      map.forget(marks[floor]!.mark);
    }
    expect(map.size).toBe(model.now.size);
    for (const { fork, copy } of open) {
      expect(fork.size).toBe(copy.size);
      for (let k = 0; k < 10; k++) expect(fork.get(`k${k}`)).toBe(copy.get(`k${k}`));
    }
  }
  expect(pairs(map.entries())).toEqual(pairs(model.now));
  for (const { fork, copy, at } of open) {
    expect(pairs(fork.entries())).toEqual(pairs(copy));
    for (const since of marks.slice(floor)) {
      if (since.at > at) continue;
      const dirty = [...fork.dirtySince(since.mark)];
      expect(new Set(dirty).size).toBe(dirty.length);
      expect(dirty.sort()).toEqual(model.changedBetween(since.at, at));
    }
  }
}

describe('VersionedMap', () => {
  it('behaves like copies of a map (property)', () => {
    fc.assert(fc.property(fc.array(command, { maxLength: 120 }), compare), { numRuns: 400 });
  });

  it('shows a fork while it is iterated and the map changes', () => {
    const map = new VersionedMap<string, number>();
    for (let i = 0; i < 100; i++) map.set(`k${i}`, i);
    const fork = map.fork();
    const seen: [string, number][] = [];
    for (const pair of fork.entries()) {
      seen.push(pair);
      map.set(`k${99 - seen.length}`, -1);
      map.set(`new${seen.length}`, -1);
      map.delete(`k${seen.length}`);
    }
    expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => [`k${i}`, i]));
  });

  it('forgets deleted keys and old values once nobody needs them', () => {
    const map = new VersionedMap<number, number>();
    for (let round = 0; round < 50; round++) {
      const fork = map.fork();
      for (let i = 0; i < 100; i++) map.set(round * 100 + i, i);
      for (let i = 0; i < 100; i++) map.delete(round * 100 - 100 + i);
      for (const _ of fork.dirtySince(Math.max(0, fork.mark - 1))) {
        // Asking is what counts.
      }
      fork.release();
    }
    expect(map.size).toBe(100);
    expect(map.heldCells()).toBeLessThan(600);
    expect(map.dirtyCount(0)).toBeLessThan(600);
  });

  it('hands old values from fork to fork, and drops them with the last', () => {
    const map = new VersionedMap<string, number>();
    for (let i = 0; i < 50; i++) map.set(`k${i}`, 0);
    const older = map.fork();
    map.mark();
    const newer = map.fork();
    for (let i = 0; i < 50; i++) map.set(`k${i}`, 1);
    newer.release();
    for (let i = 0; i < 50; i++) map.set('other', i);
    expect(older.get('k7')).toBe(0);
    expect(map.heldCells()).toBe(101);
    older.release();
    for (let i = 0; i < 50; i++) map.set('other', i);
    expect(map.heldCells()).toBe(51);
  });

  it('refuses to tell changes since a mark that is forgotten', () => {
    const map = new VersionedMap<string, number>();
    map.set('a', 1);
    const first = map.mark();
    map.set('b', 1);
    const second = map.mark();
    map.forget(second);
    expect([...map.fork().dirtySince(second)]).toEqual([]);
    expect(() => [...map.fork().dirtySince(first)]).toThrow('forgotten');
  });

  it('takes bytes as keys', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
        expect(bytesOfKey(keyOfBytes(bytes))).toEqual(bytes);
      }),
    );
    const long = new Uint8Array(10_000).map((_, i) => i);
    expect(bytesOfKey(keyOfBytes(long))).toEqual(long);
  });
});
