/**
 * The write and read paths of the embedded client on the leader of three processes, as closed loops.
 *
 *     npm run build && node bench/embedded.mjs [--sync durable|os] [--json]
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNode } from '../dist/src/index.js';
import { MEASURED, WARM_UP } from './loads.mjs';

const INSERT = 'INSERT INTO _bench (id, ts, name) VALUES ($1, $2, $3)';
const sync = process.argv.includes('--sync')
  ? process.argv[process.argv.indexOf('--sync') + 1]
  : 'durable';
const directory = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), 'quorlite-bench-'));
const children = [];

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function percentile(sorted, part) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

/** Runs `calls` calls of `call`, `concurrency` at a time. */
async function closedLoop(name, concurrency, calls, call) {
  const latencies = new Float64Array(calls);
  let next = 0;
  const cpu = process.cpuUsage();
  const started = performance.now();
  async function worker() {
    while (next < calls) {
      const n = next++;
      const from = performance.now();
      await call(n);
      latencies[n] = performance.now() - from;
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker));
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  latencies.sort();
  return {
    name,
    concurrency,
    rate: Math.round(calls / seconds),
    p50us: Math.round(percentile(latencies, 0.5) * 1000),
    p99us: Math.round(percentile(latencies, 0.99) * 1000),
    maxus: Math.round(latencies.at(-1) * 1000),
    leaderCpuUs: Math.round(((user + system) / calls) * 100) / 100,
  };
}

async function main() {
  const ports = [await freePort(), await freePort(), await freePort()];
  const nodes = Object.fromEntries(ports.map((port, i) => [i + 1, `http://127.0.0.1:${port}`]));
  const list = Object.entries(nodes)
    .map(([id, url]) => `${id}=${url}`)
    .join(',');
  for (const id of [2, 3]) {
    const own = ['--id', id, '--nodes', list, '--data-dir', join(directory, `n${id}`)];
    const args = [
      'dist/src/cli/main.js',
      'serve',
      ...own.map(String),
      '--sync',
      sync,
      '--log',
      'warn',
    ];
    children.push(spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] }));
  }
  const config = { id: 1, nodes, sync, dataDir: join(directory, 'n1'), log: 'warn' };
  const started = performance.now();
  const node = await startNode(config);
  const db = node.client;
  await db.execute(
    'CREATE TABLE _bench (id INTEGER PRIMARY KEY, ts INTEGER NOT NULL, name TEXT NOT NULL)',
  );
  const results = [
    { name: 'start to first write, ms', rate: Math.round(performance.now() - started) },
  ];
  let id = 0;
  const insertNext = () => {
    const row = id++;
    return db.execute(INSERT, [row, 1_700_000_000, `Name ${row}`]);
  };
  for (const [outstanding, calls] of WARM_UP) {
    await closedLoop('warm-up', outstanding, calls, insertNext);
  }
  for (const [outstanding, calls] of MEASURED) {
    results.push(await closedLoop('insert', outstanding, calls, insertNext));
  }
  const many = () =>
    Array.from({ length: 25_000 }, () => {
      const row = id++;
      return [row, 1_700_000_000, `Name ${row}`];
    });
  const from = performance.now();
  await Promise.all(
    Array.from({ length: 4 }, () => db.txn([{ sql: INSERT, many: many() }], { slow: true })),
  );
  results.push({
    name: 'rows in transactions of 25,000',
    rate: Math.round(1e8 / (performance.now() - from)),
  });
  const SELECT = 'SELECT id, ts, name FROM _bench WHERE id = ?';
  const stale = { consistency: 'stale' };
  await closedLoop('warm', 1, 20_000, (n) => db.query(SELECT, [n % 1000], stale));
  results.push(
    await closedLoop('select stale', 1, 100_000, (n) => db.query(SELECT, [n % 1000], stale)),
  );
  for (const concurrency of [1, 64]) {
    const calls = concurrency === 1 ? 3000 : 100_000;
    results.push(
      await closedLoop('select linearizable', concurrency, calls, (n) =>
        db.query(SELECT, [n % 1000]),
      ),
    );
  }
  if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify(results)}\n`);
  else console.table(results);
  await node.shutdown();
}

try {
  await main();
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
}
