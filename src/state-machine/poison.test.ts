/** Each known way to make replicas differ or stop (architecture, sections 2 and 5), tried on three of them. */
import { afterEach, describe, expect, it } from 'vitest';
import { execute, type TestCommand } from '../../test/kit/entries.ts';
import { Trio } from '../../test/kit/trio.ts';
import { hardStepLimit } from '../../wasm/limits.ts';
import type { Operation } from '../wire/operation.ts';
import type { CommandOutcome, StatementResult } from '../wire/result.ts';

let trio: Trio;
afterEach(() => trio.close());

function start(...setup: readonly string[]): void {
  trio = new Trio(7);
  trio.apply({ op: 'batch', sql: setup.join(';\n'), atomic: true });
}

/** Codes of what came back, 'ok' for success. */
function codes(outcomes: readonly CommandOutcome[]): string[] {
  return outcomes.map((outcome) => (outcome.ok ? 'ok' : outcome.error.code));
}

function send(...commands: readonly (string | Operation | TestCommand)[]): string[] {
  return codes(
    trio.apply(...commands.map((one) => (typeof one === 'string' ? execute(one) : one))),
  );
}

/** What a select run as a write returns: from all three replicas, since outcomes are compared. */
function select(sql: string): unknown {
  const [outcome] = trio.apply(execute(sql));
  if (!outcome?.ok) throw outcome?.error;
  return (outcome.result as { result: StatementResult }).result.rows;
}

function setting(patch: { readonly [name: string]: number }): void {
  expect(codes(trio.apply({ op: 'settings', patch }))).toEqual(['ok']);
}

/** The next good command works everywhere, and everything is equal. */
function expectAlive(): void {
  expect(
    send('CREATE TABLE IF NOT EXISTS alive (x)', 'INSERT INTO alive VALUES (random())'),
  ).toEqual(['ok', 'ok']);
  const dumps = trio.dumps();
  expect(dumps[1]).toEqual(dumps[0]);
  expect(dumps[2]).toEqual(dumps[0]);
}

describe('conflicts that end the transaction or leave rows', () => {
  it('OR ROLLBACK: the commands before it stay, its own rows do not', () => {
    start('CREATE TABLE t (id INTEGER PRIMARY KEY, r)', 'INSERT INTO t VALUES (5, 0)');
    expect(
      send(
        'INSERT INTO t VALUES (1, random())',
        'INSERT OR ROLLBACK INTO t VALUES (2, 0), (5, 0)',
        'INSERT INTO t VALUES (3, random())',
        'INSERT OR ROLLBACK INTO t VALUES (1, 0)',
      ),
    ).toEqual(['ok', 'SQL_CONSTRAINT', 'ok', 'SQL_CONSTRAINT']);
    expect(select('SELECT id FROM t ORDER BY id')).toEqual([[1], [3], [5]]);
    expect(trio.live.stats()['redos']).toBe(2);
    expectAlive();
  });

  it('OR FAIL: rows before the conflict go, too', () => {
    start('CREATE TABLE t (id INTEGER PRIMARY KEY)', 'INSERT INTO t VALUES (5)');
    expect(
      send('INSERT INTO t VALUES (1)', 'INSERT OR FAIL INTO t VALUES (2), (3), (5), (6)'),
    ).toEqual(['ok', 'SQL_CONSTRAINT']);
    expect(select('SELECT id FROM t ORDER BY id')).toEqual([[1], [5]]);
    expectAlive();
  });

  it('RAISE(ROLLBACK) and RAISE(FAIL) in triggers', () => {
    start(
      'CREATE TABLE t (n)',
      'CREATE TABLE log (n)',
      `CREATE TRIGGER a AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.n);
        SELECT CASE new.n WHEN 1 THEN RAISE(ROLLBACK, 'one') WHEN 2 THEN RAISE(FAIL, 'two')
          WHEN 3 THEN RAISE(ABORT, 'three') WHEN 4 THEN RAISE(IGNORE) END; END`,
    );
    const outcomes = send(...[0, 1, 2, 3, 4, 9].map((n) => `INSERT INTO t VALUES (${n})`));
    expect(outcomes).toEqual([
      'ok',
      'SQL_CONSTRAINT',
      'SQL_CONSTRAINT',
      'SQL_CONSTRAINT',
      'ok',
      'ok',
    ]);
    expect(select('SELECT n FROM log')).toEqual([[0], [4], [9]]);
    expectAlive();
  });

  it('inside a transaction and a batch', () => {
    start('CREATE TABLE t (id INTEGER PRIMARY KEY, r)', 'INSERT INTO t VALUES (5, 0)');
    const bad = 'INSERT OR ROLLBACK INTO t VALUES (5, 0)';
    const outcomes = trio.apply(
      execute('INSERT INTO t VALUES (1, random())'),
      { op: 'txn', statements: [{ sql: 'INSERT INTO t VALUES (2, 0)' }, { sql: bad }] },
      { op: 'batch', atomic: true, sql: `INSERT INTO t VALUES (3, 0); ${bad}` },
      {
        op: 'batch',
        atomic: false,
        sql: `INSERT INTO t VALUES (6, random()); ${bad}; INSERT INTO t VALUES (7, random()); ${bad}`,
      },
      execute('INSERT INTO t VALUES (8, random())'),
    );
    expect(codes(outcomes)).toEqual(['ok', 'SQL_CONSTRAINT', 'SQL_CONSTRAINT', 'ok', 'ok']);
    expect(outcomes[1]).toMatchObject({ error: { statement: 1, outcome: 'not-applied' } });
    expect(outcomes[3]).toMatchObject({
      result: {
        results: [
          { rowsAffected: 1 },
          { error: { code: 'SQL_CONSTRAINT', statement: 1 } },
          { rowsAffected: 1, lastInsertRowid: 7 },
          { error: { statement: 3 } },
        ],
      },
    });
    expect(select('SELECT id FROM t ORDER BY id')).toEqual([[1], [5], [6], [7], [8]]);
    expectAlive();
  });
});

