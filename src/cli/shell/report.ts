/** Errors inside the shell: what is wrong, and where in the statement. */
import { QuorliteError } from '../../wire/error.ts';
import { printError } from '../failure.ts';
import type { Output } from '../output.ts';

/** Prints an error, with a mark under the place that SQLite complains about. */
export function reportStatementError(error: unknown, statement: string, output: Output): void {
  printError(error, output);
  if (output.json || !(error instanceof QuorliteError)) return;
  for (const line of pointAt(statement, error.offset)) output.note(`  ${line}`);
}

/** The line of `text` that holds `offset`, and a caret under it; nothing without an offset. */
export function pointAt(text: string, offset: number | undefined): readonly string[] {
  if (offset === undefined || offset < 0 || offset > text.length) return [];
  const begin = text.lastIndexOf('\n', offset - 1) + 1;
  const end = text.indexOf('\n', offset);
  const line = text.slice(begin, end < 0 ? undefined : end);
  return [line.replaceAll('\t', ' '), `${' '.repeat(offset - begin)}^`];
}
