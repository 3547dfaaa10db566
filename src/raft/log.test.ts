import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Entry, EntryKind, makeEntry } from '../wire/entry.ts';
import { EMPTY_MEMBERSHIP } from '../wire/membership.ts';
import type { RaftStart } from './contract.ts';
import { RaftLog } from './log.ts';

function startOf(entries: Entry[], compacted: RaftStart['compacted'], commit: number): RaftStart {
  return {
    id: 1,
    hardState: { term: 9, vote: 0, commit },
    applied: compacted,
    compacted,
    membership: EMPTY_MEMBERSHIP,
    entries,
    limits: {
      electionTicks: 10,
      heartbeatTicks: 1,
      maxAppendBytes: 1000,
      maxInflightMessages: 8,
      maxInflightBytes: 1000,
      maxUncommittedBytes: 1000,
      maxApplyBytes: 1000,
      maxPendingReads: 10,
    },
    seed: 1,
    recovering: false,
  };
}

function logOf(terms: readonly number[], base = 0, commit = base): RaftLog {
  const entries = terms.map((term, at) => entry(base + 1 + at, term));
  return new RaftLog(startOf(entries, { index: base, term: base === 0 ? 0 : 1 }, commit));
}

function entry(index: number, term: number, bytes = 0): Entry {
  return makeEntry(term, index, EntryKind.commands, new Uint8Array(bytes));
}

const terms = fc
  .array(fc.integer({ min: 1, max: 5 }), { maxLength: 20 })
  .map((list) => list.sort((a, b) => a - b));

/** The log as an array of terms behind a base. */
interface Model {
  base: number;
  baseTerm: number;
  terms: number[];
  commit: number;
}

function modelTerm(model: Model, index: number): number | null {
  if (index === model.base) return model.baseTerm;
  return model.terms[index - model.base - 1] ?? null;
}

function expectSame(log: RaftLog, model: Model): void {
  expect(log.compacted).toBe(model.base);
  expect(log.last).toBe(model.base + model.terms.length);
  expect(log.commit).toBe(model.commit);
  for (let index = Math.max(0, model.base - 1); index <= log.last + 1; index++) {
    expect(log.termAt(index)).toBe(modelTerm(model, index));
  }
}

test('R1, R3: merging keeps what matches and replaces what conflicts, like a naive array', () => {
  fc.assert(
    fc.property(terms, terms, fc.nat(20), (mine, theirs, from) => {
      const start = Math.min(from, theirs.length);
      const sent = theirs.slice(start).map((term, at) => entry(start + 1 + at, term));
      // Append is only called where the entry before matched, so give both logs the same head.
      const model = [...theirs.slice(0, start), ...mine.slice(start)];
      if (!isAscending(model)) return;
      const merged = logOf(model);
      const conflict = sent.findIndex((each) => model[each.index - 1] !== each.term);
      const kept =
        conflict < 0
          ? model
          : [...model.slice(0, start + conflict), ...theirs.slice(start + conflict)];
      const cut = merged.merge(sent);
      expectSame(merged, { base: 0, baseTerm: 0, terms: kept, commit: 0 });
      const truncates = conflict >= 0 && start + conflict < model.length;
      expect(cut).toBe(truncates ? start + conflict + 1 : null);
    }),
  );
});

function isAscending(list: readonly number[]): boolean {
  return list.every((term, at) => at === 0 || list[at - 1]! <= term);
}

test('appending, truncating and compacting in any order agree with a naive array', () => {
  const action = fc.oneof(
    fc.record({ append: fc.integer({ min: 0, max: 2 }) }),
    fc.record({ rewrite: fc.nat(30) }),
    fc.record({ apply: fc.nat(5) }),
    fc.record({ compact: fc.nat(5) }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      const log = logOf([]);
      const model: Model = { base: 0, baseTerm: 0, terms: [], commit: 0 };
      for (const act of actions) perform(log, model, act);
      expectSame(log, model);
    }),
  );
});

type Action = { append: number } | { rewrite: number } | { apply: number } | { compact: number };

