/** A random workload of every kind of statement, and ways to play it that must all give the same bytes. */
import type { Reader, Writer } from '../../wasm/engine.ts';
import { SqlError } from '../../wasm/engine.ts';
import type { PageStore } from '../../wasm/page-store.ts';
import {
  AMPLE,
  all,
  CommandHost,
  copyOf,
  type EngineFactory,
  generator,
  limits,
} from './engine-support.ts';

const SCHEMA: readonly string[] = [
  'CREATE TABLE a(id INTEGER PRIMARY KEY, name TEXT, ts INT, val REAL)',
  'CREATE INDEX a_name ON a(name)',
  'CREATE TABLE b(id INTEGER PRIMARY KEY AUTOINCREMENT, k TEXT UNIQUE, v BLOB)',
  'CREATE TABLE c(x INT, y TEXT, PRIMARY KEY (x, y)) WITHOUT ROWID',
  'CREATE TABLE au(n INT, at TEXT, r INT, ch INT, tc INT, li INT)',
  `CREATE TRIGGER tr AFTER UPDATE ON a BEGIN
     INSERT INTO au VALUES (new.id, datetime('now', 'localtime'), random(), changes(), total_changes(), last_insert_rowid());
   END`,
];
const VIRTUAL: readonly string[] = [
  'CREATE VIRTUAL TABLE f USING fts5(body)',
  'CREATE VIRTUAL TABLE rt USING rtree(id, x0, x1)',
];

/** `count` commands, the schema first. The same for the same seed. */
export function workload(count: number, seed: number, virtual: boolean): string[] {
  const random = generator(seed);
  const log = [...SCHEMA, ...(virtual ? VIRTUAL : [])];
  let dropped = 0;
  const next: readonly (readonly [weight: number, make: (i: number) => string])[] = [
    [
      25,
      (i) =>
        `INSERT OR REPLACE INTO a VALUES (${random(3000)}, 'name${random(100_000)}', ${i}, ${random(1000)} / 7.0)`,
    ],
    [
      10,
      () =>
        `INSERT INTO b(k, v) VALUES ('k${random(400)}', randomblob(${random(12_000)})) ON CONFLICT (k) DO UPDATE SET v = excluded.v`,
    ],
    [5, () => `DELETE FROM b WHERE id % ${2 + random(9)} = 0`],
    [
      10,
      () =>
        `INSERT OR IGNORE INTO c VALUES (${random(500)}, '${'y'.repeat(random(300))}${random(50)}')`,
    ],
    [
      5,
      () => {
        const from = random(500);
        return `DELETE FROM c WHERE x BETWEEN ${from} AND ${from + random(60)}`;
      },
    ],
    [
      10,
      () => {
        const id = random(3000);
        return `UPDATE a SET val = val + 1, name = name || 'x' WHERE id BETWEEN ${id} AND ${id + random(60)}`;
      },
    ],
    [
      5,
      () => {
        const id = random(3000);
        return `DELETE FROM a WHERE id BETWEEN ${id} AND ${id + random(200)}`;
      },
    ],
    [
      4,
      (i) =>
        `INSERT INTO a SELECT id + ${3000 + i * 4000}, name, ts, val FROM a WHERE id < ${random(400)}`,
    ],
    [4, (i) => `INSERT INTO b(k) VALUES ('k1'), ('zz${i}'), ('k1')`],
    [
      3,
      (i) =>
        `INSERT INTO au VALUES (${i}, CURRENT_TIMESTAMP, random(), changes(), total_changes(), last_insert_rowid())`,
    ],
    [
      6,
      () =>
        virtual
          ? `INSERT INTO f(body) VALUES ('lorem w${random(300)} ipsum ' || hex(randomblob(40)))`
          : 'SELECT 1',
    ],
    [2, () => (virtual ? `DELETE FROM f WHERE rowid % 7 = ${random(7)}` : 'SELECT 1')],
    [
      4,
      () =>
        virtual
          ? `INSERT OR REPLACE INTO rt VALUES (${random(800)}, ${random(100)}, ${100 + random(100)})`
          : 'SELECT 1',
    ],
    [
      2,
      () =>
        dropped++ % 2 === 1
          ? `DROP TABLE x${dropped >> 1}`
          : `CREATE TABLE x${(dropped + 1) >> 1}(a, b)`,
    ],
    [1, () => 'ANALYZE'],
    [
      4,
      () =>
        `INSERT INTO c SELECT x + 1000, y FROM c WHERE x < ${random(30)} ON CONFLICT DO NOTHING`,
    ],
  ];
  const total = next.reduce((sum, [weight]) => sum + weight, 0);
  for (let i = 0; i < count; i++) {
    let at = random(total);
    log.push(next.find(([weight]) => (at -= weight) < 0)![1](i));
    if (random(150) === 0) log.push('VACUUM');
  }
  return log;
}

