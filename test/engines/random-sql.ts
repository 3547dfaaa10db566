/** Random SQL for comparing engines: expressions over all functions that they share, queries, writes. */
import type { SqlValue } from '../../wasm/engine.ts';
import { generator } from '../conformance/engine-support.ts';

type Random = (below: number) => number;

/** A function of SQL as `PRAGMA function_list` has it. */
export interface SqlFunctionInfo {
  readonly name: string;
  /** Scalar (`s`), window or aggregate (`w`, `a`). */
  readonly type: string;
  /** Number of arguments; negative: any. */
  readonly args: number;
}

const LITERALS: readonly string[] = [
  'NULL',
  '0',
  '1',
  '-1',
  '9223372036854775807',
  '-9223372036854775808',
  '0.1',
  '-2.5e10',
  '1e308',
  '9e999',
  "''",
  "'abc'",
  "'Äöü🦊'",
  "'  x '",
  "'12abc'",
  "'0x1F'",
  "'2024-02-29 12:34:56'",
  "'now'",
  "'+1 month'",
  "'unixepoch'",
  "'%Y-%m-%d %H:%M:%f'",
  "'%08.3f|%s|%q|%c|%x'",
  `'{"a":[1,2,{"b":null}],"c":1.5}'`,
  "'$.a[1]'",
  "'[3,1,2]'",
  "x''",
  "x'00ff41'",
  'zeroblob(3)',
  '?1',
  '?2',
  ':p',
];
const COLUMNS: readonly string[] = ['id', 'i', 'r', 't', 'b', 'n'];
const OPERATORS: readonly string[] = [
  '+',
  '-',
  '*',
  '/',
  '%',
  '||',
  '<<',
  '>>',
  '&',
  '|',
  '=',
  '<>',
  '<',
  '<=',
  'IS',
  'IS NOT',
  'AND',
  'OR',
  'LIKE',
  'GLOB',
  '->',
  '->>',
  'IS DISTINCT FROM',
];
const TYPES: readonly string[] = ['INTEGER', 'REAL', 'TEXT', 'BLOB', 'NUMERIC'];
const COLLATIONS: readonly string[] = ['BINARY', 'NOCASE', 'RTRIM'];

/** Values for the parameters of a statement. */
export const PARAMETERS: readonly SqlValue[] = [
  null,
  7,
  -(2 ** 40),
  9_007_199_254_740_993n,
  1.25,
  'text',
  'größer',
  new Uint8Array([1, 0, 255]),
];

/** The tables that the SQL is about. */
export const TABLES: readonly string[] = [
  `CREATE TABLE d(id INTEGER PRIMARY KEY, i INT, r REAL, t TEXT COLLATE NOCASE, b BLOB, n NUMERIC,
     g AS (i + 1), CHECK (i IS NOT 666))`,
  'CREATE INDEX d_t ON d(t, i)',
  'CREATE INDEX d_p ON d(r) WHERE r > 0',
  'CREATE TABLE e(k TEXT PRIMARY KEY, v ANY) WITHOUT ROWID, STRICT',
  'CREATE UNIQUE INDEX d_n ON d(n)',
  'CREATE VIEW v AS SELECT t, count(*) AS c, sum(i) AS s FROM d GROUP BY t',
  `CREATE TRIGGER d_e AFTER UPDATE ON d BEGIN
     INSERT INTO e VALUES (new.id || ':' || random() % 50, new.i) ON CONFLICT DO UPDATE SET v = v || 'x';
   END`,
];

/** Makes SQL: the same for the same seed and functions. */
export class RandomSql {
  readonly #random: Random;
  readonly #scalars: readonly SqlFunctionInfo[];
  readonly #aggregates: readonly SqlFunctionInfo[];

  constructor(seed: number, functions: readonly SqlFunctionInfo[]) {
    this.#random = generator(seed);
    this.#scalars = functions.filter(({ type }) => type === 's');
    this.#aggregates = functions.filter(({ type }) => type !== 's');
  }

