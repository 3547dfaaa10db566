/**
 * The same SQL on both engines: rows, errors with their codes, messages and offsets, and what is left in the tables are
 * equal as long as it uses what both have. The pages may differ: SQLite's own build, which has hooks, replaces a row of a
 * WITHOUT ROWID table by deleting it first. So a cluster runs one engine.
 */
import { describe, expect, test } from 'vitest';
import { SqlError, type SqlValue, type Writer } from '../../wasm/engine.ts';
import { loadSqliteEngine } from '../../wasm/load/node.ts';
import { loadSqljsEngine } from '../../wasm/load/sqljs-node.ts';
import { createMemoryPageStore, restoreMemoryPageStore } from '../../wasm/page-store/memory.ts';
import {
  AMPLE,
  all,
  CommandHost,
  type EngineFactory,
  limits,
} from '../conformance/engine-support.ts';
import { play, workload } from '../conformance/engine-workload.ts';
import { PARAMETERS, RandomSql, type SqlFunctionInfo, TABLES } from './random-sql.ts';

const ROOM = { maxBytes: 256 * 1024 * 1024 };
const FACTORIES: readonly EngineFactory[] = [loadSqliteEngine(), loadSqljsEngine()].map(
  (engine) => ({
    engine,
    createStore: () => createMemoryPageStore(ROOM),
    restoreStore: (source) => restoreMemoryPageStore(source, ROOM),
  }),
);

/** They tell the engines apart on purpose. */
const ABOUT_THE_BUILD = /^sqlite_compileoption|^sqlite_source_id$|^sqlite_version$/;

interface Side {
  readonly host: CommandHost;
  readonly writer: Writer;
}

function open({ engine, createStore }: EngineFactory): Side {
  const host = new CommandHost();
  return { host, writer: engine.openWriter(createStore(), host, limits()) };
}

/** All functions of an engine, once each. */
function functionsOf(side: Side): Map<string, SqlFunctionInfo> {
  const rows = all(side.writer, 'SELECT name, type, narg FROM pragma_function_list');
  return new Map(
    rows.map(([name, type, args]) => [
      `${name}/${args}`,
      { name: String(name), type: String(type), args: Number(args) },
    ]),
  );
}

/** What one statement does on one side: everything that can be seen of it. */
function outcome({ writer, host }: Side, sql: string, at: number): unknown {
  host.command = at;
  writer.exec('BEGIN');
  writer.beginCommand(AMPLE);
  try {
    const statement = writer.prepare(sql)!;
    const names = Array.from({ length: statement.parameterCount }, (_, i) => {
      statement.bind(i + 1, PARAMETERS[(at + i) % PARAMETERS.length]!);
      return statement.parameterName(i + 1);
    });
    const rows: SqlValue[][] = [];
    while (statement.step()) rows.push(statement.row());
    const { readonly, explain } = statement;
    const shape = [statement.columnNames(), statement.columnTypes(), names, readonly, explain];
    const { read, written } = statement.tables();
    const changed = [writer.changes(), writer.lastInsertRowid(), writer.totalChanges()];
    return { rows, shape, read: [...read].sort(), written: [...written].sort(), changed };
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    const { kind, codeName, message, offset } = error;
    return { kind, codeName, message, offset };
  } finally {
    writer.endCommand();
    if (!writer.autocommit()) writer.exec('COMMIT');
  }
}

/** All tables with all their rows. */
function dump(writer: Writer): unknown[] {
  const tables = all(writer, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
  return tables.map(([name]) => [name, all(writer, `SELECT * FROM "${name}"`)]);
}

describe('both engines', () => {
  const [sqlite, sqljs] = FACTORIES.map(open) as [Side, Side];
  const ours = functionsOf(sqlite);
  const theirs = functionsOf(sqljs);

  test('have the same functions but for those that were compiled in', () => {
    const only = (a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): string[] => [
      ...new Set([...a.keys()].filter((key) => !b.has(key)).map((key) => key.split('/')[0]!)),
    ];
    expect(only(theirs, ours).sort()).toEqual([]);
    expect(only(ours, theirs).sort()).toMatchInlineSnapshot(`
      [
        "bm25",
        "fts5",
        "fts5_get_locale",
        "fts5_insttoken",
        "fts5_locale",
        "fts5_source_id",
        "highlight",
        "median",
        "percentile",
        "percentile_cont",
        "percentile_disc",
        "rtreecheck",
        "rtreedepth",
        "rtreenode",
        "snippet",
        "sqlite_offset",
        "unknown",
      ]
    `);
  });

  test('answer a log of commands with the same results and the same tables', () => {
    const [a, b] = FACTORIES.map((factory) => play(factory, workload(600, 31, false)));
    expect(b!.results).toEqual(a!.results);
    expect(dump(b!.writer)).toEqual(dump(a!.writer));
  });

  test.each([1, 2, 3, 4])('answer random SQL alike, seed %i', (seed) => {
    const shared = [...ours]
      .filter(([key, { name }]) => theirs.has(key) && !ABOUT_THE_BUILD.test(name))
      .map(([, info]) => info)
      .sort((x, y) => (x.name < y.name ? -1 : x.name > y.name ? 1 : x.args - y.args));
    const sql = new RandomSql(seed, shared);
    const sides = FACTORIES.map(open) as [Side, Side];
    for (const { writer } of sides) for (const text of TABLES) all(writer, text);
    let good = 0;
    for (let at = 0; at < 1500; at++) {
      const text = sql.statement();
      const [a, b] = sides.map((side) => outcome(side, text, at));
      expect(b, text).toEqual(a);
      if ('rows' in (a as object)) good++;
    }
    expect(good).toBeGreaterThan(500);
    const [a, b] = sides.map(({ writer }) => dump(writer));
    expect(b).toEqual(a);
    expect(all(sides[1].writer, 'SELECT count(*) FROM d')[0]![0]).toBeGreaterThan(10);
  });
});
