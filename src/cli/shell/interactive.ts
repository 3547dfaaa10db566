/** The shell at a terminal. */
import { createInterface, type Interface } from 'node:readline';
import { ExitCode } from '../command.ts';
import { Completer } from './complete.ts';
import { runDotCommand } from './dot-commands.ts';
import { HISTORY_LINES, historyFile, isWorthKeeping, loadHistory, saveHistory } from './history.ts';
import { reportStatementError } from './report.ts';
import { runStatement, type Shell } from './runner.ts';
import { splitStatements } from './split.ts';

const PROMPT = 'quorlite> ';
const MORE = '     ...> ';

/** Statements after which the names to complete have changed. */
const CHANGES_NAMES = /^\s*(create|drop|alter)\b/i;

/** Talks with the user until they leave; resolves to the exit code. */
export function runInteractive(
  shell: Shell,
  env: { readonly [name: string]: string | undefined },
): Promise<number> {
  const file = historyFile(env);
  const completer = new Completer(shell);
  const readline = createInterface({
    input: process.stdin,
    output: process.stdout,
    terminal: true,
    prompt: PROMPT,
    history: loadHistory(file),
    historySize: HISTORY_LINES,
    removeHistoryDuplicates: true,
    completer: (line: string) => completer.complete(line),
  });
  readline.on('history', (lines: string[]) => {
    saveHistory(file, lines);
    // Arrow keys bring everything of this session back, but no secrets.
    if (lines[0] !== undefined && !isWorthKeeping(lines[0])) lines.shift();
  });
  void completer.refresh();
  const dialogue = new Dialogue(shell, readline, completer);
  return dialogue.run();
}

class Dialogue {
  readonly #shell: Shell;
  readonly #readline: Interface;
  readonly #completer: Completer;
  /** Lines of a statement that has not ended. */
  #pending = '';
  /** Typed or pasted while a statement runs. */
  readonly #queue: string[] = [];
  #running: AbortController | null = null;

  constructor(shell: Shell, readline: Interface, completer: Completer) {
    this.#shell = shell;
    this.#readline = readline;
    this.#completer = completer;
  }

  run(): Promise<number> {
    return new Promise((resolve) => {
      this.#readline.on('line', (line) => {
        this.#queue.push(line);
        void this.#drain();
      });
      this.#readline.on('SIGINT', () => this.#interrupt());
      this.#readline.on('close', () => {
        this.#running?.abort();
        resolve(ExitCode.ok);
      });
      this.#readline.prompt();
    });
  }

  async #drain(): Promise<void> {
    if (this.#running !== null) return;
    this.#running = new AbortController();
    for (let line = this.#queue.shift(); line !== undefined; line = this.#queue.shift()) {
      if (await this.#take(line, this.#running.signal)) {
        this.#readline.close();
        return;
      }
    }
    this.#running = null;
    this.#readline.setPrompt(this.#pending === '' ? PROMPT : MORE);
    this.#readline.prompt();
  }

  /** True when the user wants to leave. */
  async #take(line: string, signal: AbortSignal): Promise<boolean> {
    if (this.#pending === '' && line.trimStart().startsWith('.')) {
      return this.#attempt(
        line,
        async () => (await runDotCommand(this.#shell, line, signal)) === 'quit',
      );
    }
    const text = this.#pending === '' ? line : `${this.#pending}\n${line}`;
    const { statements, rest } = splitStatements(text);
    this.#pending = rest;
    for (const statement of statements) {
      if (signal.aborted) break;
      await this.#attempt(statement, async () => {
        await runStatement(this.#shell, statement, signal);
        if (CHANGES_NAMES.test(statement)) void this.#completer.refresh();
        return false;
      });
    }
    return false;
  }

  async #attempt(text: string, step: () => Promise<boolean>): Promise<boolean> {
    try {
      return await step();
    } catch (error) {
      reportStatementError(error, text, this.#shell.output);
      return false;
    }
  }

  /** Ctrl-C: cancels what runs, else forgets what was typed, else says how to leave. */
  #interrupt(): void {
    const { output } = this.#shell;
    if (this.#running !== null) {
      this.#queue.length = 0;
      this.#running.abort();
      return;
    }
    const idle = this.#pending === '' && this.#readline.line === '';
    this.#pending = '';
    output.line();
    if (idle) output.line(output.paint('dim', 'Ctrl-D or .quit leaves'));
    this.#readline.setPrompt(PROMPT);
    if (this.#readline.line !== '') {
      this.#readline.write(null, { ctrl: true, name: 'e' });
      this.#readline.write(null, { ctrl: true, name: 'u' });
    }
    this.#readline.prompt();
  }
}
