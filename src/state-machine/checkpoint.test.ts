import { describe, expect, it } from 'vitest';
import { engineUnderTest } from '../../test/kit/engine.ts';
import {
  applyNext,
  execute,
  MemoryCheckpoint,
  openTestMachine,
  rowsOf,
  run,
} from '../../test/kit/entries.ts';
import { EntryKind, makeEntry } from '../wire/entry.ts';
import { EMPTY_MEMBERSHIP } from '../wire/membership.ts';
import { openStateMachine } from './state-machine.ts';

describe('checkpoints', () => {
  it('hold what was there when they were cut, whatever comes after', () => {
    const machine = openTestMachine();
    run(machine, 'CREATE TABLE t (x)');
    run(machine, "INSERT INTO t VALUES ('before')");
    applyNext(machine, { op: 'settings', patch: { resultRows: 77 } });
    const hash = machine.databaseHash();
    const cut = machine.cut(0, EMPTY_MEMBERSHIP);
    run(machine, 'CREATE TABLE u (x)');
    run(machine, "UPDATE t SET x = 'after'");
    applyNext(machine, { op: 'settings', patch: { resultRows: 88 } });
    const restored = openTestMachine({ checkpoint: new MemoryCheckpoint().add(cut).content() });
    expect(restored.applied).toEqual({ index: 3, term: 1 });
    expect(restored.databaseHash()).toBe(hash);
    expect(restored.settings()['resultRows']).toBe(77);
    expect(rowsOf(restored, 'SELECT x FROM t')).toEqual([['before']]);
    expect([restored.elapsed, restored.wall]).toEqual([cut.meta.elapsed, cut.meta.wall]);
    machine.close();
    restored.close();
  });

  it('build on the one before, once it is known to be durable', () => {
    const machine = openTestMachine();
    run(machine, 'CREATE TABLE t (x)');
    run(machine, 'INSERT INTO t VALUES (hex(zeroblob(200000)))');
    const kept = new MemoryCheckpoint().add(machine.cut(0, EMPTY_MEMBERSHIP));
    machine.checkpointed(2);
    const before = machine.dirtyBytes();
    run(machine, 'CREATE TABLE u (x)');
    const cut = machine.cut(2, EMPTY_MEMBERSHIP);
    expect(cut.since).toBe(2);
    expect(cut.pages.length).toBeLessThan(5);
    kept.add(cut);
    expect(before).toBe(0);
    const full = new MemoryCheckpoint().add(machine.cut(0, EMPTY_MEMBERSHIP));
    expect(kept.dump()).toEqual(full.dump());
    const restored = openTestMachine({ checkpoint: kept.content() });
    expect(restored.databaseHash()).toBe(machine.databaseHash());
    // A restored machine builds on the checkpoint that it came from.
    const empty = restored.cut(3, EMPTY_MEMBERSHIP);
    expect([empty.since, empty.pages.length]).toEqual([3, 0]);
    empty.release();
    expect(restored.cut(2, EMPTY_MEMBERSHIP).since).toBe(0);
    machine.close();
    restored.close();
  });

  it('of another engine or with unknown sections are refused', () => {
    const machine = openTestMachine();
    run(machine, 'CREATE TABLE t (x)');
    const content = new MemoryCheckpoint().add(machine.cut(0, EMPTY_MEMBERSHIP)).content();
    const meta = { ...content.meta, engine: 'other/1/00' };
    expect(() => openTestMachine({ checkpoint: { ...content, meta } })).toThrow(
      expect.objectContaining({ code: 'ENGINE_MISMATCH' }),
    );
    const sections = () => ['settings', 'horoscopes'];
    expect(() => openTestMachine({ checkpoint: { ...content, sections } })).toThrow(/horoscopes/);
    machine.close();
  });
});

describe('entries without commands', () => {
  it('move what is applied and nothing else', () => {
    const machine = openTestMachine();
    run(machine, 'CREATE TABLE t (x)');
    const hash = machine.databaseHash();
    machine.apply(makeEntry(4, 2, EntryKind.empty), null, (error) => expect(error).toBeNull());
    expect(machine.applied).toEqual({ index: 2, term: 4 });
    machine.apply(makeEntry(4, 3, EntryKind.commands, new Uint8Array(5)), null, (error) =>
      expect(error).toBeNull(),
    );
    expect(machine.applied.index).toBe(3);
    expect(machine.databaseHash()).toBe(hash);
    machine.close();
  });

  it('an entry out of turn stops the node', () => {
    const machine = openTestMachine();
    const errors: unknown[] = [];
    machine.apply(makeEntry(1, 5, EntryKind.empty), null, (error) => errors.push(error));
    machine.apply(makeEntry(1, 1, EntryKind.empty), null, (error) => errors.push(error));
    expect(errors).toEqual([expect.any(Error), expect.any(Error)]);
    machine.close();
  });
});

describe('a node whose pages do not fit', () => {
  it('stops with a reason instead of answering (rule C7)', () => {
    const machine = openStateMachine({
      engine: engineUnderTest(),
      checkpoint: null,
      maxPageBytes: 2 * 1024 * 1024,
      readHost: { wallMs: () => 0, random: () => {}, monotonicMs: () => 0 },
    });
    run(machine, 'CREATE TABLE t (x)');
    const blob = new Uint8Array(1_900_000);
    const insert = execute('INSERT INTO t VALUES (?)', [blob]);
    expect(() => applyNext(machine, insert, insert, insert, insert)).toThrow(/failed twice/);
    expect(machine.applied.index).toBe(1);
    machine.close();
  });
});

describe('the export', () => {
  it('is a SQLite file as of one index', () => {
    const machine = openTestMachine();
    run(machine, 'CREATE TABLE t (x)');
    const exported = machine.openExport();
    run(machine, 'INSERT INTO t VALUES (zeroblob(100000))');
    const chunks: Uint8Array[] = [];
    for (let chunk = exported.read(5000); chunk !== null; chunk = exported.read(5000))
      chunks.push(chunk);
    expect(exported.index).toBe(1);
    expect(chunks.length * 4096).toBe(exported.bytes);
    const header = chunks[0]!;
    expect(new TextDecoder().decode(header.subarray(0, 15))).toBe('SQLite format 3');
    const view = new DataView(header.buffer);
    expect(view.getUint32(28)).toBe(chunks.length);
    expect(view.getUint32(24)).toBe(view.getUint32(92));
    exported.close();
    machine.close();
  });
});
