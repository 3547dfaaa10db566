/** The shell's own commands, which begin with a dot. */
import { readFile } from 'node:fs/promises';
import { didYouMean } from '../../wire/nearest.ts';
import { UsageError } from '../usage.ts';
import { CONSISTENCY_SHAPE, formatConsistency, parseConsistency } from './consistency.ts';
import { formatRows, ROW_FORMATS, type RowFormat } from './format.ts';
import { readRows, runStatement, type Shell } from './runner.ts';
import { splitStatements } from './split.ts';

/** What the shell does after a command. */
export type AfterDot = 'go-on' | 'quit';

interface DotCommand {
  readonly usage: string;
  readonly help: string;
  run(shell: Shell, words: readonly string[], signal?: AbortSignal): Promise<AfterDot | undefined>;
}

const COMMANDS: { readonly [name: string]: DotCommand } = {
  '.tables': { usage: '.tables', help: 'tables and views', run: tables },
  '.schema': { usage: '.schema [TABLE]', help: 'CREATE statements', run: schema },
  '.indexes': { usage: '.indexes [TABLE]', help: 'indexes', run: indexes },
  '.mode': { usage: `.mode [${ROW_FORMATS.join('|')}]`, help: 'how rows are shown', run: mode },
  '.timer': { usage: '.timer [on|off]', help: 'show how long statements take', run: timer },
  '.slow': { usage: '.slow [on|off]', help: 'let writes run long', run: slow },
  '.consistency': {
    usage: `.consistency [${CONSISTENCY_SHAPE}]`,
    help: 'how fresh reads are',
    run: consistency,
  },
  '.cluster': { usage: '.cluster', help: 'who leads', run: cluster },
  '.read': { usage: '.read FILE', help: 'run the statements of a file', run: read },
  '.help': { usage: '.help', help: 'this list', run: help },
  '.quit': { usage: '.quit', help: 'leave (also .exit, Ctrl-D)', run: async () => 'quit' },
};

/** Names for completion. */
export const DOT_COMMAND_NAMES: readonly string[] = Object.keys(COMMANDS);

/** Runs a line that begins with a dot. Throws `UsageError` for unknown commands and bad arguments. */
export async function runDotCommand(
  shell: Shell,
  line: string,
  signal?: AbortSignal,
): Promise<AfterDot> {
  const [name = '', ...words] = splitWords(line);
  const command = name === '.exit' ? COMMANDS['.quit'] : COMMANDS[name];
  if (command === undefined) {
    throw new UsageError(`unknown command ${name}${didYouMean(name, DOT_COMMAND_NAMES)}`, '.help');
  }
  return (await command.run(shell, words, signal)) ?? 'go-on';
}

/** Words of a line; quotes keep spaces. */
function splitWords(line: string): string[] {
  const words = line.trim().match(/'[^']*'|"[^"]*"|\S+/g) ?? [];
  return words.map((word) => word.replace(/^(['"])(.*)\1$/, '$2').replace(/^(\.\w+);$/, '$1'));
}

async function tables(shell: Shell): Promise<undefined> {
  const { rows } = await readRows(
    shell,
    `SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name`,
  );
  for (const [name] of rows) shell.output.line(String(name));
}

async function schema(shell: Shell, [table]: readonly string[]): Promise<undefined> {
  const { rows } = await readRows(
    shell,
    'SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND (?1 IS NULL OR lower(tbl_name) = lower(?1)) ORDER BY rowid',
    [table ?? null],
  );
  if (rows.length === 0 && table !== undefined) throw new UsageError(`there is no table ${table}`);
  for (const [sql] of rows) shell.output.line(`${String(sql)};`);
}

async function indexes(shell: Shell, [table]: readonly string[]): Promise<undefined> {
  const result = await readRows(
    shell,
    `SELECT tbl_name AS "table", name AS "index" FROM sqlite_schema WHERE type = 'index' AND (?1 IS NULL OR lower(tbl_name) = lower(?1)) ORDER BY 1, 2`,
    [table ?? null],
  );
  for (const line of formatRows(shell.settings.format, result)) shell.output.line(line);
}

async function mode(shell: Shell, [word]: readonly string[]): Promise<undefined> {
  if (word === undefined) {
    shell.output.line(shell.settings.format);
    return;
  }
  if (!ROW_FORMATS.includes(word as RowFormat)) {
    throw new UsageError(`mode must be ${ROW_FORMATS.join(', ')}${didYouMean(word, ROW_FORMATS)}`);
  }
  shell.settings.format = word as RowFormat;
}

async function timer(shell: Shell, [word]: readonly string[]): Promise<undefined> {
  shell.settings.timer = switched(shell, '.timer', shell.settings.timer, word);
}

async function slow(shell: Shell, [word]: readonly string[]): Promise<undefined> {
  shell.settings.slow = switched(shell, '.slow', shell.settings.slow, word);
}

function switched(shell: Shell, name: string, now: boolean, word: string | undefined): boolean {
  if (word === 'on' || word === 'off') return word === 'on';
  if (word !== undefined) throw new UsageError(`${name} on or ${name} off`);
  shell.output.line(now ? 'on' : 'off');
  return now;
}

async function consistency(shell: Shell, [word]: readonly string[]): Promise<undefined> {
  if (word === undefined) shell.output.line(formatConsistency(shell.settings.consistency));
  else shell.settings.consistency = parseConsistency(word);
}

async function cluster(shell: Shell): Promise<undefined> {
  const { leader, leaderUrl, term, members } = await shell.client.cluster.status();
  const who = leader === null ? 'no leader' : `node ${leader} (${leaderUrl ?? '?'}) leads`;
  const reachable = members.filter((member) => member.reachable).length;
  shell.output.line(`${who}, term ${term}, ${reachable} of ${members.length} members reachable`);
}

async function read(
  shell: Shell,
  [file]: readonly string[],
  signal?: AbortSignal,
): Promise<undefined> {
  if (file === undefined) throw new UsageError('.read FILE');
  const text = await readText(file);
  const { statements, rest } = splitStatements(text);
  for (const statement of rest === '' ? statements : [...statements, rest]) {
    await runStatement(shell, statement, signal);
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`.read ${file}: ${whyUnreadable(error)}`);
  }
}

function whyUnreadable(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOENT':
      return `there is no such file in ${process.cwd()}`;
    case 'EISDIR':
      return 'this is a folder, not a file';
    case 'EACCES':
      return 'this file may not be read by this user';
    default:
      return message;
  }
}

async function help(shell: Shell): Promise<undefined> {
  const { output } = shell;
  const width = Math.max(
    ...Object.values(COMMANDS).map(({ usage }) => (usage.length > 30 ? 0 : usage.length)),
  );
  for (const { usage, help: text } of Object.values(COMMANDS)) {
    output.line(`  ${output.paint('accent', usage.padEnd(width))}  ${text}`);
  }
  output.line('  Statements end with a semicolon and may take several lines. Ctrl-C cancels.');
}
