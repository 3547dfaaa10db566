/** Runs statements and shows what they gave. */
import type { Client, ExecuteResult } from '../../client/contract.ts';
import type { Consistency } from '../../node/contract.ts';
import { QuorliteError } from '../../wire/error.ts';
import type { SqlValue } from '../../wire/value.ts';
import type { Output } from '../output.ts';
import { formatRows, jsonValue, type ResultRows, type RowFormat } from './format.ts';

/** What the user can change while the shell runs. */
export interface ShellSettings {
  format: RowFormat;
  consistency: Consistency;
  timer: boolean;
  slow: boolean;
}

/** What a shell works with. */
export interface Shell {
  readonly client: Client;
  readonly output: Output;
  readonly settings: ShellSettings;
  /** Longest wait for one answer, milliseconds. */
  readonly timeoutMs: number;
}

/** Statements that begin like this are tried as reads first; what turns out to write is then run as a write. */
const READS = /^\s*(?:--[^\n]*\n\s*|\/\*[\s\S]*?\*\/\s*)*(select|values|with|explain|pragma)\b/i;

/** Runs one statement and prints its result. Rejects with its `QuorliteError`. */
export async function runStatement(
  shell: Shell,
  sql: string,
  signal?: AbortSignal | undefined,
): Promise<void> {
  const begin = performance.now();
  const { settings, output } = shell;
  const read = READS.test(sql) ? await tryRead(shell, sql, signal) : null;
  if (read !== null) await printRows(shell, read);
  else await printWrite(shell, await write(shell, sql, signal));
  if (settings.timer) {
    output.note(output.paintNote('dim', `${(performance.now() - begin).toFixed(1)} ms`));
  }
}

/** Rows of a read with the shell's consistency. */
export function readRows(
  shell: Shell,
  sql: string,
  params: readonly SqlValue[] = [],
  signal?: AbortSignal | undefined,
): Promise<ResultRows> {
  const { consistency } = shell.settings;
  return shell.client.queryRaw(sql, params, { consistency, signal, timeoutMs: shell.timeoutMs });
}

async function tryRead(
  shell: Shell,
  sql: string,
  signal: AbortSignal | undefined,
): Promise<ResultRows | null> {
  try {
    return await readRows(shell, sql, [], signal);
  } catch (error) {
    if (error instanceof QuorliteError && error.code === 'SQL_READ_ONLY') return null;
    throw error;
  }
}

function write(
  shell: Shell,
  sql: string,
  signal: AbortSignal | undefined,
): Promise<ExecuteResult<{ readonly [column: string]: SqlValue }>> {
  return shell.client.execute(sql, [], {
    signal,
    timeoutMs: shell.timeoutMs,
    slow: shell.settings.slow,
  });
}

async function printRows({ settings, output }: Shell, result: ResultRows): Promise<void> {
  const painter = {
    heading: (text: string) => output.paint('strong', text),
    nothing: (text: string) => output.paint('dim', text),
  };
  for (const line of formatRows(settings.format, result, painter)) await output.write(`${line}\n`);
}

async function printWrite(
  shell: Shell,
  result: ExecuteResult<{ readonly [column: string]: SqlValue }>,
): Promise<void> {
  const { settings, output } = shell;
  const { rowsAffected, lastInsertRowid, index, columns } = result;
  if (columns.length > 0) {
    const rows = result.rows.map((row) => columns.map((column) => row[column.name] ?? null));
    await printRows(shell, { columns, rows });
  } else if (settings.format === 'json') {
    const rowid = jsonValue(lastInsertRowid);
    output.line(JSON.stringify({ rowsAffected, lastInsertRowid: rowid, index }));
  }
  if (settings.format === 'table' || settings.format === 'line') {
    const rows = rowsAffected === 1 ? '1 row' : `${rowsAffected} rows`;
    output.note(output.paintNote('dim', `${rows} changed, log index ${index}`));
  }
}