/** How one replica plays a log. */
export interface Play {
  readonly cachePages?: number;
  /** Before this command the store is copied and a new instance opened on the copy. */
  readonly restoreAt?: number;
  /** Before this command a new instance is opened on the same store. */
  readonly reopenAt?: number;
  /** Whether readers and the writer are queried in between. */
  readonly reads?: boolean;
  /** Compiled statements are thrown away before each command. */
  readonly coldStatements?: boolean;
}

/** What a played log left behind. */
export interface Played {
  readonly store: PageStore;
  readonly host: CommandHost;
  readonly writer: Writer;
  /** Code of each command's result, its changes and its last rowid. */
  readonly results: readonly string[];
  readonly usage: readonly { steps: number; memoryBytes: number }[];
}

/** Plays `log`, one transaction per command. */
export function play(factory: EngineFactory, log: readonly string[], how: Play = {}): Played {
  const host = new CommandHost();
  const set = limits(how.cachePages === undefined ? {} : { cachePages: how.cachePages });
  let store = factory.createStore();
  let writer = factory.engine.openWriter(store, host, set);
  const results: string[] = [];
  const usage: { steps: number; memoryBytes: number }[] = [];
  let reader: Reader | null = null;
  log.forEach((sql, i) => {
    host.command = i;
    if (i === how.restoreAt) store = copyOf(factory, store);
    if (i === how.restoreAt || i === how.reopenAt) {
      writer = factory.engine.openWriter(store, host, set);
      reader = null;
    }
    if (how.reads && i > SCHEMA.length) {
      reader ??= factory.engine.openReaders(store, host, set).openReader();
      if (i % 3 === 0)
        all(reader, `SELECT count(*), sum(length(name)) FROM a WHERE id > ${i % 500}`);
      if (i % 5 === 0) all(writer, 'SELECT * FROM c ORDER BY y DESC LIMIT 20');
    }
    if (how.coldStatements) writer.clearStatements();
    const { result, used } = playOne(writer, sql);
    results.push(result);
    usage.push(used);
  });
  return { store, host, writer, results, usage };
}

/** One command as the state machine runs it: begin, run, commit, reload the schema when it changed. */
export function playOne(
  writer: Writer,
  sql: string,
): { result: string; used: { steps: number; memoryBytes: number } } {
  const maintenance = sql === 'VACUUM' || sql === 'ANALYZE';
  if (sql !== 'VACUUM') writer.exec('BEGIN');
  writer.beginCommand(AMPLE);
  let result = 'ok';
  let used = { steps: 0, memoryBytes: 0 };
  let changed = false;
  try {
    if (maintenance) writer.privileged(() => all(writer, sql));
    else all(writer, sql);
    result = `ok ${writer.changes()} ${writer.lastInsertRowid()}`;
  } catch (error) {
    if (!(error instanceof SqlError) || error.kind === 'crash') throw error;
    result = `${error.codeName} ${error.message}`;
  } finally {
    changed = writer.schemaOrStatisticsChanged();
    used = writer.endCommand();
  }
  if (!writer.autocommit()) writer.exec('COMMIT');
  if (changed) writer.reloadSchema();
  return { result, used };
}
