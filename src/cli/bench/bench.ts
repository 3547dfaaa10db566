/** `quorlite bench`: measures a running cluster. */
import type { Client } from '../../client/contract.ts';
import { CONFIG_KEYS } from '../../config/keys.ts';
import type { NodeConfig } from '../../config/node-config.ts';
import { didYouMean } from '../../wire/nearest.ts';
import { type Command, ExitCode, type Flags, type Invocation } from '../command.ts';
import { CONNECTION_FLAGS, targetOf, URL_DETAILS } from '../connection.ts';
import { printError } from '../failure.ts';
import type { Output } from '../output.ts';
import { pad } from '../table.ts';
import { UsageError } from '../usage.ts';
import {
  type BenchConnection,
  openEmbeddedConnection,
  openHttpConnection,
  openSocketConnection,
  type Transport,
} from './connection.ts';
import { closedLoop, type LoopResult } from './loop.ts';
import type { Traffic } from './traffic.ts';
import { BENCH_TABLE, rows, SEED_ROWS, type Workload, workloads } from './workload.ts';

/** `quorlite bench`. */
export const benchCommand: Command = {
  name: 'bench',
  summary: 'measure a cluster: rates, percentiles, processor time and bytes',
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
    seconds: { type: 'text', shape: 'N', help: 'length of each run', fallback: '3' },
    workloads: {
      type: 'text',
      shape: 'NAME,…',
      help: workloads(1)
        .map(({ name }) => name)
        .join(', '),
      fallback: 'all',
    },
    rows: { type: 'integer', help: 'rows of one txn', fallback: '25000' },
    embedded: {
      type: 'boolean',
      help: 'start three nodes and measure the client inside the leader, this process',
    },
    sync: {
      type: 'text',
      shape: CONFIG_KEYS.sync.shape,
      help: 'of --embedded',
      fallback: 'durable',
    },
    'data-dir': {
      type: 'text',
      shape: 'DIR',
      help: 'where --embedded makes a folder for its data',
    },
    keep: { type: 'boolean', help: 'leave the table _bench behind' },
    ...CONNECTION_FLAGS,
  },
  details: `Creates the table _bench, which it replaces when it exists and drops at the end. ${URL_DETAILS}`,
  examples: [
    'quorlite bench',
    'quorlite bench --embedded -c 1,64',
    'quorlite bench http://127.0.0.1:4001 --http -c 64 --workloads insert --json',
  ],
  run: bench,
};

/** A shorter run measures its own start. */
const SHORTEST_SECONDS = 0.1;

/** One line of the table. */
interface BenchRow extends Omit<LoopResult, 'firstError'> {
  readonly workload: string;
  readonly transport: Transport;
  readonly concurrency: number;
  readonly rowsPerSecond: number;
  /** Per operation; null when they cannot be counted. */
  readonly bytesSent: number | null;
  readonly bytesReceived: number | null;
}

async function bench(invocation: Invocation): Promise<number> {
  const { flags, output } = invocation;
  const chosen = chooseWorkloads(flags);
  const concurrencies = readConcurrencies(flags.text('concurrency') ?? '1,4,16,64,256');
  const seconds = readSeconds(flags.text('seconds') ?? '3');
  const connection = await open(invocation);
  const results: BenchRow[] = [];
  try {
    await prepare(connection.client);
    if (!output.json) printHeading(output);
    for (const workload of chosen) {
      for (const concurrency of workload.alone ? [1] : concurrencies) {
        const { row, firstError } = await measure(connection, workload, concurrency, seconds);
        results.push(row);
        if (!output.json) output.line(benchLine(row));
        if (firstError !== null) printError(firstError, output);
      }
    }
    if (!flags.on('keep') && !flags.on('embedded')) await dropTable(connection.client);
  } finally {
    await connection.close();
  }
  const where = flags.on('embedded') ? {} : { url: targetOf(invocation, invocation.words).urls[0] };
  output.result({ ...where, results }, () => output.line(legend(connection.transport)));
  return results.some(({ errors }) => errors > 0) ? ExitCode.failed : ExitCode.ok;
}

