import { describe, expect, it } from 'vitest';
import {
  applyEntry,
  applyNext,
  entryOf,
  execute,
  MemoryCheckpoint,
  openTestMachine,
  operationBytes,
  rowsOf,
  type TestCommand,
} from '../../../test/kit/entries.ts';
import { Trio } from '../../../test/kit/trio.ts';
import type { IdempotencyKey } from '../../wire/command.ts';
import { EMPTY_MEMBERSHIP } from '../../wire/membership.ts';
import type { Operation } from '../../wire/operation.ts';
import { SETTINGS } from '../settings.ts';

const INSERT = execute('INSERT INTO t (x) VALUES (random()) RETURNING id');
const TABLE = execute('CREATE TABLE t (id INTEGER PRIMARY KEY, x)');

/** A trio with a table and an open session 5. */
function start(): Trio {
  const trio = new Trio(11);
  trio.apply(TABLE, { op: 'openSession', session: 5 });
  return trio;
}

function command(sequence: number, operation: Operation = INSERT, acknowledged = 0): TestCommand {
  return { operation, session: 5, sequence, acknowledged };
}

function count(trio: Trio): unknown {
  return rowsOf(trio.live, 'SELECT count(*) FROM t')[0]![0];
}

const code = (code: string, outcome = 'not-applied') => ({ ok: false, error: { code, outcome } });