describe('deferred foreign keys', () => {
  const SCHEMA = [
    'CREATE TABLE p (id INTEGER PRIMARY KEY)',
    'CREATE TABLE c (p REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)',
  ];

  it('a command that leaves one broken fails alone', () => {
    start(...SCHEMA);
    expect(
      send('INSERT INTO p VALUES (1)', 'INSERT INTO c VALUES (2)', 'INSERT INTO c VALUES (1)', {
        op: 'txn',
        statements: [{ sql: 'INSERT INTO c VALUES (3)' }, { sql: 'INSERT INTO p VALUES (3)' }],
      }),
    ).toEqual(['ok', 'SQL_CONSTRAINT', 'ok', 'ok']);
    expect(select('SELECT p FROM c')).toEqual([[1], [3]]);
    expectAlive();
  });

  it('in a txn, a batch and one statement of a batch', () => {
    start(...SCHEMA);
    const outcomes = trio.apply(
      {
        op: 'txn',
        statements: [{ sql: 'INSERT INTO c VALUES (2)' }, { sql: 'INSERT INTO p VALUES (1)' }],
      },
      { op: 'batch', atomic: true, sql: 'INSERT INTO c VALUES (2); INSERT INTO p VALUES (1)' },
      { op: 'batch', atomic: false, sql: 'INSERT INTO c VALUES (2); INSERT INTO p VALUES (4)' },
    );
    expect(codes(outcomes)).toEqual(['SQL_CONSTRAINT', 'SQL_CONSTRAINT', 'ok']);
    expect(outcomes[2]).toMatchObject({
      result: { results: [{ error: { sqliteCode: 'SQLITE_CONSTRAINT_FOREIGNKEY' } }, {}] },
    });
    expect(select('SELECT (SELECT count(*) FROM c), (SELECT group_concat(id) FROM p)')).toEqual([
      [0, '4'],
    ]);
    expectAlive();
  });

  it('PRAGMA defer_foreign_keys and foreign_keys are refused', () => {
    start(...SCHEMA);
    expect(send('PRAGMA defer_foreign_keys = ON', 'PRAGMA foreign_keys = OFF')).toEqual([
      'SQL_NOT_ALLOWED',
      'SQL_NOT_ALLOWED',
    ]);
    expectAlive();
  });
});