function readSeconds(text: string): number {
  const seconds = /^\d{1,9}(\.\d{1,3})?$/.test(text) ? Number(text) : 0;
  if (seconds < SHORTEST_SECONDS) {
    throw new UsageError(`--seconds must be a number, at least ${SHORTEST_SECONDS}, not ${text}`);
  }
  return seconds;
}

async function open(invocation: Invocation): Promise<BenchConnection> {
  const { flags, words, output } = invocation;
  const target = targetOf(invocation, words);
  if (!flags.on('embedded')) {
    if (flags.text('sync') !== undefined || flags.text('data-dir') !== undefined) {
      throw new UsageError('--sync and --data-dir are for --embedded');
    }
    return flags.on('http') ? openHttpConnection(target) : openSocketConnection(target);
  }
  if (flags.on('http') || words.length > 0) {
    throw new UsageError('--embedded starts a cluster of its own: no --http, no URL');
  }
  const sync = (flags.text('sync') ?? 'durable') as NodeConfig['sync'];
  const problem = CONFIG_KEYS.sync.check(sync);
  if (problem !== null) throw new UsageError(`--sync ${problem}`);
  const { startEmbedded } = await import('./embedded.ts');
  const cluster = await startEmbedded({ sync, parent: flags.text('data-dir'), output });
  return openEmbeddedConnection(cluster, target.timeoutMs);
}

async function measure(
  connection: BenchConnection,
  workload: Workload,
  concurrency: number,
  seconds: number,
): Promise<{ readonly row: BenchRow; readonly firstError: unknown }> {
  const ms = 1000 * seconds;
  let n = 0;
  const operation = (): Promise<void> => workload.run(connection, n++);
  // Connections, statement caches and compiled code are part of no run.
  if (!workload.alone) await closedLoop(concurrency, Math.min(300, ms / 4), operation);
  const before = await connection.traffic();
  const { firstError, ...measured } = await closedLoop(concurrency, ms, operation);
  const after = await connection.traffic();
  const counted = before !== null && after !== null && measured.operations > 0;
  const each = (bytes: (traffic: Traffic) => number): number | null =>
    counted ? (bytes(after) - bytes(before)) / measured.operations : null;
  const row: BenchRow = {
    workload: workload.name,
    transport: connection.transport,
    concurrency,
    rowsPerSecond: measured.rate * workload.rows,
    ...measured,
    bytesSent: each(({ sent }) => sent),
    bytesReceived: each(({ received }) => received),
  };
  return { row, firstError };
}

async function prepare(client: Client): Promise<void> {
  await client.execute('DROP TABLE IF EXISTS _bench');
  await client.execute(BENCH_TABLE);
  const sql = 'INSERT INTO _bench (ts, name) VALUES (?, ?)';
  await client.txn([{ sql, many: rows(0, SEED_ROWS) }]);
}

async function dropTable(client: Client): Promise<void> {
  await client.execute('DROP TABLE IF EXISTS _bench', [], { slow: true });
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

const COLUMNS: readonly (readonly [title: string, width: number])[] = [
  ['workload', 19],
  ['c', 4],
  ['ops/s', 8],
  ['rows/s', 8],
  ['p50 ms', 8],
  ['p99 ms', 8],
  ['max ms', 8],
  ['cpu µs', 8],
  ['B sent', 8],
  ['B rcvd', 8],
];

function printHeading(output: Output): void {
  output.line(output.paint('strong', cells(COLUMNS.map(([title]) => title))));
  output.line(COLUMNS.map(([, width]) => '─'.repeat(width)).join('  '));
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
    row.cpuUs.toFixed(row.cpuUs < 100 ? 1 : 0),
    row.bytesSent?.toFixed(0) ?? '-',
    row.bytesReceived?.toFixed(0) ?? '-',
  ]);
  return row.errors > 0 ? `${line}  ${row.errors} errors` : line;
}

function cells(texts: readonly string[]): string {
  return texts.map((text, i) => pad(text, COLUMNS[i]![1], i === 0 ? 'left' : 'right')).join('  ');
}

function legend(transport: Transport): string {
  const [process, peers] =
    transport === 'embedded'
      ? ['the leader, this process', 'to and from its peers']
      : ['this client', 'to and from the cluster'];
  return `\nPer operation: processor time of ${process}; bytes ${peers}.`;
}
