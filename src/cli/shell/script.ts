/** Statements from `-c` or from a pipe: one after the other, the first error ends it. */
import { createInterface } from 'node:readline';
import { ExitCode } from '../command.ts';
import { exitCodeOf } from '../failure.ts';
import { runDotCommand } from './dot-commands.ts';
import { reportStatementError } from './report.ts';
import { runStatement, type Shell } from './runner.ts';
import { splitStatements } from './split.ts';

/** Runs a text; resolves to the exit code. */
export async function runText(shell: Shell, text: string): Promise<number> {
  return runLines(shell, text.split('\n'));
}

/** Runs what standard input holds while it comes; resolves to the exit code. */
export async function runInput(shell: Shell, input: NodeJS.ReadableStream): Promise<number> {
  return runLines(shell, createInterface({ input, crlfDelay: Infinity }));
}

async function runLines(
  shell: Shell,
  lines: Iterable<string> | AsyncIterable<string>,
): Promise<number> {
  let pending = '';
  for await (const line of lines) {
    if (pending === '' && line.trimStart().startsWith('.')) {
      const code = await attempt(shell, line, async () => {
        return (await runDotCommand(shell, line)) === 'quit' ? ExitCode.ok : null;
      });
      if (code !== null) return code;
      continue;
    }
    // Only a semicolon ends a statement: long ones are not read again line by line.
    if (pending !== '' && !line.includes(';')) {
      pending += `\n${line}`;
      continue;
    }
    const { statements, rest } = splitStatements(pending === '' ? line : `${pending}\n${line}`);
    pending = rest;
    for (const statement of statements) {
      const code = await attempt(shell, statement, () => run(shell, statement));
      if (code !== null) return code;
    }
  }
  // The last statement needs no semicolon.
  if (pending === '') return ExitCode.ok;
  return (await attempt(shell, pending, () => run(shell, pending))) ?? ExitCode.ok;
}

async function run(shell: Shell, statement: string): Promise<null> {
  await runStatement(shell, statement);
  return null;
}

/** The exit code that ends the script, or null to go on. */
async function attempt(
  shell: Shell,
  text: string,
  step: () => Promise<number | null>,
): Promise<number | null> {
  try {
    return await step();
  } catch (error) {
    reportStatementError(error, text, shell.output);
    return exitCodeOf(error);
  }
}
