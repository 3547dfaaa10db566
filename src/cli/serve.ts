/** `quorlite serve`: runs one node in this process. */
import { existsSync } from 'node:fs';
import { formatHostPort } from '../config/address.ts';
import type { RunningNode } from '../runtime/node/running-node.ts';
import { createLogger, type Logger } from '../telemetry/logger.ts';
import { QuorliteError } from '../wire/error.ts';
import { type Command, ExitCode, type Invocation } from './command.ts';
import { type LoadedConfig, loadConfig, NODE_FLAGS } from './node-flags.ts';
import type { Output } from './output.ts';
import { loadStartNode } from './runtime.ts';

/** `quorlite serve`. */
export const serveCommand: Command = {
  name: 'serve',
  summary: 'run one node',
  flags: {
    ...NODE_FLAGS,
    'exit-with-parent': { type: 'boolean', hidden: true, help: 'stop when standard input ends' },
  },
  details: `Prints one line when it can serve: ready URL node=N role=ROLE term=T. Logs go to stderr. The first SIGINT or
SIGTERM hands leadership over, drains and flushes; the second one stops at once.`,
  examples: [
    'quorlite serve',
    'quorlite serve --id 1 --nodes 1=http://127.0.0.1:4001,2=http://127.0.0.1:4002,3=http://127.0.0.1:4003',
    'quorlite serve --config quorlite.toml --log json,debug',
  ],
  run: (invocation) => serve(invocation).catch(rethrowWithoutOutcome),
};

/** How often a node that cannot serve yet says what it waits for, milliseconds. */
const WAITING_NOTICE_MS = 5000;

/** How often it is asked, at least, milliseconds. */
const READY_POLL_MS = 50;

/** Time beyond draining for handing leadership over and flushing, milliseconds. */
const FLUSH_MS = 10_000;

async function serve(invocation: Invocation): Promise<number> {
  const { flags, env, output } = invocation;
  const loaded = loadConfig(flags, env);
  const logger = createProcessLogger(loaded);
  announce(loaded, logger);
  const stop = new StopRequest();
  if (flags.on('exit-with-parent')) stop.onInputEnd();
  stop.onSignals(logger);
  const startNode = await loadStartNode();
  const node = await startNode({ ...loaded.config, ...serverListen(loaded), log: logger });
  try {
    const end = Promise.race([stop.wanted.then(() => ExitCode.ok), died(node, logger)]);
    await Promise.race([reportReady(node, output, logger, stop), end]);
    return await end;
  } finally {
    await shutDown(node, loaded.resolved.limits.shutdownMs + FLUSH_MS, logger);
    stop.close();
  }
}

/** An outcome is that of a write, and told to whoever wrote; the end of a process has none: it failed. */
function rethrowWithoutOutcome(error: unknown): never {
  if (!(error instanceof QuorliteError)) throw error;
  const { code, message, hint, cause } = error;
  throw new QuorliteError(code, message, { hint, cause });
}

/** A node that cannot end is ended: whoever supervises it waits. */
async function shutDown(node: RunningNode, ms: number, logger: Logger): Promise<void> {
  const timer = setTimeout(() => {
    logger.error('the node does not stop', { afterMs: ms });
    process.exit(ExitCode.failed);
  }, ms);
  try {
    await node.shutdown();
  } finally {
    clearTimeout(timer);
  }
}

/** What the command line decides differently from code: a server listens even when nobody says where. */
function serverListen({ config, resolved }: LoadedConfig): { readonly listen?: string } {
  if (config.listen !== undefined || config.nodes !== undefined || !resolved.listen) return {};
  return { listen: formatHostPort(resolved.listen) };
}

/** Resolves when the node stopped by itself: a failed disk, a broken invariant. */
async function died(node: RunningNode, logger: Logger): Promise<number> {
  const failure = await node.stopped;
  if (failure === null) return ExitCode.ok;
  logger.error('the node stopped', { reason: failure.message });
  return ExitCode.failed;
}

/** Waits until the node can serve, then prints the one line that scripts wait for. */
async function reportReady(
  node: RunningNode,
  output: Output,
  logger: Logger,
  stop: StopRequest,
): Promise<void> {
  for (let waited = 0; ; waited += READY_POLL_MS) {
    const error = await new Promise<QuorliteError | null>((resolve) => {
      node.service.ready(READY_POLL_MS, resolve);
    });
    if (stop.requested) return;
    const { role, term, waiting } = node.service.status();
    if (error === null) {
      const ready = { url: node.url, node: node.id, role, term };
      if (output.json) output.line(JSON.stringify({ ready }));
      else output.line(`ready ${node.url} node=${node.id} role=${role} term=${term}`);
      return;
    }
    if (waited > 0 && waited % WAITING_NOTICE_MS === 0) {
      logger.warn('waiting', { reason: waiting === '' ? error.message : waiting });
    }
  }
}

function createProcessLogger({ resolved }: LoadedConfig): Logger {
  if (typeof resolved.log !== 'string') return resolved.log;
  return createLogger({
    level: resolved.log,
    format: resolved.logFormat ?? (process.stderr.isTTY === true ? 'pretty' : 'json'),
    wallMs: () => Date.now(),
    write: (line) => void process.stderr.write(`${line}\n`),
    fields: { node: resolved.id },
  });
}

function announce({ resolved, file }: LoadedConfig, logger: Logger): void {
  if (file === null && existsSync('quorlite.toml')) {
    logger.warn('quorlite.toml is not used', { hint: 'start with --config quorlite.toml' });
  }
  if (resolved.secretApi === null && resolved.listen !== null) {
    logger.info('open to this machine only', { reason: 'no secretApi is set' });
  }
}

/** Somebody wants this process to end. */
class StopRequest {
  requested = false;
  readonly wanted: Promise<void>;
  #resolve: () => void = () => {};

  constructor() {
    this.wanted = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** The first signal asks, the second one insists. */
  onSignals(logger: Logger): void {
    for (const [signal, number] of [
      ['SIGINT', 2],
      ['SIGTERM', 15],
    ] as const) {
      process.on(signal, () => {
        if (this.requested) process.exit(128 + number);
        logger.info('stopping', { signal });
        this.request();
      });
    }
  }

  /** A parent that dies, however, closes the pipe it holds. */
  onInputEnd(): void {
    process.stdin.on('end', () => this.request());
    process.stdin.on('error', () => this.request());
    process.stdin.resume();
    // It must not keep a process that could not start from ending. What is no pipe has no such method.
    if ('unref' in process.stdin) process.stdin.unref();
  }

  /** Standard input would keep the process alive. */
  close(): void {
    process.stdin.destroy();
  }

  request(): void {
    this.requested = true;
    this.#resolve();
  }
}