describe('sessions (rule C1)', () => {
  it('a retry gets the first outcome and changes nothing', () => {
    const trio = start();
    const [first] = trio.apply(command(1));
    const [again] = trio.apply(command(1));
    expect(again).toEqual(first);
    const [failed] = trio.apply(command(2, execute('INSERT INTO t (id) VALUES (1)')));
    expect(failed).toMatchObject(code('SQL_CONSTRAINT'));
    expect(trio.apply(command(2))[0]).toMatchObject(code('SQL_CONSTRAINT'));
    expect(count(trio)).toBe(1);
    trio.close();
  });

  it('a retry in the same entry, also of a command that another one undoes and redoes', () => {
    const trio = start();
    trio.apply(command(1));
    const outcomes = trio.apply(
      command(2),
      command(2),
      execute('INSERT OR ROLLBACK INTO t (id) VALUES (1)'),
      command(2),
      command(3),
    );
    expect(outcomes[1]).toEqual(outcomes[0]);
    expect(outcomes[3]).toEqual(outcomes[0]);
    expect(count(trio)).toBe(3);
    trio.close();
  });

  it('tells the listener which outcomes are duplicates', () => {
    const machine = openTestMachine();
    applyNext(machine, TABLE, { op: 'openSession', session: 5 });
    const entry = entryOf({ index: 2 }, [command(1), command(1), command(2)]);
    const duplicates: boolean[] = [];
    machine.apply(
      entry,
      (_, __, duplicate) => duplicates.push(duplicate),
      () => {},
    );
    expect(duplicates).toEqual([false, true, false]);
    machine.close();
  });

  it('an unknown, a closed and an expired session are refused, never applied', () => {
    const trio = start();
    expect(trio.apply({ operation: INSERT, session: 6, sequence: 1 })[0]).toMatchObject(
      code('SESSION_EXPIRED'),
    );
    trio.apply({ op: 'closeSession', session: 5 });
    expect(trio.apply(command(1))[0]).toMatchObject(code('SESSION_EXPIRED'));
    trio.apply({ op: 'openSession', session: 5 });
    trio.applyAt(SETTINGS.sessionMs.default, [command(1)]);
    expect(trio.live.stats()['sessions']).toBe(0);
    expect(trio.apply(command(1))[0]).toMatchObject(code('SESSION_EXPIRED'));
    expect(count(trio)).toBe(0);
    trio.close();
  });

  it('using a session prolongs it, and nextExpiry says when it ends', () => {
    const trio = start();
    const half = SETTINGS.sessionMs.default / 2;
    for (let i = 1; i <= 4; i++) {
      expect(trio.applyAt(half, [command(i)])[0]).toMatchObject({ ok: true });
      expect(trio.live.nextExpiry()).toBe(trio.live.elapsed + SETTINGS.sessionMs.default);
      expect(trio.troubled.nextExpiry()).toBe(trio.live.nextExpiry());
    }
    trio.applyAt(2 * half - 1, [{ op: 'tick' }]);
    expect(trio.live.stats()['sessions']).toBe(1);
    trio.applyAt(1, [{ op: 'tick' }]);
    expect(trio.live.stats()['sessions']).toBe(0);
    expect(trio.live.nextExpiry()).toBe(Infinity);
    trio.close();
  });

  it('the acknowledgement floor lets results go and refuses what lies below', () => {
    const trio = start();
    trio.apply(command(1), command(2), command(3));
    trio.apply(command(4, INSERT, 3));
    expect(trio.apply(command(2))[0]).toMatchObject(code('RESULT_NOT_KEPT', 'unknown'));
    expect(trio.apply(command(3))[0]).toMatchObject({ ok: true });
    expect(count(trio)).toBe(4);
    trio.close();
  });

  it('the window bounds how far a client may be ahead, and gaps may be filled', () => {
    const trio = start();
    trio.apply({ op: 'settings', patch: { sessionWindow: 16 } });
    expect(trio.apply(command(17), command(16), command(3))).toMatchObject([
      code('OVERLOADED'),
      { ok: true },
      { ok: true },
    ]);
    expect(trio.apply(command(17, INSERT, 2))[0]).toMatchObject({ ok: true });
    expect(trio.apply(command(16), command(5))).toMatchObject([{ ok: true }, { ok: true }]);
    expect(count(trio)).toBe(4);
    trio.close();
  });

  it('a full table refuses new sessions and evicts none', () => {
    const trio = start();
    trio.apply({ op: 'settings', patch: { sessions: 16 } });
    const open = Array.from(
      { length: 17 },
      (_, i): Operation => ({ op: 'openSession', session: 5 + i }),
    );
    const outcomes = trio.apply(...open);
    expect(outcomes.filter((one) => one.ok)).toHaveLength(16);
    expect(outcomes[16]).toMatchObject(code('OVERLOADED'));
    expect(trio.apply(command(1))[0]).toMatchObject({ ok: true });
    trio.apply({ op: 'closeSession', session: 6 });
    expect(trio.apply(open[16]!)[0]).toMatchObject({ ok: true });
    trio.close();
  });

  it('a result that is too big is delivered once and then known to be applied', () => {
    const trio = start();
    const big = execute('INSERT INTO t (x) VALUES (zeroblob(70000)) RETURNING x');
    const [first] = trio.apply(command(1, big));
    expect(first).toMatchObject({ ok: true });
    expect(trio.apply(command(1, big))[0]).toMatchObject(code('RESULT_NOT_KEPT', 'applied'));
    trio.apply({ op: 'settings', patch: { keptBytes: 1024 } });
    const middle = execute('INSERT INTO t (x) VALUES (zeroblob(900)) RETURNING x');
    trio.apply(command(2, middle));
    expect(trio.apply(command(2))[0]).toMatchObject(code('RESULT_NOT_KEPT', 'applied'));
    expect(count(trio)).toBe(2);
    trio.close();
  });

  it('survives a checkpoint cut between changes, full and as a delta', () => {
    const machine = openTestMachine();
    applyNext(machine, TABLE, { op: 'openSession', session: 5 }, { op: 'openSession', session: 9 });
    const kept = new MemoryCheckpoint();
    for (let sequence = 1; sequence <= 30; sequence++) {
      applyNext(machine, command(sequence, INSERT, Math.max(0, sequence - 4)));
      if (sequence === 20) applyNext(machine, { op: 'closeSession', session: 9 });
      if (sequence % 3 !== 0) continue;
      const since = sequence > 3 ? machine.applied.index - (sequence === 21 ? 4 : 3) : 0;
      const cut = machine.cut(since, EMPTY_MEMBERSHIP);
      expect(cut.since).toBe(since);
      // Applied while the cut is written: must not be in it.
      const full = new MemoryCheckpoint().add(machine.cut(0, EMPTY_MEMBERSHIP));
      const index = machine.applied.index;
      applyEntry(machine, entryOf({ index: index + 1 }, [command(sequence + 1, INSERT, sequence)]));
      kept.add(cut);
      machine.checkpointed(index);
      expect(kept.dump()).toEqual(full.dump());
      sequence++;
      // The next cut builds on this one.
      expect(machine.cut(index, EMPTY_MEMBERSHIP).since).toBe(index);
      machine.checkpointed(index);
      const restored = openTestMachine({ checkpoint: kept.content() });
      expect(applyNext(restored, command(sequence - 1))[0]).toMatchObject({ ok: true, index });
      restored.close();
      break;
    }
    machine.close();
  });
});