describe('what is refused', () => {
  it.each([
    'CREATE TEMP TABLE x (y)',
    'CREATE TEMPORARY VIEW x AS SELECT 1',
    'CREATE TABLE temp.x (y)',
    'CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END',
    "ATTACH ':memory:' AS other",
    'DETACH main',
    'BEGIN',
    'COMMIT',
    'END',
    'ROLLBACK',
    'SAVEPOINT quorlite',
    'RELEASE txn',
    "VACUUM INTO 'file.db'",
    'PRAGMA journal_mode = DELETE',
    'PRAGMA writable_schema = ON',
    'PRAGMA cache_size = 1',
    'PRAGMA main.temp_store = 1',
    "INSERT INTO sqlite_stat1 VALUES ('t', NULL, '1000000')",
    'DELETE FROM sqlite_stat1',
    'UPDATE sqlite_sequence SET seq = 1',
    'CREATE TABLE quorlite_x (y)',
    "INSERT INTO quorlite_migrations VALUES (9, 'x', 'y', 1)",
    'DROP TABLE quorlite_migrations',
    'ALTER TABLE t RENAME TO quorlite_t',
    'CREATE VIRTUAL TABLE v USING dbstat',
    "SELECT load_extension('x')",
  ])('%s', (sql) => {
    start('CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT)', 'INSERT INTO t VALUES (1)');
    send({ op: 'migrate', migrations: [{ id: 1, name: 'one', sql: 'SELECT 1' }] });
    send('ANALYZE');
    expect(['SQL_NOT_ALLOWED', 'SQL_ERROR']).toContain(send(sql)[0]);
    const statements = [{ sql: 'INSERT INTO t VALUES (9)' }, { sql }];
    expect(send({ op: 'txn', statements })[0]).not.toBe('ok');
    expect(
      send({ op: 'batch', atomic: true, sql: `INSERT INTO t VALUES (9); ${sql}` })[0],
    ).not.toBe('ok');
    expect(select('SELECT id FROM t')).toEqual([[1]]);
    expectAlive();
  });

  it('VACUUM and PRAGMA optimize beside other commands', () => {
    start('CREATE TABLE t (x)');
    const mixed = send(
      'INSERT INTO t VALUES (1)',
      'VACUUM',
      'PRAGMA optimize',
      'ANALYZE',
      'REINDEX',
    );
    expect(mixed).toEqual(['ok', 'SQL_NOT_ALLOWED', 'SQL_NOT_ALLOWED', 'ok', 'ok']);
    expect(send({ op: 'batch', atomic: true, sql: 'ANALYZE; VACUUM' })).toEqual([
      'SQL_NOT_ALLOWED',
    ]);
    expect(send('/* alone */ VACUUM;')).toEqual(['ok']);
    expect(send('-- alone\n PRAGMA optimize')).toEqual(['ok']);
    expectAlive();
  });
});

describe('state of the connection', () => {
  it('last_insert_rowid(), changes() and total_changes() do not remember other commands', () => {
    start('CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, c)');
    const seen = 'INSERT INTO t (a, b, c) VALUES (last_insert_rowid(), changes(), total_changes())';
    expect(send('INSERT INTO t (id) VALUES (77)', seen)).toEqual(['ok', 'ok']);
    expect(send(seen)).toEqual(['ok']);
    const inTxn = { op: 'txn', statements: [{ sql: seen }, { sql: seen }] } as const;
    expect(send(inTxn)).toEqual(['ok']);
    expect(select('SELECT a, b FROM t WHERE id > 77')).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
      [80, 1],
    ]);
    expectAlive();
  });

  it('PRAGMA case_sensitive_like, recursive_triggers and the like cannot be left behind', () => {
    start('CREATE TABLE t (x)');
    expect(send('PRAGMA case_sensitive_like = ON', 'PRAGMA recursive_triggers = ON')).toEqual([
      'SQL_NOT_ALLOWED',
      'SQL_NOT_ALLOWED',
    ]);
    expect(select("SELECT 'A' LIKE 'a'")).toEqual([[1]]);
    expectAlive();
  });

  it('user_version and application_id are replicated', () => {
    start('CREATE TABLE t (x)');
    expect(send('PRAGMA user_version = 7', 'PRAGMA application_id = 9')).toEqual(['ok', 'ok']);
    expect(select('PRAGMA user_version')).toEqual([[7]]);
    expectAlive();
  });
});

