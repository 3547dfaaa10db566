import { expect, it } from 'vitest';
import { applyNext, execute, openTestMachine, rowsOf, run } from '../../test/kit/entries.ts';
import { OpFlag } from '../wire/operation.ts';

const INSERT = 'INSERT INTO t VALUES (?)';

it('a text serves commands below it even when its own command is not run', () => {
  const machine = openTestMachine();
  run(machine, 'CREATE TABLE t (a UNIQUE)');
  applyNext(machine, { operation: { op: 'openSession', session: 9 } });
  const once = { operation: execute(INSERT, [1]), session: 9, sequence: 1, acknowledged: 1 };
  applyNext(machine, once);
  const outcomes = applyNext(
    machine,
    once,
    { operation: execute(INSERT, [2]), session: 9, sequence: 2, acknowledged: 1 },
    { operation: execute(INSERT, [3]), session: 77, sequence: 1, acknowledged: 1 },
    execute(INSERT, [2]),
    execute(INSERT, [4]),
    execute('UPDATE t SET a = 0 - a WHERE a = ?', [4]),
    execute('UPDATE t SET a = 0 - a WHERE a = ?', [1]),
  );
  expect(outcomes.map((outcome) => (outcome.ok ? 'ok' : outcome.error.code))).toEqual([
    'ok',
    'ok',
    'SESSION_EXPIRED',
    'SQL_CONSTRAINT',
    'ok',
    'ok',
    'ok',
  ]);
  expect(rowsOf(machine, 'SELECT a FROM t ORDER BY a')).toEqual([[-4], [-1], [2]]);
  machine.close();
});

it('a command without a text above it is refused, and the others run', () => {
  const machine = openTestMachine();
  run(machine, 'CREATE TABLE t (a)');
  const bare = new Uint8Array([1, OpFlag.textAbove, 0]);
  const outcomes = applyNext(machine, { operation: bare }, execute(INSERT, [1]));
  expect(outcomes.map((outcome) => (outcome.ok ? 'ok' : outcome.error.code))).toEqual([
    'BAD_REQUEST',
    'ok',
  ]);
  machine.close();
});