  /** One statement: mostly writes that change little, and queries of all kinds. */
  statement(): string {
    const makers = [
      () => `SELECT ${this.#list(() => this.expression(3, false), 4)}`,
      () => `SELECT ${this.#list(() => this.expression(2, true), 3)} FROM d ORDER BY id LIMIT 8`,
      () =>
        `SELECT id FROM d WHERE ${this.expression(3, true)} ORDER BY ${this.#pick(COLUMNS)}, id`,
      () =>
        `SELECT ${this.#aggregate()}, ${this.#aggregate()} FROM d GROUP BY ${this.#pick(COLUMNS)} % 3 ORDER BY 1, 2`,
      () =>
        `SELECT id, ${this.#aggregate()} OVER (PARTITION BY i % 3 ORDER BY id ROWS ${this.#random(3)} PRECEDING) FROM d ORDER BY id LIMIT 20`,
      () =>
        `SELECT a.id, c.${this.#pick(COLUMNS)} FROM d a LEFT JOIN d c ON a.${this.#pick(COLUMNS)} = c.${this.#pick(COLUMNS)} ORDER BY 1, 2 LIMIT 20`,
      () =>
        `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ${1 + this.#random(9)}) SELECT i, ${this.expression(2, false)} FROM n`,
      () =>
        `SELECT ${this.#pick(COLUMNS)} FROM d ${this.#pick(['UNION', 'EXCEPT', 'INTERSECT', 'UNION ALL'])} SELECT ${this.#pick(COLUMNS)} FROM d ORDER BY 1 LIMIT 9`,
      () => 'SELECT * FROM v ORDER BY t',
      () =>
        `EXPLAIN QUERY PLAN SELECT * FROM d WHERE ${this.expression(2, true)} ORDER BY ${this.#pick(COLUMNS)}`,
      () => this.#insert(),
      () => this.#insert(),
      () =>
        `UPDATE ${this.#pick(['', 'OR IGNORE ', 'OR REPLACE '])}d SET ${this.#pick(COLUMNS)} = ${this.expression(2, true)} WHERE id % 7 = ${this.#random(7)} RETURNING id, i, t`,
      () => `DELETE FROM d WHERE id % 11 = ${this.#random(11)} AND ${this.expression(1, true)}`,
      () =>
        `INSERT OR REPLACE INTO e VALUES (${this.expression(1, false)}, ${this.expression(2, false)})`,
      () =>
        `SELECT ${this.#pick(COLUMNS)} ${this.#pick(['FRM', 'FROM nowhere', 'FROM d WHERE nothing = 1', 'FROM d ORDER', ', (SELECT 1', 'FROM d GROUP BY sum(i)'])}`,
      () =>
        this.#pick([
          'SELECT k, v, typeof(v) FROM e ORDER BY k',
          'SELECT last_insert_rowid(), changes(), total_changes()',
          "SELECT datetime('now'), random(), hex(randomblob(5))",
          'PRAGMA integrity_check',
          'PRAGMA table_xinfo(d)',
        ]),
    ];
    return this.#pick(makers)();
  }

  /** A random expression; `columns`: of the table `d`, too. */
  expression(depth: number, columns: boolean): string {
    const inner = (): string => this.expression(depth - 1, columns);
    if (depth === 0) return this.#pick(columns && this.#random(2) ? COLUMNS : LITERALS);
    const makers = [
      () => this.#call(this.#pick(this.#scalars), inner),
      () => this.#call(this.#pick(this.#scalars), inner),
      () => `(${inner()} ${this.#pick(OPERATORS)} ${inner()})`,
      () => `CAST(${inner()} AS ${this.#pick(TYPES)})`,
      () => `CASE WHEN ${inner()} THEN ${inner()} ELSE ${inner()} END`,
      () => `(${inner()} ${this.#pick(['', 'NOT '])}BETWEEN ${inner()} AND ${inner()})`,
      () => `(${inner()} IN (${inner()}, ${inner()}))`,
      () => `(${inner()} COLLATE ${this.#pick(COLLATIONS)})`,
      () => `typeof(${inner()})`,
      () => `(SELECT ${inner()} FROM d WHERE i = ${inner()} LIMIT 1)`,
      () => `(-${inner()})`,
    ];
    return this.#pick(makers)();
  }

  #insert(): string {
    const values = Array.from({ length: 5 }, () => this.expression(1, false)).join(', ');
    const conflict = this.#pick(['', ' OR IGNORE', ' OR REPLACE', ' OR FAIL']);
    return `INSERT${conflict} INTO d(i, r, t, b, n) VALUES (${values}) RETURNING *`;
  }

  #aggregate(): string {
    const fn = this.#pick(this.#aggregates);
    return this.#call(fn, () => this.expression(1, true));
  }

  #call({ name, args }: SqlFunctionInfo, argument: () => string): string {
    const count = args < 0 ? Math.max(-1 - args, this.#random(4)) : args;
    return `"${name}"(${Array.from({ length: count }, argument).join(', ')})`;
  }

  #list(make: () => string, most: number): string {
    return Array.from({ length: 1 + this.#random(most) }, make).join(', ');
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random(from.length)]!;
  }
}
