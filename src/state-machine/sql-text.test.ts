import { describe, expect, it } from 'vitest';
import { operationBytes } from '../../test/kit/entries.ts';
import type { Operation } from '../wire/operation.ts';
import { needsOwnEntry } from './own-entry.ts';
import {
  endOfStatement,
  firstTokens,
  foreignKeysPragma,
  hasPlainParameter,
  isRedoProne,
  maintenanceOf,
} from './sql-text.ts';

describe('the first words of a statement', () => {
  it.each([
    ['VACUUM', 'vacuum'],
    ['  -- x\n/* y */ ;; vacuum;', 'vacuum'],
    ['ANALYZE t', 'analyze'],
    ['\ufeffreindex', 'reindex'],
    ['PRAGMA optimize', 'optimize'],
    ['pragma main.optimize(1)', 'optimize'],
    ['PRAGMA "optimize"', 'optimize'],
    ['PRAGMA user_version', null],
    ['EXPLAIN VACUUM', null],
    ["SELECT 'VACUUM'", null],
    ['/* VACUUM', null],
    ['', null],
  ])('%j is maintenance: %s', (sql, maintenance) => {
    expect(maintenanceOf(sql)).toBe(maintenance);
  });

  it('quotes and comments', () => {
    expect(firstTokens('insert/**/or -- x\n "fail" into', 0, 4)).toEqual([
      'INSERT',
      'OR',
      'FAIL',
      'INTO',
    ]);
    expect(firstTokens("a 'it''s' [b c] d", 0, 9)).toEqual(['A', "IT''S", 'B C', 'D']);
    expect(isRedoProne('INSERT OR ROLLBACK INTO t')).toBe(true);
    expect(isRedoProne('UPDATE OR FAIL t')).toBe(true);
    expect(isRedoProne('INSERT OR REPLACE INTO t')).toBe(false);
  });
});

describe('the end of a statement', () => {
  const split = (sql: string) => {
    const parts: string[] = [];
    for (let at = 0; at < sql.length; ) {
      const end = endOfStatement(sql, at);
      parts.push(sql.slice(at, end).trim());
      at = end;
    }
    return parts;
  };

  it('is its semicolon, not one in a string, a name or a comment', () => {
    expect(split(`SELECT ';', ";", [;], \`;\` -- ;\n /* ; */; nonsense ';' x; last`)).toEqual([
      `SELECT ';', ";", [;], \`;\` -- ;\n /* ; */;`,
      "nonsense ';' x;",
      'last',
    ]);
  });

  it('is the END of a trigger', () => {
    const trigger = `CREATE TEMP TRIGGER g AFTER INSERT ON t WHEN CASE 1 WHEN 1 THEN 1 END
      BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; DELETE FROM t; END;`;
    expect(split(`${trigger} SELECT 1; create trigger x begin select 1; end`)).toEqual([
      trigger,
      'SELECT 1;',
      'create trigger x begin select 1; end',
    ]);
  });

  it('unterminated text ends at the end', () => {
    for (const sql of ["SELECT 'a; b", 'SELECT "a; b', 'SELECT [a; b', '/* a; b', '-- a; b']) {
      expect(split(sql)).toEqual([sql]);
    }
  });
});

describe('PRAGMA foreign_keys', () => {
  it.each([
    ['PRAGMA foreign_keys=OFF;x', false, 24],
    ['pragma main.foreign_keys ( 0 ) ; x', false, 32],
    ['PRAGMA foreign_keys = ON', true, 24],
    ['PRAGMA foreign_keys = "false";', false, 30],
  ])('%j', (sql, enabled, end) => {
    expect(foreignKeysPragma(sql, 0)).toEqual({ enabled, end });
  });

  it('nothing else', () => {
    expect(foreignKeysPragma('PRAGMA foreign_keys', 0)).toBeNull();
    expect(foreignKeysPragma('PRAGMA foreign_key_check', 0)).toBeNull();
    expect(foreignKeysPragma("SELECT 'PRAGMA foreign_keys=OFF'", 0)).toBeNull();
  });
});

describe('plain parameters', () => {
  it.each([
    ['SELECT ?', true],
    ['SELECT ?,?1', true],
    ['SELECT ?1, $2, :a', false],
    ['SELECT \'?\', "?", [?] -- ?', false],
  ])('%j: %s', (sql, plain) => {
    expect(hasPlainParameter(sql)).toBe(plain);
  });
});

describe('needsOwnEntry', () => {
  const sql = (text: string): Operation => ({ op: 'execute', sql: text });
  it.each<[string, Operation, boolean]>([
    ['an insert', sql('INSERT INTO t VALUES (?)'), false],
    ['an upsert', sql('INSERT OR REPLACE INTO t VALUES (?)'), false],
    ['an insert into a table called o', sql('INSERT INTO orders VALUES (?)'), false],
    ['OR ROLLBACK', sql('insert  or rollback into t values (1)'), true],
    ['OR FAIL', sql('UPDATE OR FAIL t SET x = 1'), true],
    ['VACUUM', sql(' /* x */ VACUUM'), true],
    ['ANALYZE', sql('analyze'), true],
    ['PRAGMA optimize', sql('PRAGMA optimize'), true],
    ['another PRAGMA', sql('PRAGMA user_version = 1'), false],
    ['a slow one', { op: 'execute', sql: 'SELECT 1', slow: true }, true],
    ['a transaction', { op: 'txn', statements: [] }, false],
    ['a slow batch', { op: 'batch', sql: '', atomic: true, slow: true }, true],
    ['a migration', { op: 'migrate', migrations: [] }, true],
    ['a tick', { op: 'tick' }, false],
    ['an empty text', sql(''), false],
  ])('%s', (_, operation, alone) => {
    const bytes = operationBytes(operation);
    expect(needsOwnEntry(bytes, 0, bytes.length)).toBe(alone);
  });
});
