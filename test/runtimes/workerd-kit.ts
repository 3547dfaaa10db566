/** Runs the Worker of this repository on the real runtime: bundled, beside the configuration file that people copy. */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import { eventually, freePorts } from '../kit/process-cluster.ts';
import { ROOT } from '../tidy/source.ts';

const MODULES = join(import.meta.dirname, 'node_modules');
const WORKERD = join(MODULES, 'workerd', 'bin', 'workerd');

/** Why these tests cannot run here, or ''. */
export const MISSING_WORKERD: string = existsSync(WORKERD)
  ? ''
  : 'workerd is not installed: npm ci --prefix test/runtimes';

/** Modules of the bundle: a file name, and what it is. */
export const BUNDLE_FILES = ['worker.js', 'sqlite3.wasm', 'trampolines.wasm'] as const;

/** Bundles `entry` into `folder`: one script, and the .wasm files that it imports. */
export async function bundleWorker(folder: string, entry = 'worker/index.ts'): Promise<void> {
  const require = createRequire(join(ROOT, 'package.json'));
  await build({
    entryPoints: [join(ROOT, entry)],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2023',
    conditions: ['workerd'],
    outfile: join(folder, 'worker.js'),
    logLevel: 'error',
    plugins: [
      {
        name: 'wasm as modules',
        setup(context) {
          context.onResolve({ filter: /\.wasm$/ }, ({ path }) => {
            return { path: `./${basename(path)}`, external: true };
          });
        },
      },
    ],
  });
  const sqlite = require.resolve('@sqlite.org/sqlite-wasm/sqlite3.wasm');
  copyFileSync(sqlite, join(folder, 'sqlite3.wasm'));
  copyFileSync(join(ROOT, 'wasm/sqlite/trampolines.wasm'), join(folder, 'trampolines.wasm'));
}

/** Processes that still run; none outlives this one. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A workerd with a disk of its own. */
export class WorkerdProcess {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'quorlite-workerd-'));
  readonly url: string;
  readonly #port: number;
  #child: ChildProcess | null = null;
  output = '';

  private constructor(port: number) {
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** Bundles, and writes the configuration: the repository's own, with this port and these variables. */
  static async create(
    variables: (url: string) => { readonly [name: string]: string } = () => ({}),
  ): Promise<WorkerdProcess> {
    const [port] = await freePorts(1);
    const made = new WorkerdProcess(port!);
    mkdirSync(join(made.folder, 'data'));
    await bundleWorker(made.folder);
    const bindings = Object.entries(variables(made.url)).map(
      ([name, text]) => `(name = ${JSON.stringify(name)}, text = ${JSON.stringify(text)}),\n`,
    );
    const config = readFileSync(join(ROOT, 'worker/workerd.capnp'), 'utf8')
      .replace('127.0.0.1:8787', `127.0.0.1:${port}`)
      .replace('bindings = [', (match) => match + bindings.join(''));
    writeFileSync(join(made.folder, 'workerd.capnp'), config);
    return made;
  }

  /** Starts it; resolves when it answers. */
  async start(): Promise<void> {
    const child = spawn(WORKERD, ['serve', '--experimental', 'workerd.capnp'], {
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    running.add(child);
    child.once('exit', () => running.delete(child));
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output = (this.output + text).slice(-100_000);
      });
    }
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`workerd ended:\n${this.output}`);
      return this.get('/livez').then(
        ({ ok }) => ok,
        () => false,
      );
    });
  }

  /** Ends it without warning. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  async destroy(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  get port(): number {
    return this.#port;
  }

  get(path: string, token?: string): Promise<Response> {
    return fetch(this.url + path, { headers: authorization(token) });
  }

  /** Posts JSON; gives the answer, whatever its status. */
  async post(path: string, body: unknown, token?: string): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...authorization(token) },
      body: JSON.stringify(body),
    });
    return { status: response.status, ...((await response.json()) as Omit<Answer, 'status'>) };
  }
}

/** Parts of answers that tests look at. */
export interface Answer {
  readonly status: number;
  readonly code?: string;
  readonly detail?: string;
  readonly rows?: readonly (readonly unknown[])[];
  readonly index?: number;
}

function authorization(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}