describe('idempotency keys', () => {
  const hash = (fill: number) => new Uint8Array(16).fill(fill);
  const key = (name: string, scope = 'a', fill = 1): IdempotencyKey => ({
    scope,
    key: name,
    hash: hash(fill),
  });
  let sequence = 0;
  const keyed = (k: IdempotencyKey, operation: Operation = INSERT): TestCommand => ({
    operation,
    session: 5,
    sequence: ++sequence,
    key: k,
  });

  it('a second request with the key gets the first outcome, through another sequence as well', () => {
    const trio = start();
    const [first] = trio.apply(keyed(key('k')));
    const later = trio.apply(keyed(key('k')), keyed(key('k')));
    expect(later).toEqual([first, first]);
    const [a, b] = trio.apply(keyed(key('two')), keyed(key('two')));
    expect(b).toEqual(a);
    expect(count(trio)).toBe(2);
    trio.close();
  });

  it('another body is a mismatch; another scope is another key', () => {
    const trio = start();
    trio.apply(keyed(key('k')));
    expect(trio.apply(keyed(key('k', 'a', 2)))[0]).toMatchObject(code('IDEMPOTENCY_MISMATCH'));
    expect(trio.apply(keyed(key('k', 'b', 2)), keyed(key('', 'ak')))).toMatchObject([
      { ok: true },
      { ok: true },
    ]);
    expect(count(trio)).toBe(3);
    trio.close();
  });

  it('are kept for a day of replicated time', () => {
    const trio = start();
    const operation = operationBytes(INSERT);
    const bare = (k: IdempotencyKey): TestCommand => ({ operation, key: k });
    const [first] = trio.apply(bare(key('k')));
    const end = trio.live.elapsed + SETTINGS.keyMs.default;
    trio.applyAt(SETTINGS.keyMs.default - 1, [{ op: 'tick' }]);
    expect(trio.live.nextExpiry()).toBe(end);
    expect(trio.applyAt(0, [bare(key('k'))])[0]).toEqual(first);
    const [second] = trio.applyAt(1, [bare(key('k'))]);
    expect(second).not.toEqual(first);
    expect(count(trio)).toBe(2);
    trio.close();
  });

  it('have a quota per token and altogether', () => {
    const trio = start();
    trio.apply({ op: 'settings', patch: { keysPerToken: 16, keys: 20 } });
    const many = (scope: string) => Array.from({ length: 17 }, (_, i) => keyed(key(`${i}`, scope)));
    expect(
      trio
        .apply(...many('a'))
        .map((one) => one.ok)
        .indexOf(false),
    ).toBe(16);
    expect(
      trio
        .apply(...many('b'))
        .map((one) => one.ok)
        .indexOf(false),
    ).toBe(4);
    expect(trio.apply(keyed(key('3')))[0]).toMatchObject({ ok: true });
    expect(count(trio)).toBe(20);
    trio.close();
  });
});