describe('time and randomness', () => {
  it('come from the entry, in defaults and triggers as well', () => {
    start(
      'CREATE TABLE t (r DEFAULT (random()), at DEFAULT CURRENT_TIMESTAMP, b DEFAULT (randomblob(8)), x)',
      "CREATE TRIGGER g AFTER INSERT ON t WHEN new.x = 1 BEGIN INSERT INTO t (x) VALUES (strftime('%f')); END",
    );
    expect(send('INSERT INTO t (x) VALUES (1)', 'INSERT INTO t (x) VALUES (1)')).toEqual([
      'ok',
      'ok',
    ]);
    expect(
      select('SELECT count(DISTINCT r), count(DISTINCT at), count(DISTINCT b) FROM t'),
    ).toEqual([[4, 1, 4]]);
    expect(send('INSERT INTO t (x) SELECT x FROM t ORDER BY random() LIMIT 2')).toEqual(['ok']);
    expectAlive();
  });
});

describe('schema and statistics', () => {
  it('after DROP INDEX behind ANALYZE a live replica plans like a restored one', () => {
    start(
      'CREATE TABLE a (x, y)',
      'CREATE TABLE b (x, y)',
      'CREATE TABLE out (id INTEGER PRIMARY KEY, x, y)',
      'CREATE INDEX a_x ON a (x)',
      'CREATE INDEX b_x ON b (x)',
      'CREATE INDEX b_y ON b (y)',
      'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300) INSERT INTO a SELECT i % 3, i FROM n',
      'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 200) INSERT INTO b SELECT i, i % 5 FROM n',
    );
    const join =
      'INSERT INTO out (x, y) SELECT a.y, b.y FROM a, b WHERE a.x = b.x AND b.y > 0 LIMIT 40';
    for (const change of [
      'ANALYZE',
      'DROP INDEX a_x',
      'DROP INDEX b_y',
      'CREATE INDEX IF NOT EXISTS a_y ON a (y)',
      'ANALYZE',
      'REINDEX',
      'VACUUM',
    ]) {
      expect(send(change), change).toEqual(['ok']);
      expect(send(join, join)).toEqual(['ok', 'ok']);
      expect(
        send('DROP INDEX IF EXISTS a_y', join, 'SELEC', 'CREATE INDEX IF NOT EXISTS a_y ON a (y)'),
      ).toEqual(['ok', 'ok', 'SQL_ERROR', 'ok']);
    }
    expect(send('DROP TABLE sqlite_stat1')).toEqual(['ok']);
    expect(send(join)).toEqual(['ok']);
    expectAlive();
  });

  it('statistics that a redo takes back are not remembered', () => {
    trio = new Trio(1, { crashes: 0, softLimits: 0, commits: true });
    const many = (n: number) =>
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ${n}) SELECT i % 7, i FROM n`;
    const sql = `
      CREATE TABLE a (x, y); CREATE INDEX a_x ON a (x); INSERT INTO a ${many(5)};
      CREATE TABLE b (x, y); CREATE INDEX b_x ON b (x); INSERT INTO b ${many(300)};
      CREATE TABLE out (id INTEGER PRIMARY KEY, a, b); CREATE TABLE u (k UNIQUE); INSERT INTO u VALUES (1);`;
    trio.apply({ op: 'batch', atomic: true, sql });
    expect(send('ANALYZE u')).toEqual(['ok']);
    // The join's order follows the statistics; the engine that crashes at COMMIT does it all again on a fresh instance.
    const join = 'INSERT INTO out (a, b) SELECT a.y, b.y FROM b, a WHERE a.x = b.x LIMIT 50';
    const redo = 'INSERT OR ROLLBACK INTO u VALUES (1)';
    expect(send('INSERT INTO out DEFAULT VALUES', join, 'ANALYZE', redo, join)).toEqual([
      'ok',
      'ok',
      'ok',
      'SQL_CONSTRAINT',
      'ok',
    ]);
    expectAlive();
  });

  it('DDL that fails or is undone leaves no trace in what is remembered of texts', () => {
    start('CREATE TABLE t (x)', 'INSERT INTO t VALUES (1)');
    const star = 'SELECT * FROM t';
    expect(select(star)).toEqual([[1]]);
    expect(
      send(
        star,
        {
          op: 'txn',
          statements: [{ sql: 'ALTER TABLE t ADD COLUMN y' }, { sql: star }, { sql: 'SELEC' }],
        },
        star,
        'ALTER TABLE t ADD COLUMN z DEFAULT 3',
        star,
        'INSERT OR ROLLBACK INTO t (x) SELECT NULL FROM t WHERE abs(-9223372036854775808)',
        star,
      ),
    ).toEqual(['ok', 'SQL_ERROR', 'ok', 'ok', 'ok', 'SQL_ERROR', 'ok']);
    const [outcome] = trio.apply(execute(star));
    expect(outcome).toMatchObject({
      result: { result: { columns: [{ name: 'x' }, { name: 'z' }], rows: [[1, 3]] } },
    });
    expectAlive();
  });
});

describe('migrations with foreign_keys=OFF', () => {
  const REBUILD = (extra: string) => `PRAGMA foreign_keys=OFF;
    CREATE TABLE p2 (id INTEGER PRIMARY KEY, name TEXT);
    INSERT INTO p2 (id) SELECT id FROM p;
    DROP TABLE p; ALTER TABLE p2 RENAME TO p; ${extra}
    PRAGMA foreign_keys = ON;`;
  const SCHEMA = [
    'CREATE TABLE p (id INTEGER PRIMARY KEY)',
    'CREATE TABLE c (p REFERENCES p (id) ON DELETE CASCADE)',
    'INSERT INTO p VALUES (1), (2)',
    'INSERT INTO c VALUES (1), (2)',
  ];

  it('do not cascade, and enforcement is on again', () => {
    start(...SCHEMA);
    expect(
      send(
        'INSERT INTO p VALUES (3)',
        { op: 'migrate', migrations: [{ id: 1, name: 'r', sql: REBUILD('') }] },
        'INSERT INTO c VALUES (9)',
        'DELETE FROM p WHERE id = 1',
      ),
    ).toEqual(['ok', 'ok', 'SQL_CONSTRAINT', 'ok']);
    expect(select('SELECT p FROM c')).toEqual([[2]]);
    expectAlive();
  });

  it('fail when a key is broken at their end', () => {
    start(...SCHEMA);
    const migrations = [{ id: 1, name: 'r', sql: REBUILD('DELETE FROM p WHERE id = 2;') }];
    expect(send({ op: 'migrate', migrations }, 'INSERT INTO c VALUES (9)')).toEqual([
      'SQL_CONSTRAINT',
      'SQL_CONSTRAINT',
    ]);
    expect(select('SELECT p FROM c')).toEqual([[1], [2]]);
    expectAlive();
  });

  it('fail by ending the transaction, by a limit, by a syntax error: enforcement is on again', () => {
    start(...SCHEMA);
    setting({ softSteps: 100, hardSteps: hardStepLimit(100), slowSteps: 1000 });
    for (const bad of [
      'INSERT OR ROLLBACK INTO p VALUES (1);',
      'nonsense;',
      'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i FROM n) INSERT INTO p SELECT max(i) FROM n;',
    ]) {
      const migrations = [{ id: 1, name: 'r', sql: REBUILD(bad) }];
      expect(
        send(
          'INSERT INTO p (id) VALUES (abs(random()))',
          { op: 'migrate', migrations },
          'INSERT INTO c VALUES (9)',
        ),
      ).toEqual(['ok', expect.stringMatching(/^SQL_/), 'SQL_CONSTRAINT']);
    }
    expect(select("SELECT count(*) FROM sqlite_schema WHERE name LIKE '%2'")).toEqual([[0]]);
    expectAlive();
  });
});

describe('malformed commands', () => {
  it('are refused and hurt nobody', () => {
    start('CREATE TABLE t (x)');
    const bytes = (...list: number[]) => ({ operation: Uint8Array.from(list) });
    const good = execute('INSERT INTO t VALUES (1)');
    const outcomes = send(
      good,
      bytes(0),
      bytes(99),
      bytes(1),
      bytes(1, 0, 200),
      bytes(1, 0, 1, 0xff, 0),
      bytes(1, 0, 8, 83, 69, 76, 69, 67, 84, 32, 49, 0, 77),
      bytes(2, 0, 200, 200),
      bytes(3, 1, 255, 255, 255, 255, 255, 255, 255),
      bytes(4, 255, 1),
      bytes(24, 3, 1),
      good,
    );
    expect(outcomes).toEqual(['ok', ...Array(10).fill('BAD_REQUEST'), 'ok']);
    expectAlive();
  });
});
