/** What `testEngineLimits` tries: SQL that is nested deep, multiplies, or is endless, and what works although it is deep. */
import type { SqlErrorKind } from '../../wasm/engine.ts';

/** The texts of `part` for 0 to n - 1. */
export function list(n: number, part: (i: number) => string, separator = ', '): string {
  return Array.from({ length: n }, (_, i) => part(i)).join(separator);
}

/** `inner` inside `n` pairs of `open` and `close`. */
export function nest(n: number, open: string, inner: string, close: string): string {
  return open.repeat(n) + inner + close.repeat(n);
}

export function triggerChain(n: number): string[] {
  return [
    ...Array.from({ length: n + 1 }, (_, i) => `CREATE TABLE t${i}(a)`),
    ...Array.from(
      { length: n },
      (_, i) =>
        `CREATE TRIGGER r${i} AFTER INSERT ON t${i} BEGIN INSERT INTO t${i + 1} VALUES (new.a); END`,
    ),
  ];
}

function foreignKeyChain(n: number, action: string): string[] {
  return [
    'CREATE TABLE t0(a INTEGER PRIMARY KEY)',
    ...Array.from(
      { length: n },
      (_, i) => `CREATE TABLE t${i + 1}(a INTEGER PRIMARY KEY REFERENCES t${i} ${action})`,
    ),
  ];
}

function viewChain(n: number, body: (below: string) => string): string[] {
  return [
    'CREATE TABLE t(a)',
    'CREATE VIEW v0 AS SELECT a FROM t',
    ...Array.from({ length: n }, (_, i) => `CREATE VIEW v${i + 1} AS ${body(`v${i}`)}`),
  ];
}

/** A table whose column i + 1 is generated from column i. */
function generatedChain(n: number, next: (column: string) => string): string {
  return `CREATE TABLE g(c0, ${list(n, (i) => `c${i + 1} AS (${next(`c${i}`)})`)})`;
}

/** A table with n triggers on itself, each of which inserts into it again. */
function sameTable(n: number): string[] {
  return [
    'CREATE TABLE t(a)',
    ...Array.from(
      { length: n },
      (_, i) =>
        `CREATE TRIGGER r${i} AFTER INSERT ON t WHEN new.a < 0 BEGIN INSERT INTO t VALUES (new.a); END`,
    ),
  ];
}

export const DENSE_JOIN: (n: number) => string = (n) =>
  `SELECT 1 FROM ${list(n, (i) => `t x${i}`)} WHERE ${list(
    n - 1,
    (i) => `x${i}.a = x0.b AND x${i}.b > x${(i * 7 + 3) % n}.c AND x${i}.c IN (1, 2, 3)`,
    ' AND ',
  )} ORDER BY x1.a, x2.b, x3.c`;

export const INDEXED: readonly string[] = [
  'CREATE TABLE t(a, b, c)',
  ...['a, b', 'b, c', 'c, a', 'a, c', 'b, a', 'c, b', 'a', 'b'].map(
    (columns, i) => `CREATE INDEX i${i} ON t(${columns})`,
  ),
];

/** Setup, then what is refused with which kind. */
export type Refused = readonly [
  name: string,
  setup: readonly string[],
  sql: string,
  kind: SqlErrorKind,
  message: RegExp,
];

