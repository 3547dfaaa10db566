/** Endless, huge and overfull: what must end the same on three replicas (architecture, sections 2 and 5). */
import { afterEach, describe, expect, it } from 'vitest';
import { engineUnderTest } from '../../test/kit/engine.ts';
import { execute, type TestCommand } from '../../test/kit/entries.ts';
import { Trio } from '../../test/kit/trio.ts';
import { hardStepLimit, memoryMargin } from '../../wasm/limits.ts';
import type { Operation } from '../wire/operation.ts';
import type { CommandOutcome, StatementResult } from '../wire/result.ts';
import { DEFAULT_SETTINGS } from './settings.ts';
import { engineLimits } from './settings-module.ts';

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

describe('limits', () => {
  /** As low as they go: 100,000 instructions, 4 MiB, 64 pages. */
  function startLow(...setup: readonly string[]): void {
    start('CREATE TABLE t (id INTEGER PRIMARY KEY, x)', ...setup);
    const softMemoryBytes = 4 * 1024 * 1024;
    const cachePages = 64;
    const margin = memoryMargin({ ...engineLimits(DEFAULT_SETTINGS), cachePages });
    setting({
      ...{ softSteps: 100, hardSteps: hardStepLimit(100), slowSteps: 100_000 },
      ...{ softMemoryBytes, cachePages, hardMemoryBytes: softMemoryBytes + margin },
    });
  }

  const COUNT = 'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n';

  it('an endless write ends, and the commands around it stay', () => {
    startLow();
    const endless = `INSERT INTO t (x) ${COUNT}) SELECT i FROM n`;
    const outcomes = trio.apply(
      execute('INSERT INTO t (x) VALUES (random())'),
      execute(endless),
      execute('INSERT INTO t (x) VALUES (random())'),
      { op: 'txn', statements: [{ sql: 'DELETE FROM t' }, { sql: endless }] },
      { op: 'batch', atomic: false, sql: `DELETE FROM t; ${endless}` },
    );
    expect(codes(outcomes)).toEqual(['ok', 'SQL_TIMEOUT', 'ok', 'SQL_TIMEOUT', 'SQL_TIMEOUT']);
    expect(outcomes[1]).toMatchObject({ error: { outcome: 'not-applied', retryable: false } });
    expect(select('SELECT id, typeof(x) FROM t')).toEqual([
      [1, 'integer'],
      [2, 'integer'],
    ]);
    expect(trio.live.stats()['canonicalRuns']).toBe(1);
    expectAlive();
  });

  it('a write with a harmless text that its triggers make endless', () => {
    startLow(
      'CREATE TABLE big (y)',
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000) INSERT INTO big SELECT i FROM n`,
      'CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE big SET y = y + 1 WHERE (SELECT count(*) FROM big a, big b) > 0; END',
    );
    expect(send('INSERT INTO t VALUES (1, 1)', 'INSERT INTO big VALUES (1)')).toEqual([
      'SQL_TIMEOUT',
      'ok',
    ]);
    expectAlive();
  });

  it('a command between the two limits succeeds on every replica', () => {
    startLow();
    const work = `INSERT INTO t (x) SELECT max(i) + random() % 2 FROM (${COUNT} LIMIT 20000) SELECT i FROM n)`;
    expect(
      send('INSERT INTO t VALUES (1, random())', work, 'INSERT INTO t (x) VALUES (random())'),
    ).toEqual(['ok', 'ok', 'ok']);
    expect(trio.live.stats()['canonicalRuns']).toBe(1);
    expectAlive();
  });

  it('slow commands may do more', () => {
    startLow();
    const sql = `INSERT INTO t (x) ${COUNT} LIMIT 100000) SELECT max(i) FROM n`;
    expect(send(sql)).toEqual(['SQL_TIMEOUT']);
    expect(send({ op: 'execute', sql, slow: true })).toEqual(['ok']);
    expectAlive();
  });

  it.each([
    ['instr', "instr(a, 'ab')"],
    ['replace', "length(replace(a, 'a', 'aa'))"],
    ['trim', "trim(a, 'bca')"],
    ['unhex', "unhex(a, 'ab')"],
    ['like', "a LIKE '%a%b%c%a%b%c%d'"],
    ['glob', "a GLOB '*a*b*c*a*b*c*d'"],
    ['hex', 'length(hex(a))'],
    ['json', "json_extract(json_array(a, a), '$[1]')"],
    ['printf', "length(printf('%500000s', a))"],
    ['randomblob', 'length(randomblob(1000000))'],
    ['zeroblob', 'length(zeroblob(2000000))'],
    ['upper', 'upper(a)'],
  ])('functions that work without steps: %s', (_, call) => {
    startLow();
    const value = `(SELECT replace(hex(zeroblob(100000)), '00', 'ac') AS a)`;
    const outcomes = send(
      'INSERT INTO t VALUES (1, 1)',
      `INSERT INTO t (x) SELECT ${call} FROM ${value}, (${COUNT} LIMIT 10) SELECT i FROM n)`,
      'INSERT INTO t VALUES (2000, 1)',
    );
    expect([outcomes[0], outcomes[2]]).toEqual(['ok', 'ok']);
    expect(['ok', 'SQL_TIMEOUT', 'TRANSACTION_TOO_LARGE', 'SQL_ERROR']).toContain(outcomes[1]);
    expectAlive();
  });

  it('memory: a command that needs too much fails alone', () => {
    startLow();
    // Large values cost steps as well: enough of them, so that it is memory that runs out.
    setting({ softSteps: 100_000, hardSteps: 200_000, slowSteps: 200_000 });
    const hungry = `INSERT INTO t (x) SELECT count(*) FROM (${COUNT} LIMIT 400) SELECT DISTINCT randomblob(60000) FROM n)`;
    const outcomes = trio.apply(execute('INSERT INTO t VALUES (1, random())'), execute(hungry), {
      op: 'txn',
      statements: [{ sql: 'DELETE FROM t' }, { sql: hungry }],
    });
    expect(codes(outcomes)).toEqual(['ok', 'TRANSACTION_TOO_LARGE', 'TRANSACTION_TOO_LARGE']);
    expect(select('SELECT count(*) FROM t')).toEqual([[1]]);
    expectAlive();
  });

  it('memory: what one entry holds together is bounded, command by command', () => {
    startLow('CREATE TABLE big (id INTEGER PRIMARY KEY, b)');
    const rows = Array.from({ length: 44 }, (_, i) => [i, new Uint8Array(500_000)]);
    for (let i = 0; i < rows.length; i += 4) {
      trio.apply(
        ...rows.slice(i, i + 4).map((row) => execute('INSERT INTO big VALUES (?, ?)', row)),
      );
    }
    // Rewriting a page keeps its old content in the journal until COMMIT.
    const again = rows.map(([id]) =>
      execute('UPDATE big SET b = zeroblob(499999) WHERE id = ?', [id as number]),
    );
    const seen = codes(trio.apply(...again));
    expect(seen[0]).toBe('ok');
    expect(seen).toContain('TRANSACTION_TOO_LARGE');
    expectAlive();
  });

  it('huge values and texts', () => {
    startLow();
    setting({ valueBytes: 100_000, sqlBytes: 10_000, patternBytes: 16 });
    expect(
      send(
        'INSERT INTO t (x) VALUES (zeroblob(200000))',
        execute('INSERT INTO t (x) VALUES (?)', ['x'.repeat(200_000)]),
        execute('INSERT INTO t (x) VALUES (?)', [new Uint8Array(200_000)]),
        `SELECT ${'1 + '.repeat(5000)} 1`,
        "SELECT 'abc' LIKE '%aaaaaaaaaaaaaaaaaaaaaaaa%'",
        `SELECT ${'abs('.repeat(1500)}1${')'.repeat(1500)}`,
        execute('INSERT INTO t (x) VALUES (?)', ['x'.repeat(50_000)]),
      ),
    ).toEqual([...Array(6).fill('SQL_ERROR'), 'ok']);
    expectAlive();
  });

  it('results that are too large are undone', () => {
    startLow();
    setting({ resultRows: 10, resultBytes: 20_000 });
    expect(
      send(
        `INSERT INTO t (x) ${COUNT} LIMIT 11) SELECT i FROM n RETURNING x`,
        `INSERT INTO t (x) ${COUNT} LIMIT 3) SELECT zeroblob(9000) FROM n RETURNING x`,
        `INSERT INTO t (x) ${COUNT} LIMIT 10) SELECT i FROM n RETURNING x`,
        { op: 'batch', atomic: true, sql: 'DELETE FROM t; SELECT zeroblob(30000)' },
      ),
    ).toEqual(['RESULT_TOO_LARGE', 'RESULT_TOO_LARGE', 'ok', 'RESULT_TOO_LARGE']);
    expect(select('SELECT count(*) FROM t')).toEqual([[10]]);
    expectAlive();
  });
});

describe('a full database', () => {
  it('refuses what does not fit and takes what does', () => {
    start('CREATE TABLE t (id INTEGER PRIMARY KEY, x)');
    setting({ maxPageCount: 64 });
    const blob = new Uint8Array(100_000);
    expect(
      send(
        execute('INSERT INTO t VALUES (1, ?)', [blob]),
        execute('INSERT INTO t VALUES (2, ?)', [blob]),
        execute('INSERT INTO t VALUES (3, ?)', [blob]),
        'INSERT INTO t VALUES (4, random())',
        {
          op: 'txn',
          statements: [
            { sql: 'DELETE FROM t WHERE id = 4' },
            { sql: 'INSERT INTO t VALUES (5, ?)', params: [blob] },
          ],
        },
        'DELETE FROM t WHERE id = 1',
        execute('INSERT INTO t VALUES (6, ?)', [blob]),
      ),
    ).toEqual(['ok', 'ok', 'TRANSACTION_TOO_LARGE', 'ok', 'TRANSACTION_TOO_LARGE', 'ok', 'ok']);
    expect(select('SELECT id FROM t')).toEqual([[2], [4], [6]]);
    expectAlive();
  });

  it.skipIf(!engineUnderTest().capabilities.fts5)(
    'FTS5 finds it full when COMMIT writes what was gathered',
    () => {
      start('CREATE VIRTUAL TABLE f USING fts5(body, detail = full)', 'CREATE TABLE t (x)');
      setting({ maxPageCount: 64 });
      let seen: string[] = [];
      for (let round = 0; round < 40 && !seen.includes('TRANSACTION_TOO_LARGE'); round++) {
        const words = Array.from({ length: 400 }, (_, i) => `w${round}x${i}`).join(' ');
        seen = send(
          'INSERT INTO t VALUES (1)',
          execute('INSERT INTO f VALUES (?)', [words]),
          'INSERT INTO t VALUES (2)',
        );
      }
      expect(seen).toEqual(['ok', 'TRANSACTION_TOO_LARGE', 'ok']);
      expect(send('DELETE FROM t')).toEqual(['ok']);
    },
  );
});
