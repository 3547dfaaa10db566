/** The runtimes that are servers, as commands of this machine. */
import { existsSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../tidy/source.ts';
import { MAIN } from './process-cluster.ts';

const MODULES = join(ROOT, 'test', 'runtimes', 'node_modules');

/** A runtime and the command line that runs a script on it. */
export interface ServerRuntime {
  readonly name: 'node' | 'node 24' | 'deno' | 'bun';
  /** Why it cannot be tested here; '' when it can. */
  readonly missing: string;
  /** How `GET /v1/version` names it. */
  readonly says: RegExp;
  readonly command: readonly string[];
}

/** Deno keeps what it compiled in a folder; one of its own leaves the user's alone. */
function denoEnvironment(): readonly string[] {
  const cache = join(tmpdir(), 'quorlite-deno');
  mkdirSync(cache, { recursive: true });
  return ['env', `DENO_DIR=${cache}`, 'DENO_NO_UPDATE_CHECK=1'];
}

function installed(
  name: ServerRuntime['name'],
  bin: string,
  says: RegExp,
  flags: readonly string[] = [],
  before: readonly string[] = [],
): ServerRuntime {
  const path = join(MODULES, '.bin', bin);
  const missing = existsSync(path) ? '' : '(needs npm ci in test/runtimes)';
  return { name, missing, says, command: [...before, path, ...flags] };
}

/** Node 20 (the one that runs the tests), Node 24, Deno and Bun. */
export const SERVER_RUNTIMES: readonly ServerRuntime[] = [
  { name: 'node', missing: '', says: /^node /, command: [process.execPath] },
  installed('node 24', 'node', /^node 24\./),
  installed('deno', 'deno', /^deno 2\./, ['run', '-A'], denoEnvironment()),
  installed('bun', 'bun', /^bun 1\./),
];

/** The runtime of that name. */
export function serverRuntime(name: ServerRuntime['name']): ServerRuntime {
  return SERVER_RUNTIMES.find((runtime) => runtime.name === name)!;
}

/** The command line that runs the built `quorlite` on a runtime. */
export function quorliteOn(runtime: ServerRuntime): readonly string[] {
  return [...runtime.command, MAIN];
}
