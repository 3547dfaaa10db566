/** Clusters of real processes on loopback: `quorlite serve` from the build, each with a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MAIN = join(import.meta.dirname, '../../dist/src/cli/main.js');

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

/** One node's process. */
export class NodeProcess {
  readonly id: number;
  readonly url: string;
  readonly dataDir: string;
  readonly #args: readonly string[];
  #child: ChildProcess | null = null;
  /** Everything it wrote, for failing tests. */
  output = '';

  constructor(id: number, url: string, dataDir: string, args: readonly string[]) {
    this.id = id;
    this.url = url;
    this.dataDir = dataDir;
    this.#args = args;
  }

  get running(): boolean {
    return this.#child !== null;
  }

  /** Starts it; resolves when it says that it is ready. */
  start(extra: readonly string[] = []): Promise<void> {
    const child = spawn(process.execPath, [MAIN, 'serve', ...this.#args, ...extra], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
    });
    this.#child = child;
    child.stderr?.on('data', (bytes) => this.#note(bytes));
    return new Promise((resolve, reject) => {
      child.stdout?.on('data', (bytes) => {
        this.#note(bytes);
        if (/^ready /m.test(String(bytes))) resolve();
      });
      child.once('exit', (code, signal) => {
        if (this.#child === child) this.#child = null;
        reject(
          new Error(
            `node ${this.id} ended (${code ?? signal}) before it was ready:\n${this.output}`,
          ),
        );
      });
    });
  }

  #note(bytes: Uint8Array): void {
    this.output = (this.output + String(bytes)).slice(-20_000);
  }

  /** Sends a signal and waits for the end; returns the exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#child;
    if (!child) return null;
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    child.kill(signal);
    const code = await ended;
    if (this.#child === child) this.#child = null;
    return code;
  }

  /** Sends a signal and does not wait (SIGSTOP, SIGCONT). */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  wipe(): void {
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

/** Several nodes that know each other. */
export class ProcessCluster {
  readonly nodes: readonly NodeProcess[];
  readonly directory: string;

  private constructor(nodes: readonly NodeProcess[], directory: string) {
    this.nodes = nodes;
    this.directory = directory;
  }

  static async create(size: number, args: readonly string[] = []): Promise<ProcessCluster> {
    const directory = mkdtempSync(join(tmpdir(), 'quorlite-cluster-'));
    const ports = await freePorts(size);
    const urls = ports.map((port) => `http://127.0.0.1:${port}`);
    const list = urls.map((url, i) => `${i + 1}=${url}`).join(',');
    const nodes = urls.map((url, i) => {
      const dataDir = join(directory, `node-${i + 1}`);
      const own = ['--id', String(i + 1), '--nodes', list, '--data-dir', dataDir];
      return new NodeProcess(i + 1, url, dataDir, [...own, ...args]);
    });
    return new ProcessCluster(nodes, directory);
  }

  get urls(): string[] {
    return this.nodes.map((node) => node.url);
  }

  async start(): Promise<void> {
    await Promise.all(this.nodes.filter((node) => !node.running).map((node) => node.start()));
  }

  /** The node that leads, as a node that answers sees it. */
  async leader(): Promise<NodeProcess> {
    for (;;) {
      for (const node of this.nodes) {
        if (!node.running) continue;
        const leader = await leaderSeenBy(node.url);
        const found = this.nodes.find((one) => one.id === leader && one.running);
        if (found) return found;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop(signal)));
  }

  async dispose(): Promise<void> {
    await this.stop('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }
}

async function leaderSeenBy(url: string): Promise<number | null> {
  try {
    const response = await fetch(`${url}/v1/cluster`);
    return ((await response.json()) as { leader: number | null }).leader;
  } catch {
    return null;
  }
}
