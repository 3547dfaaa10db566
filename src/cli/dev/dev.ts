/** `quorlite dev`: a whole cluster on this machine, one process per node. */
import { join } from 'node:path';
import { integerValue } from '../../config/values.ts';
import { type Command, ExitCode, type Invocation } from '../command.ts';
import type { Output } from '../output.ts';
import { UsageError } from '../usage.ts';
import { type ChildNode, startChild } from './child.ts';
import { busyPort } from './ports.ts';
import { printWelcome } from './welcome.ts';

/** `quorlite dev`. */
export const devCommand: Command = {
  name: 'dev',
  summary: 'run a whole cluster on this machine, one process per node',
  flags: {
    nodes: { type: 'integer', help: 'how many nodes', fallback: '3' },
    port: { type: 'integer', help: 'port of node 1; the others follow', fallback: '4001' },
    'data-dir': { type: 'text', shape: 'DIR', help: 'where they store', fallback: './data/dev' },
    sync: { type: 'text', shape: 'MODE', help: 'durable, interval:200ms or os' },
    engine: { type: 'text', choices: ['sqlite', 'sqljs'], help: 'SQL engine' },
    log: {
      type: 'text',
      shape: 'LEVEL,FORMAT',
      help: 'logs of the nodes',
      fallback: 'warn,pretty',
    },
  },
  details: `The nodes keep their data: the next start goes on where this one ends. Ctrl-C stops all of them. A node that dies is
not restarted: the command that starts it again is printed.`,
  examples: ['quorlite dev', 'quorlite dev --nodes 5 --port 5001 --data-dir /tmp/five'],
  run: dev,
};

/** What all nodes of the cluster share. */
export interface DevPlan {
  readonly count: number;
  readonly port: number;
  readonly dataDir: string;
  readonly urls: readonly string[];
}

async function dev({ flags, output }: Invocation): Promise<number> {
  const plan = makePlan(
    bounded('--nodes', flags.integer('nodes') ?? 3, 1, 99),
    bounded('--port', flags.integer('port') ?? 4001, 1, 65_535),
    flags.text('data-dir') ?? join('data', 'dev'),
  );
  const busy = await busyPort(plan.port, plan.count);
  if (busy !== null) {
    throw new UsageError(
      `port ${busy} is in use`,
      'stop what listens there (another quorlite dev?), or choose others: --port 5001',
    );
  }
  const shared = ['--log', flags.text('log') ?? 'warn,pretty'];
  for (const name of ['sync', 'engine']) {
    const value = flags.text(name);
    if (value !== undefined) shared.push(`--${name}`, value);
  }
  const children = plan.urls.map((_, i) =>
    startChild(serveArguments(plan, i + 1, shared), i + 1, output),
  );
  return await supervise(plan, children, output);
}

/** Reports readiness and deaths; resolves when no child is left. */
async function supervise(
  plan: DevPlan,
  children: readonly ChildNode[],
  output: Output,
): Promise<number> {
  let stopping = false;
  let running = children.length;
  let failed = 0;
  function stop(signal: 'SIGINT' | 'SIGTERM'): void {
    // The children are in process groups of their own, so each gets exactly the signals sent here.
    for (const child of children) child.stop(stopping ? 'SIGKILL' : 'SIGTERM');
    if (!stopping)
      output.note(output.paintNote('dim', `${signal}: ${stoppingWhat(running, plan.count)}`));
    stopping = true;
  }
  process.on('SIGINT', () => stop('SIGINT'));
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('exit', () => {
    for (const child of children) child.stop('SIGKILL');
  });
  const ends = children.map(async (child) => {
    const end = await child.ended;
    running--;
    if (stopping) return;
    failed++;
    const message = `node ${child.id} ended (${end}); ${running} of ${plan.count} run`;
    output.note(`${output.paintNote('bad', message)}\n  start it again: ${child.commandLine}`);
  });
  void Promise.all(children.map((child) => child.ready)).then((ready) => {
    if (!stopping && failed === 0) void printWelcome(plan, ready, output);
  });
  await Promise.all(ends);
  return failed > 0 ? ExitCode.failed : ExitCode.ok;
}

/** Nodes that died before are not stopped now. */
function stoppingWhat(running: number, count: number): string {
  const nodes = count === 1 ? 'node' : 'nodes';
  return running === count
    ? `stopping ${count} ${nodes}`
    : `stopping ${running} of ${count} ${nodes}`;
}

function makePlan(count: number, port: number, dataDir: string): DevPlan {
  if (port + count - 1 > 65_535) throw new UsageError(`port ${port + count - 1} does not exist`);
  const urls = Array.from({ length: count }, (_, i) => `http://127.0.0.1:${port + i}`);
  return { count, port, dataDir, urls };
}

function serveArguments(plan: DevPlan, id: number, shared: readonly string[]): string[] {
  const nodes = plan.urls.map((url, i) => `${i + 1}=${url}`).join(',');
  const dataDir = join(plan.dataDir, `node-${id}`);
  return ['serve', '--id', String(id), '--nodes', nodes, '--data-dir', dataDir, ...shared];
}

function bounded(flag: string, value: number, min: number, max: number): number {
  const problem = integerValue(min, max).check(value);
  if (problem !== null) throw new UsageError(`${flag} ${problem}`);
  return value;
}
