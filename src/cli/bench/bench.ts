/** `quorlite bench`: measures a running cluster. */
import { didYouMean } from '../../wire/nearest.ts';
import { type Command, ExitCode, type Flags, type Invocation } from '../command.ts';
import { CONNECTION_FLAGS, type Target, targetOf, URL_DETAILS, withClient } from '../connection.ts';
import { printError } from '../failure.ts';
import type { Output } from '../output.ts';
import { pad } from '../table.ts';
import { UsageError } from '../usage.ts';
import { type BenchConnection, openHttpConnection, openSocketConnection } from './connection.ts';
import { closedLoop, type LoopResult } from './loop.ts';
import { BENCH_TABLE, rows, SEED_ROWS, type Workload, workloads } from './workload.ts';

/** `quorlite bench`. */
export const benchCommand: Command = {
  name: 'bench',
  summary: 'measure a running cluster: rates and percentiles',
  words: '[URL…]',
  maxWords: 100,
  flags: {
    http: {
      type: 'boolean',
      help: 'one HTTP request per operation instead of the client protocol',
    },
    concurrency: {
      type: 'text',
      short: 'c',
      shape: 'N,N,…',
      help: 'operations outstanding at a time',
      fallback: '1,4,16,64,256',
    },
    seconds: { type: 'integer', help: 'length of each run', fallback: '3' },
    workloads: {
      type: 'text',
      shape: 'NAME,…',
      help: workloads(1)
        .map(({ name }) => name)
        .join(', '),
      fallback: 'all',
    },
    rows: { type: 'integer', help: 'rows of one txn', fallback: '25000' },
    keep: { type: 'boolean', help: 'leave the table _bench behind' },
    ...CONNECTION_FLAGS,
  },
  details: `Creates the table _bench, which it replaces when it exists and drops at the end. ${URL_DETAILS}`,
  examples: [
    'quorlite bench',
    'quorlite bench http://127.0.0.1:4001 --http -c 64 --workloads insert --json',
  ],
  run: bench,
};

/** One line of the table. */
interface BenchRow extends Omit<LoopResult, 'firstError'> {
  readonly workload: string;
  readonly transport: 'websocket' | 'http';
  readonly concurrency: number;
  readonly rowsPerSecond: number;
}

async function bench(invocation: Invocation): Promise<number> {
  const { flags, output, words } = invocation;
  const target = targetOf(invocation, words);
  const chosen = chooseWorkloads(flags);
  const concurrencies = readConcurrencies(flags.text('concurrency') ?? '1,4,16,64,256');
  const seconds = flags.integer('seconds') ?? 3;
  if (seconds < 1) throw new UsageError('--seconds must be at least 1');
  const ms = 1000 * seconds;
  const http = flags.on('http');
  await prepare(target);
  const connection = http ? openHttpConnection(target) : await openSocketConnection(target);
  const results: BenchRow[] = [];
  try {
    if (!output.json) printHeading(output);
    for (const workload of chosen) {
      for (const concurrency of workload.alone ? [1] : concurrencies) {
        const { firstError, ...measured } = await measure(connection, workload, concurrency, ms);
        const transport = http ? ('http' as const) : ('websocket' as const);
        const rowsPerSecond = measured.rate * workload.rows;
        const row = { workload: workload.name, transport, concurrency, rowsPerSecond, ...measured };
        results.push(row);
        if (!output.json) output.line(benchLine(row));
        if (firstError !== null) printError(firstError, output);
      }
    }
  } finally {
    await connection.close();
    if (!flags.on('keep')) await dropTable(target);
  }
  output.result({ url: target.urls[0], results }, () => {});
  return results.some(({ errors }) => errors > 0) ? ExitCode.failed : ExitCode.ok;
}

async function measure(
  connection: BenchConnection,
  workload: Workload,
  concurrency: number,
  ms: number,
): Promise<LoopResult> {
  let n = 0;
  const operation = (): Promise<void> => workload.run(connection, n++);
  // Connections, statement caches and compiled code are part of no run.
  if (!workload.alone) await closedLoop(concurrency, Math.min(300, ms / 4), operation);
  return closedLoop(concurrency, ms, operation);
}

function prepare(target: Target): Promise<void> {
  return withClient(target, async (client) => {
    await client.execute('DROP TABLE IF EXISTS _bench');
    await client.execute(BENCH_TABLE);
    const sql = 'INSERT INTO _bench (ts, name) VALUES (?, ?)';
    await client.txn([{ sql, many: rows(0, SEED_ROWS) }]);
  });
}

function dropTable(target: Target): Promise<void> {
  return withClient(target, async (client) => {
    await client.execute('DROP TABLE IF EXISTS _bench', [], { slow: true });
  });
}

function chooseWorkloads(flags: Flags): readonly Workload[] {
  const all = workloads(Math.max(1, flags.integer('rows') ?? 25_000));
  const names = flags.text('workloads')?.split(',');
  if (names === undefined || names.includes('all')) return all;
  return names.map((name) => {
    const found = all.find((workload) => workload.name === name);
    if (found !== undefined) return found;
    const known = all.map((workload) => workload.name);
    throw new UsageError(
      `--workloads knows no "${name}"${didYouMean(name, known)}`,
      known.join(', '),
    );
  });
}

function readConcurrencies(text: string): number[] {
  return text.split(',').map((part) => {
    const value = Number(part);
    if (Number.isInteger(value) && value >= 1 && value <= 100_000) return value;
    throw new UsageError(`--concurrency must be numbers such as 1,16,64, not "${text}"`);
  });
}

const WIDTHS = [20, 6, 12, 12, 9, 9, 9, 8];

function printHeading(output: Output): void {
  const titles = ['workload', 'c', 'ops/s', 'rows/s', 'p50 ms', 'p99 ms', 'max ms', 'cpu µs'];
  output.line(output.paint('strong', cells(titles)));
  output.line(WIDTHS.map((width) => '─'.repeat(width)).join('  '));
}

function benchLine(row: BenchRow): string {
  const line = cells([
    row.workload,
    String(row.concurrency),
    row.rate < 100 ? row.rate.toFixed(1) : row.rate.toFixed(0),
    row.rowsPerSecond.toFixed(0),
    row.p50Ms.toFixed(3),
    row.p99Ms.toFixed(3),
    row.maxMs.toFixed(1),
    row.cpuUs.toFixed(0),
  ]);
  return row.errors > 0 ? `${line}  ${row.errors} errors` : line;
}

function cells(texts: readonly string[]): string {
  return texts.map((text, i) => pad(text, WIDTHS[i]!, i === 0 ? 'left' : 'right')).join('  ');
}