function perform(log: RaftLog, model: Model, action: Action): void {
  if ('append' in action) {
    const term = Math.max(1, log.lastTerm) + action.append;
    log.append(entry(log.last + 1, term));
    model.terms.push(term);
  } else if ('rewrite' in action) {
    const from = Math.max(model.commit + 1, log.last - action.rewrite);
    const term = log.lastTerm + 1;
    if (from > log.last) return;
    log.merge([entry(from, term)]);
    model.terms = [...model.terms.slice(0, from - model.base - 1), term];
  } else if ('apply' in action) {
    model.commit = Math.min(log.last, model.commit + action.apply);
    log.commitTo(model.commit);
    log.accept();
    log.markStable(log.last, log.lastTerm);
    log.give(Number.POSITIVE_INFINITY);
    log.markApplied(model.commit);
  } else {
    const index = Math.min(model.commit, model.base + action.compact);
    model.baseTerm = modelTerm(model, index)!;
    model.terms = model.terms.slice(index - model.base);
    model.base = index;
    log.compact(index);
  }
}

test('R5: the hint is the last entry at or below the probe, in index and in term', () => {
  fc.assert(
    fc.property(terms, fc.nat(25), fc.integer({ min: 0, max: 6 }), (list, index, term) => {
      const hint = logOf(list).lastAtOrBelow(index, term);
      let naive = Math.min(index, list.length);
      while (naive > 0 && list[naive - 1]! > term) naive--;
      expect(hint).toEqual({ index: naive, term: naive === 0 ? 0 : list[naive - 1] });
    }),
  );
});

test('R3: a committed entry is never truncated', () => {
  const log = logOf([1, 1, 2], 0, 2);
  expect(() => log.merge([entry(2, 3)])).toThrow('2 is committed');
});

test('R9: entries follow each other, and so do their terms', () => {
  const log = logOf([1, 3]);
  expect(() => log.append(entry(4, 3))).toThrow('entry 4 follows 2');
  expect(() => log.append(entry(3, 2))).toThrow('term 2 follows term 3');
});

test('E2: a log is up to date by its last term first, then by its length', () => {
  const log = logOf([1, 1, 3]);
  expect(log.isUpToDate(2, 4)).toBe(true);
  expect(log.isUpToDate(3, 3)).toBe(true);
  expect(log.isUpToDate(2, 3)).toBe(false);
  expect(log.isUpToDate(99, 2)).toBe(false);
});

test('slices are limited in bytes, but never empty', () => {
  const log = logOf([]);
  for (let index = 1; index <= 4; index++) log.append(entry(index, 1, 68));
  expect(log.slice(1, 4, 200).length).toBe(2);
  expect(log.slice(2, 4, 1).length).toBe(1);
  expect(log.bytesOf(2, 4)).toBe(300);
});

test('R13: only what is committed and durable is given out, a window at a time', () => {
  const log = logOf([]);
  for (let index = 1; index <= 4; index++) log.append(entry(index, 1, 68));
  log.commitTo(4);
  expect(log.give(1000)).toEqual([]);
  log.accept();
  log.markStable(3, 1);
  expect(log.give(150).map((each) => each.index)).toEqual([1]);
  expect(log.give(250).map((each) => each.index)).toEqual([2]);
  expect(log.give(200)).toEqual([]);
  log.markApplied(2);
  expect(log.give(1000).map((each) => each.index)).toEqual([3]);
});

test('D8: a commit hint beyond the log is cut, one below the checkpoint is raised', () => {
  expect(logOf([1, 1], 0, 9).commit).toBe(2);
  expect(logOf([1, 1], 4, 1).commit).toBe(4);
});

test('S3: a snapshot at an entry of the log keeps what follows, another one replaces all', () => {
  const log = logOf([1, 1, 2, 2]);
  log.forward(3);
  expect([log.commit, log.applied, log.last]).toEqual([3, 3, 4]);
  log.reset(9, 5);
  expect([log.commit, log.applied, log.last, log.compacted, log.lastTerm]).toEqual([9, 9, 9, 9, 5]);
  expect(() => log.reset(9, 6)).toThrow('may not replace committed');
});
