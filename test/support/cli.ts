/** Runs the `quorlite` command as a user would: as a process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ROOT } from '../tidy/source.ts';

/** The built command. */
export const COMMAND: string = join(ROOT, 'dist', 'src', 'cli', 'main.js');

/** How a command ended. */
export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How it is run. */
export interface RunOptions {
  readonly env?: { readonly [name: string]: string };
  readonly input?: string;
  readonly cwd?: string;
}

/** Runs a command to its end. Variables of this machine that name the product do not reach it. */
export async function run(
  args: readonly string[],
  options: RunOptions = {},
): Promise<CommandResult> {
  const child = start(args, options);
  let stdout = '';
  let stderr = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin!.on('error', () => {});
  child.stdin!.end(options.input ?? '');
  const code = await ended(child);
  return { code, stdout, stderr };
}

/** Starts a command that goes on; the caller ends it. */
export function start(args: readonly string[], options: RunOptions = {}): ChildProcess {
  const env = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('QUORLITE_') && !/^(NO|FORCE)_COLOR$/.test(name),
  );
  return spawn(process.execPath, [COMMAND, ...args], {
    cwd: options.cwd ?? ROOT,
    env: { ...Object.fromEntries(env), ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

/** Resolves to the exit code when the process has ended and its output is complete; null after a signal. */
export function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code));
  });
}

/** Resolves with the first line of stdout that matches; rejects with everything printed when the process ends before. */
export function lineOf(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    const printed: string[] = [];
    child.stderr!.on('data', (text: Buffer) => printed.push(String(text)));
    createInterface({ input: child.stdout! }).on('line', (line) => {
      printed.push(`${line}\n`);
      const match = pattern.exec(line);
      if (match !== null) resolve(match);
    });
    child.once('close', (code) => {
      reject(new Error(`ended with ${code} before ${pattern}:\n${printed.join('')}`));
    });
  });
}