export const REFUSED: readonly Refused[] = [
  [
    'triggers that set off triggers',
    triggerChain(80),
    'INSERT INTO t0 VALUES (1)',
    'not-allowed',
    /more than 64 triggers/,
  ],
  [
    'very many triggers',
    triggerChain(900),
    'INSERT INTO t0 VALUES (1)',
    'not-allowed',
    /not allowed/,
  ],
  [
    'very many triggers on one table',
    sameTable(900),
    'INSERT INTO t VALUES (1)',
    'not-allowed',
    /not allowed/,
  ],
  [
    'cascading deletes',
    foreignKeyChain(900, 'ON DELETE CASCADE'),
    'DELETE FROM t0',
    'not-allowed',
    /cascading deletes/,
  ],
  [
    'cascading updates',
    foreignKeyChain(900, 'ON UPDATE CASCADE'),
    'UPDATE t0 SET a = 2',
    'not-allowed',
    /nested too deep/,
  ],
  [
    'views that multiply',
    viewChain(40, (v) => `SELECT a FROM ${v} UNION ALL SELECT a FROM ${v}`),
    'SELECT count(*) FROM v40',
    'memory',
    /statement is too large/,
  ],
  [
    'views of views',
    viewChain(900, (v) => `SELECT a FROM ${v}`),
    'SELECT * FROM v900',
    'sql',
    /nested too deep/,
  ],
  [
    'too many generated columns',
    [],
    generatedChain(33, (c) => `${c} + 1`),
    'not-allowed',
    /more than 32 generated columns/,
  ],
  [
    'very many generated columns',
    [],
    generatedChain(1900, (c) => `${c} + 1`),
    'not-allowed',
    /generated columns/,
  ],
  [
    'deep generated columns',
    [],
    generatedChain(3, (c) => nest(100, 'abs(', c, ')')),
    'sql',
    /too large \(maximum depth 16\)/,
  ],
  [
    'generated columns that multiply',
    [],
    generatedChain(32, (c) => `${c} BETWEEN ${c} AND ${c} + ${c}`),
    'memory',
    /memory/,
  ],
  [
    'a generated column too many, added',
    [generatedChain(32, (c) => `${c} + 1`)],
    'ALTER TABLE g ADD COLUMN d AS (c32 + 1)',
    'not-allowed',
    /more than 32 generated columns/,
  ],
  [
    'a deep generated column, added',
    ['CREATE TABLE g(a)'],
    `ALTER TABLE g ADD COLUMN d AS (${nest(100, 'abs(', 'a', ')')})`,
    'sql',
    /maximum depth 16/,
  ],
  [
    'too many columns',
    [],
    `CREATE TABLE w(${list(501, (i) => `c${i}`)})`,
    'sql',
    /too many columns/,
  ],
  [
    'too many terms of a compound',
    [],
    list(101, (i) => `SELECT ${i}`, ' UNION '),
    'sql',
    /too many terms/,
  ],
  ['a join that takes long to plan', INDEXED, DENSE_JOIN(40), 'steps', /too long to compile/],
  [
    'too many named parameters',
    [],
    `SELECT 1 WHERE 1 IN (${list(4001, (i) => `:p${i}`)})`,
    'sql',
    /too many SQL variables/,
  ],
  [
    'constants that are compared with each other',
    [],
    `SELECT 1 WHERE ?1 + 1 IN (${list(100_000, (i) => `${i}+?1`, ',')})`,
    'memory',
    /statement is too large/,
  ],
  [
    'a chain of AND',
    ['CREATE TABLE t(a)'],
    `SELECT 1 FROM t WHERE ${list(5000, (i) => `a > ${i}`, ' AND ')}`,
    'sql',
    /maximum depth/,
  ],
  [
    'nested subqueries',
    ['CREATE TABLE t(a)'],
    nest(1000, 'SELECT * FROM (', 'SELECT a FROM t', ')'),
    'sql',
    /Recursion limit|too large|too deep/,
  ],
  [
    'nested EXISTS',
    ['CREATE TABLE t(a)'],
    `SELECT ${nest(1000, 'EXISTS (SELECT 1 FROM t WHERE ', '1', ')')}`,
    'sql',
    /Recursion limit|too large/,
  ],
  [
    'a chain of common table expressions',
    [],
    `WITH c0(a) AS (SELECT 1)${list(1000, (i) => `, c${i + 1}(a) AS (SELECT a FROM c${i})`, '')} SELECT * FROM c1000`,
    'sql',
    /too deep/,
  ],
  [
    'a join of 65 tables',
    ['CREATE TABLE t(a)'],
    `SELECT 1 FROM ${list(65, (i) => `t x${i}`)}`,
    'sql',
    /64 tables/,
  ],
  ['deep JSON', [], `SELECT json('${nest(20_000, '[', '1', ']')}')`, 'sql', /malformed JSON/],
  [
    'a deep JSON path',
    [],
    `SELECT json_set('{}', '$${'.a'.repeat(20_000)}', 1)`,
    'sql',
    /too deep/,
  ],
  [
    'a patch of deep JSON',
    [],
    `SELECT json_patch('${nest(20_000, '{"a":', '1', '}')}', '{}')`,
    'sql',
    /malformed JSON/,
  ],
  ['a huge printf width', [], "SELECT printf('%.*c', 2000000000, 'x')", 'sql', /too big/],
  [
    'a huge printf precision',
    [],
    "SELECT printf('%2147483647.2147483647f', 1e300)",
    'sql',
    /too big/,
  ],
  ['a huge zeroblob', [], 'SELECT hex(zeroblob(2147483647))', 'sql', /too big/],
  [
    'a group_concat that grows',
    [],
    "SELECT length(group_concat(x, x)) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) SELECT printf('%.*c', 1000000, 'y') AS x FROM n)",
    'sql',
    /too big/,
  ],
];

/** Setup, then what works although it is deep. */
export const ALLOWED: readonly (readonly [name: string, setup: readonly string[], sql: string])[] =
  [
    ['60 triggers in a chain', triggerChain(60), 'INSERT INTO t0 VALUES (1)'],
    ['60 cascading deletes', foreignKeyChain(60, 'ON DELETE CASCADE'), 'DELETE FROM t0'],
    ['100 cascading updates', foreignKeyChain(100, 'ON UPDATE CASCADE'), 'UPDATE t0 SET a = 2'],
    ['100 views of views', viewChain(100, (v) => `SELECT a FROM ${v}`), 'SELECT * FROM v100'],
    [
      '100 views that cannot be flattened',
      viewChain(100, (v) => `SELECT DISTINCT max(a) AS a FROM ${v} ORDER BY a LIMIT 5`),
      'SELECT * FROM v100',
    ],
    [
      '32 generated columns in a chain',
      [generatedChain(32, (c) => `${c} + 1`)],
      'INSERT INTO g(c0) VALUES (1)',
    ],
    ['500 columns', [`CREATE TABLE w(${list(500, (i) => `c${i}`)})`], 'SELECT DISTINCT * FROM w'],
    ['100 terms of a compound', [], list(100, (i) => `SELECT ${i}`, ' UNION ')],
    [
      'a join of 64 tables',
      ['CREATE TABLE t(a PRIMARY KEY, b)'],
      `SELECT * FROM t x0 ${list(63, (i) => `JOIN t x${i + 1} ON x${i + 1}.a = x${i}.b`, ' ')}`,
    ],
    [
      '32,766 parameters',
      ['CREATE TABLE t(a, b, c)'],
      `INSERT INTO t VALUES ${list(10_922, () => '(?, ?, ?)')}`,
    ],
    [
      '10,000 rows of VALUES with signs',
      ['CREATE TABLE t(a, b)'],
      `INSERT INTO t VALUES ${list(10_000, (i) => `(-${i}, 'x:y @z $w')`)}`,
    ],
    ['JSON 900 deep', [], `SELECT json_pretty(jsonb('${nest(500, '[', '1', ']')}'))`],
    [
      'a CREATE TABLE AS with many common tables',
      [],
      `CREATE TABLE u AS WITH ${list(40, (i) => `c${i} AS (SELECT ${i} AS a)`)} SELECT ${nest(30, 'abs(', 'a', ')')} AS a FROM c7`,
    ],
  ];
