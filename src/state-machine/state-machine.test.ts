import { describe, expect, it } from 'vitest';
import { applyNext, execute, openTestMachine, rowsOf, run } from '../../test/kit/entries.ts';

describe('apply', () => {
  it('runs statements and reads them', () => {
    const machine = openTestMachine();
    run(machine, 'CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)');
    expect(run(machine, 'INSERT INTO t (name) VALUES (?)', ['ada'])).toEqual({
      rowsAffected: 1,
      lastInsertRowid: 1,
    });
    const outcomes = applyNext(
      machine,
      execute('INSERT INTO t VALUES (1, ?)', ['again']),
      execute('INSERT INTO t VALUES ($1, $2) RETURNING id, name', [7, 'x']),
    );
    expect(outcomes[0]).toMatchObject({ ok: false, error: { code: 'SQL_CONSTRAINT' } });
    expect(outcomes[1]).toMatchObject({ ok: true, result: { result: { rows: [[7, 'x']] } } });
    expect(rowsOf(machine, 'SELECT * FROM t ORDER BY id')).toEqual([
      [1, 'ada'],
      [7, 'x'],
    ]);
    machine.close();
  });
});
