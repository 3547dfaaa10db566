/** Clusters of real processes on loopback: `quorlite serve` from the build, each with a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFailed } from 'vitest';
import type { Client } from '../../src/client/contract.ts';
import type { ConnectOptions } from '../../src/client/remote/connect.ts';
import type { ClusterStatus } from '../../src/node/contract.ts';
import { connect } from '../../src/runtime/node/connect.ts';
import { ensureBuilt } from '../support/build.ts';
import { engineUnderTest } from './engine.ts';

/** The built command. */
export const MAIN: string = join(import.meta.dirname, '../../dist/src/cli/main.js');
/** How often a condition on another process is looked at again. */
const POLL_MS = 20;
/** What a call of `patientClient` waits. */
const PATIENCE_MS = 60_000;
/** Output kept of one process. */
const OUTPUT_CHARS = 200_000;

/** Ports that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Waits until `look` gives something; the test's own timeout ends a wait in vain. */
export async function eventually<T>(look: () => T | Promise<T>): Promise<NonNullable<T>> {
  for (;;) {
    const found = await look();
    if (found !== null && found !== undefined && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** A client whose calls wait as long as a busy machine may take; the test's own timeout ends a wait in vain. */
export function patientClient(
  urls: string | readonly string[],
  options: ConnectOptions = {},
): Client {
  return connect(urls, { timeoutMs: PATIENCE_MS, ...options });
}

/** Processes that still run; none outlives this one, however it ends. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** How one start differs from the others. */
export interface StartOptions {
  /** Flags behind the node's own. */
  readonly args?: readonly string[] | undefined;
  readonly env?: { readonly [name: string]: string } | undefined;
  /** Runs the node through another program, such as `nsenter -t PID -m`. */
  readonly through?: readonly string[] | undefined;
}

/** The command line that runs `quorlite` unless a node has another one: on the Node that runs the tests. */
const OWN_RUNTIME: readonly string[] = [process.execPath, MAIN];

/** How a process ended: its exit code, or the signal that ended it. */
export type Ending = number | NodeJS.Signals;

/** One node's process. */
export class NodeProcess {
  readonly id: number;
  readonly url: string;
  readonly dataDir: string;
  readonly #args: readonly string[];
  readonly #command: readonly string[];
  #child: ChildProcess | null = null;
  #ended: Promise<Ending> = Promise.resolve(0);
  readonly #listeners = new Set<() => void>();
  /** What it wrote since it was last started, its standard error included. */
  output = '';

  constructor(
    id: number,
    url: string,
    dataDir: string,
    args: readonly string[],
    command: readonly string[] = OWN_RUNTIME,
  ) {
    this.id = id;
    this.url = url;
    this.dataDir = dataDir;
    this.#args = args;
    this.#command = command;
  }

  get running(): boolean {
    return this.#child !== null;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Resolves when the process that was started last has ended and its output is complete. */
  get ended(): Promise<Ending> {
    return this.#ended;
  }

  /** Starts it; resolves when it says that it is ready. */
  start(options: StartOptions = {}): Promise<void> {
    this.launch(options);
    return this.says(/^ready /m).then(() => {});
  }

  /** Starts it and waits for nothing. */
  launch({ args = [], env = {}, through = [] }: StartOptions = {}): void {
    if (this.#child) throw new Error(`node ${this.id} runs already`);
    this.output = '';
    const own = [...this.#command, 'serve', '--exit-with-parent', ...this.#args, ...args];
    const [program, ...rest] = [...through, ...own];
    const child = spawn(program!, rest, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1', ...env },
    });
    running.add(child);
    this.#child = child;
    child.stdin!.on('error', () => {});
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => this.#note(text));
    }
    this.#ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        running.delete(child);
        if (this.#child === child) this.#child = null;
        for (const listener of [...this.#listeners]) listener();
        resolve(code ?? signal ?? 0);
      });
    });
  }

  #note(text: string): void {
    this.output = (this.output + text).slice(-OUTPUT_CHARS);
    for (const listener of [...this.#listeners]) listener();
  }

  /** Resolves when it has written something that matches since its start; rejects when it ends before. */
  says(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(this.output);
        if (match === null && this.#child !== null) return;
        this.#listeners.delete(look);
        if (match !== null) resolve(match);
        else reject(new Error(`node ${this.id} ended before it said ${pattern}:\n${this.output}`));
      };
      this.#listeners.add(look);
      look();
    });
  }

  /** Sends a signal and waits for the end; returns the exit code, or the signal when that was what ended it. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ending | null> {
    if (!this.#child) return null;
    this.#child.kill(signal);
    return this.#ended;
  }

  /** Sends a signal and does not wait (SIGSTOP, SIGCONT). */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** What it says of the cluster, null while it does not answer. */
  async status(): Promise<ClusterStatus | null> {
    try {
      const response = await fetch(`${this.url}/v1/cluster`);
      return response.ok ? ((await response.json()) as ClusterStatus) : null;
    } catch {
      return null;
    }
  }

  wipe(): void {
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

/** Several nodes that know each other. */
export class ProcessCluster {
  readonly nodes: readonly NodeProcess[];
  readonly directory: string;
  /** Others that were started beside it and end with it. */
  readonly #guests: NodeProcess[] = [];

  private constructor(nodes: readonly NodeProcess[], directory: string) {
    this.nodes = nodes;
    this.directory = directory;
  }

  /**
   * Makes a cluster of `size` nodes; `args` are flags that all of them get, `commands` the command lines that run
   * `quorlite`, node by node, where it is not Node that does. Nothing is started yet.
   */
  static async create(
    size: number,
    args: readonly string[] = [],
    commands: readonly (readonly string[])[] = [],
  ): Promise<ProcessCluster> {
    ensureBuilt();
    const directory = mkdtempSync(join(tmpdir(), 'quorlite-cluster-'));
    const ports = await freePorts(size);
    const urls = ports.map((port) => `http://127.0.0.1:${port}`);
    const nodes = urls.map((url, i) => {
      const dataDir = join(directory, `node-${i + 1}`);
      const engine = ['--engine', engineUnderTest().id.name];
      const own = [
        '--id',
        String(i + 1),
        '--nodes',
        nodesFlag(urls),
        '--data-dir',
        dataDir,
        ...engine,
      ];
      return new NodeProcess(i + 1, url, dataDir, [...own, ...args], commands[i]);
    });
    const cluster = new ProcessCluster(nodes, directory);
    cluster.#tellWhenFailed();
    return cluster;
  }

  /** Shows what the nodes wrote when the test that made this cluster fails; one made in a hook belongs to no test. */
  #tellWhenFailed(): void {
    try {
      onTestFailed(() => {
        for (const { id, output } of [...this.nodes, ...this.#guests]) {
          process.stderr.write(`--- node ${id}\n${output}\n`);
        }
      });
    } catch {
      // Called in a hook.
    }
  }

  get urls(): string[] {
    return this.nodes.map((node) => node.url);
  }

  /** The value of `--nodes` that all nodes have. */
  get nodesFlag(): string {
    return nodesFlag(this.urls);
  }

  /** A node with flags of its own that is disposed of with this cluster. */
  guest(id: number, url: string, dataDir: string, args: readonly string[]): NodeProcess {
    const node = new NodeProcess(id, url, dataDir, args);
    this.#guests.push(node);
    return node;
  }

  async start(options: StartOptions = {}): Promise<void> {
    const stopped = this.nodes.filter((node) => !node.running);
    await Promise.all(stopped.map((node) => node.start(options)));
  }

  /** The node that leads, as a node that answers sees it; `but` neither leads nor is asked. */
  async leader(but: NodeProcess | null = null): Promise<NodeProcess> {
    const others = this.nodes.filter((node) => node !== but);
    return eventually(async () => {
      for (const node of others) {
        if (!node.running) continue;
        const status = await node.status();
        const found = others.find((one) => one.id === status?.leader && one.running);
        if (found) return found;
      }
      return null;
    });
  }

  /** The nodes that do not lead. */
  async followers(): Promise<NodeProcess[]> {
    const leader = await this.leader();
    return this.nodes.filter((node) => node !== leader);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop(signal)));
  }

  async dispose(): Promise<void> {
    const all = [...this.nodes, ...this.#guests];
    await Promise.all(all.map((node) => node.stop('SIGKILL')));
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function nodesFlag(urls: readonly string[]): string {
  return urls.map((url, i) => `${i + 1}=${url}`).join(',');
}
