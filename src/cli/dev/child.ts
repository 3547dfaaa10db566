/** One node of `quorlite dev`: a child process that runs `quorlite serve`. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Output, Tone } from '../output.ts';

/** What the ready line of a node says. */
export interface ReadyNode {
  readonly id: number;
  readonly url: string;
  readonly role: string;
}

/** A running child. */
export interface ChildNode {
  readonly id: number;
  /** Resolves when it can serve; never, when it ends before. */
  readonly ready: Promise<ReadyNode>;
  /** Resolves with the way in which it ended. */
  readonly ended: Promise<string>;
  /** Starts it again, by hand. */
  readonly commandLine: string;
  stop(signal: 'SIGTERM' | 'SIGKILL'): void;
}

const TONES: readonly Tone[] = ['accent', 'good', 'warn', 'strong', 'dim'];

/** Starts a node; its lines go to stderr behind its number. It ends when this process does, however that happens. */
export function startChild(args: readonly string[], id: number, output: Output): ChildNode {
  const script = process.argv[1]!;
  const child = spawn(
    process.execPath,
    [...process.execArgv, script, ...args, '--exit-with-parent'],
    {
      // Its standard input is a pipe that closes with this process; its own group keeps Ctrl-C away from it.
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      env: childEnvironment(process.env),
    },
  );
  const prefix = output.paintNote(TONES[(id - 1) % TONES.length]!, `node ${id} │`);
  const ready = new Promise<ReadyNode>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const match = /^ready (\S+) node=\d+ role=(\S+)/.exec(line);
      if (match === null) output.note(`${prefix} ${line}`);
      else resolve({ id, url: match[1]!, role: match[2]! });
    });
  });
  createInterface({ input: child.stderr }).on('line', (line) => output.note(`${prefix} ${line}`));
  const ended = new Promise<string>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  // A child that is gone closes the pipe: nothing to report beyond its end.
  child.stdin.on('error', () => {});
  return {
    id,
    ready,
    ended,
    commandLine: ['quorlite', ...args].map(quote).join(' '),
    stop: (signal) => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    },
  };
}

/** Settings of a node in the environment must not reach all nodes at once. */
function childEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name]) => !name.startsWith('QUORLITE_'));
  return Object.fromEntries(kept);
}

function quote(word: string): string {
  return /^[\w./:=,@-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
