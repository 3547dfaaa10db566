/**
 * The two SQL engines beside each other, without network, log or consensus: one writer over pages in memory, one command
 * per transaction unless it says otherwise, as the state machine drives it. The engines take turns; medians of the rounds.
 *
 *     npm run build && node bench/engines.mjs [--rounds 5] [--json]
 */
import { readFileSync } from 'node:fs';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { DEFAULT_ENGINE_LIMITS } from '../dist/wasm/limits.js';
import { loadSqliteEngine } from '../dist/wasm/load/node.js';
import { loadSqljsEngine } from '../dist/wasm/load/sqljs-node.js';
import { createMemoryPageStore } from '../dist/wasm/page-store/memory.js';

const ENGINES = [
  { name: 'sqlite', load: loadSqliteEngine, file: 'sqlite/sqlite3.wasm' },
  { name: 'sqljs', load: loadSqljsEngine, file: 'sqljs/sql-wasm.wasm' },
];
const BUDGET = { steps: 10_000_000, memoryBytes: 1024 ** 3 };
const HOST = {
  wallMs: () => 1_767_323_045_678,
  random: (out) => out.fill(7),
  monotonicMs: () => performance.now(),
};
const at = process.argv.indexOf('--rounds');
const rounds = at < 0 ? 5 : Number(process.argv[at + 1]);

function run(connection, sql, params = []) {
  const statement = connection.prepare(sql);
  params.forEach((value, i) => {
    statement.bind(i + 1, value);
  });
  let rows = 0;
  while (statement.step()) {
    statement.row();
    rows++;
  }
  return rows;
}

function timed(work) {
  const started = performance.now();
  work();
  return performance.now() - started;
}

/** What is measured: from a warm engine with an open writer and reader to a figure. */
const MEASURES = [
  {
    name: 'one INSERT per transaction, µs',
    measure({ writer }) {
      const count = 5000;
      const ms = timed(() => {
        for (let i = 0; i < count; i++) {
          writer.exec('BEGIN');
          writer.beginCommand(BUDGET);
          run(writer, 'INSERT INTO single (ts, name) VALUES (?, ?)', [i, `name ${i}`]);
          writer.endCommand();
          writer.exec('COMMIT');
        }
      });
      return (ms * 1000) / count;
    },
  },
  {
    name: '25,000 INSERTs in one transaction, ms',
    measure({ writer }) {
      return timed(() => {
        writer.exec('BEGIN');
        writer.beginCommand(BUDGET);
        for (let i = 0; i < 25_000; i++) {
          run(writer, 'INSERT INTO many (ts, name) VALUES (?, ?)', [i, `name ${i % 977}`]);
        }
        writer.endCommand();
        writer.exec('COMMIT');
      });
    },
  },
  {
    name: 'point SELECT, µs',
    measure({ reader }) {
      const count = 50_000;
      const ms = timed(() => {
        for (let i = 0; i < count; i++) {
          run(reader, 'SELECT ts, name FROM many WHERE id = ?', [1 + (i % 25_000)]);
        }
      });
      return (ms * 1000) / count;
    },
  },
  {
    name: '25,000 rows read, ms',
    measure: ({ reader }) => timed(() => run(reader, 'SELECT * FROM many')),
  },
  {
    name: 'GROUP BY and ORDER BY over 25,000 rows, ms',
    measure: ({ reader }) =>
      timed(() => run(reader, 'SELECT name, count(*), avg(ts) FROM many GROUP BY name ORDER BY 2')),
  },
  {
    name: 'a loop of 500,000 turns, ms',
    measure: ({ reader }) =>
      timed(() =>
        run(
          reader,
          'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 500000) SELECT sum(i * 3 % 7) FROM n',
        ),
      ),
  },
  {
    name: 'compiling a SELECT, µs',
    measure({ reader }) {
      const count = 2000;
      const ms = timed(() => {
        for (let i = 0; i < count; i++) reader.prepare(`SELECT ts, name FROM many WHERE id = ${i}`);
      });
      return (ms * 1000) / count;
    },
  },
  {
    name: 'JSON of 25,000 rows, ms',
    measure: ({ reader }) =>
      timed(() => run(reader, "SELECT sum(json_object('a', ts, 'b', name) ->> 'a') FROM many")),
  },
];

function round(engine) {
  const store = createMemoryPageStore({ maxBytes: 512 * 1024 * 1024 });
  let writer;
  const figures = {
    'opening a writer, ms': timed(() => {
      writer = engine.openWriter(store, HOST, DEFAULT_ENGINE_LIMITS);
    }),
  };
  for (const table of ['single', 'many']) {
    writer.exec(`CREATE TABLE ${table} (id INTEGER PRIMARY KEY, ts INTEGER NOT NULL, name TEXT)`);
  }
  const readers = engine.openReaders(store, HOST, DEFAULT_ENGINE_LIMITS);
  const open = { writer, reader: readers.openReader() };
  for (const { name, measure } of MEASURES) figures[name] = measure(open);
  figures['memory of a writer, MiB'] = writer.memoryBytes() / 1024 ** 2;
  readers.close();
  writer.close();
  return figures;
}

function sizes(file) {
  const bytes = readFileSync(new URL(`../dist/wasm/${file}`, import.meta.url));
  const best = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
  return {
    'wasm, KB': bytes.length / 1000,
    'wasm gzip, KB': gzipSync(bytes, { level: 9 }).length / 1000,
    'wasm brotli, KB': brotliCompressSync(bytes, best).length / 1000,
  };
}

function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

const engines = ENGINES.map(({ name, load, file }) => {
  let engine;
  const loading = timed(() => {
    engine = load();
  });
  return {
    name,
    engine,
    fixed: { 'reading and compiling, ms': loading, ...sizes(file) },
    rounds: [],
  };
});
for (let i = 0; i <= rounds; i++) {
  for (const { engine, rounds: done } of engines) {
    const figures = round(engine);
    // The first round warms up.
    if (i > 0) done.push(figures);
  }
}
const results = engines.map(({ name, fixed, rounds: done }) => {
  const names = Object.keys(done[0]);
  const medians = names.map((key) => [key, median(done.map((figures) => figures[key]))]);
  return { name, ...fixed, ...Object.fromEntries(medians) };
});
if (process.argv.includes('--json')) {
  process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
} else {
  const [a, b] = results;
  process.stdout.write(`| what | ${a.name} | ${b.name} | ratio |\n|---|---|---|---|\n`);
  for (const key of Object.keys(a).filter((one) => one !== 'name')) {
    const figure = (value) => (value < 10 ? value.toFixed(2) : value.toFixed(0));
    const ratio = (b[key] / a[key]).toFixed(2);
    process.stdout.write(`| ${key} | ${figure(a[key])} | ${figure(b[key])} | ${ratio} |\n`);
  }
}
