import { describe, expect, it } from 'vitest';
import { engineUnderTest } from '../../test/kit/engine.ts';
import { execute } from '../../test/kit/entries.ts';
import { seededChooser, Trio } from '../../test/kit/trio.ts';
import type { Operation } from '../wire/operation.ts';

/** Ordinary tables stand in for the virtual ones that an engine does not have. */
const { fts5, rtree } = engineUnderTest().capabilities;

const SCHEMA = `
  CREATE TABLE a (id INTEGER PRIMARY KEY, name TEXT UNIQUE, at TEXT DEFAULT CURRENT_TIMESTAMP, n INT CHECK (n < 900));
  CREATE TABLE log (id INTEGER PRIMARY KEY AUTOINCREMENT, r INT, at TEXT, a INT);
  CREATE TRIGGER a_insert AFTER INSERT ON a BEGIN
    INSERT INTO log (r, at, a) VALUES (random(), datetime('now'), new.id);
  END;
  CREATE TRIGGER a_refuse BEFORE UPDATE ON a WHEN new.n = 13 BEGIN SELECT RAISE(ROLLBACK, 'thirteen'); END;
  CREATE TRIGGER a_fail AFTER UPDATE ON a WHEN new.n = 14 BEGIN SELECT RAISE(FAIL, 'fourteen'); END;
  CREATE TABLE w (k TEXT PRIMARY KEY, v BLOB) WITHOUT ROWID;
  CREATE ${fts5 ? 'VIRTUAL TABLE notes USING fts5' : 'TABLE notes'}(body);
  CREATE ${rtree ? 'VIRTUAL TABLE boxes USING rtree' : 'TABLE boxes'}(id, x0, x1);
  CREATE TABLE p (id INTEGER PRIMARY KEY);
  CREATE TABLE c (id INTEGER PRIMARY KEY, p INT REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED);`;

type Choose = (bound: number) => number;
type Maker = (choose: Choose) => Operation;

const word = (choose: Choose) => ['alpha', 'beta', 'gamma', 'delta', 'eps'][choose(5)]!;
const id = (choose: Choose) => choose(60);

/** Kinds of commands; a kind that stands several times comes more often. */
const MAKERS: readonly Maker[] = [
  (c) => execute('INSERT INTO a (name, n) VALUES (?, ?)', [`${word(c)}${c(99)}`, c(1000)]),
  (c) => execute('INSERT INTO a (name, n) VALUES (?, ?)', [`${word(c)}${c(99)}`, c(1000)]),
  (c) => execute('INSERT OR REPLACE INTO a (id, name, n) VALUES (?, ?, 1)', [id(c), word(c)]),
  (c) =>
    execute('INSERT INTO a (name, n) VALUES (?, 2) ON CONFLICT (name) DO UPDATE SET n = n + 1', [
      word(c),
    ]),
  (c) => execute(`UPDATE a SET n = ? WHERE id > ?`, [10 + c(8), id(c)]),
  (c) => execute('UPDATE OR FAIL a SET name = ? WHERE id > ?', [word(c), id(c)]),
  (c) => execute('INSERT OR ROLLBACK INTO a (id, name) VALUES (?, ?)', [id(c), word(c)]),
  (c) => execute('DELETE FROM a WHERE id % 7 = ?', [c(7)]),
  (c) =>
    execute('INSERT OR REPLACE INTO w VALUES (?, randomblob(?))', [`${word(c)}${c(20)}`, c(9000)]),
  (c) => execute('DELETE FROM w WHERE k > ?', [word(c)]),
  (c) => execute('INSERT INTO notes (body) VALUES (?)', [`${word(c)} ${word(c)} ${c(1000)}`]),
  (c) => execute('DELETE FROM notes WHERE rowid = ?', [id(c)]),
  (c) => execute('UPDATE notes SET body = body || ? WHERE notes MATCH ?', [` ${word(c)}`, word(c)]),
  (c) => execute('INSERT OR REPLACE INTO boxes VALUES (?, ?, ?)', [id(c), c(50), 50 + c(50)]),
  (c) => execute('INSERT INTO boxes VALUES (?, 9, 1)', [id(c)]),
  (c) => execute('INSERT INTO c (p) VALUES (?)', [id(c)]),
  (c) => execute('INSERT OR IGNORE INTO p VALUES (?)', [id(c)]),
  (c) => execute('DELETE FROM p WHERE id = ?', [id(c)]),
  (c) =>
    execute('INSERT INTO log (r, a) SELECT random(), id FROM a ORDER BY random() LIMIT ?', [c(9)]),
  (c) => execute('SELECT last_insert_rowid(), changes(), total_changes(), random(), ?', [c(9)]),
  () => execute('SELEC'),
  () => execute('INSERT INTO nowhere VALUES (1)'),
  (c) => execute('SELECT abs(-9223372036854775808 + ?)', [c(2)]),
  (c) => execute(`CREATE INDEX IF NOT EXISTS a_${word(c)} ON a (n, name)`),
  (c) => execute(`DROP INDEX IF EXISTS a_${word(c)}`),
  (c) => execute(`CREATE TABLE IF NOT EXISTS extra_${word(c)} (x, y)`),
  (c) => execute(`DROP TABLE IF EXISTS extra_${word(c)}`),
  () => execute('ANALYZE'),
  () => execute('REINDEX'),
  () => execute('VACUUM'),
  () => execute('PRAGMA optimize(0x10002)'),
  (c) => ({
    op: 'txn',
    statements: [
      { sql: 'INSERT INTO p (id) VALUES (?) RETURNING id', params: [100 + c(200)] },
      { sql: 'INSERT INTO c (p) VALUES (?)', params: [{ $ref: { statement: 0, column: 'id' } }] },
      { sql: 'INSERT INTO notes (body) VALUES (?)', many: [[word(c)], [word(c)], ['many']] },
    ],
  }),
  (c) => ({
    op: 'txn',
    statements: [
      { sql: 'INSERT INTO notes (body) VALUES (?)', params: [word(c)] },
      { sql: 'UPDATE a SET n = 13 WHERE id = ?', params: [id(c)], expect: { rowsAffected: 1 } },
    ],
  }),
  (c) => ({
    op: 'batch',
    atomic: true,
    sql: `INSERT INTO w VALUES ('${word(c)}', 1); INSERT INTO notes (body) VALUES ('batch');`,
  }),
  (c) => ({
    op: 'batch',
    atomic: false,
    sql: `INSERT INTO log (r) VALUES (random()); UPDATE a SET n = 13; nonsense; INSERT INTO c (p) VALUES (-1);
      INSERT INTO log (r, a) VALUES (random(), ${c(100)}); INSERT OR ROLLBACK INTO p VALUES (1), (1);`,
  }),
];

describe('three replicas under a random workload', () => {
  it.each([1, 2, 3])('seed %i: equal outcomes and pages after every entry', (seed) => {
    const choose = seededChooser(seed);
    const trio = new Trio(seed + 100);
    trio.apply({ op: 'batch', sql: SCHEMA, atomic: true });
    const codes = new Set<string>();
    for (let entry = 0; entry < 60; entry++) {
      const commands = Array.from({ length: 1 + choose(12) }, () =>
        MAKERS[choose(MAKERS.length)]!(choose),
      );
      for (const outcome of trio.apply(...commands)) if (!outcome.ok) codes.add(outcome.error.code);
    }
    expect(codes).toContain('SQL_CONSTRAINT');
    const dumps = trio.dumps();
    expect(dumps[1]).toEqual(dumps[0]);
    expect(dumps[2]).toEqual(dumps[0]);
    trio.close();
  });
});
