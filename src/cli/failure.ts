/** How errors end a command: what is printed and which exit code. */
import { type ErrorCode, QuorliteError } from '../wire/error.ts';
import { ExitCode } from './command.ts';
import type { Output } from './output.ts';
import { UsageError } from './usage.ts';

/** What to do about an error when it does not say so itself. */
const HINTS: { readonly [code in ErrorCode]?: string } = {
  NO_QUORUM:
    'a majority of the voters must run and reach each other: quorlite cluster status shows who does',
  FORBIDDEN: 'this token may not do that',
  OVERLOADED: 'the node refuses more work than it can queue: try again, with fewer calls at once',
  SQL_TIMEOUT: 'a write that is meant to run long needs slow: --slow in the shell',
  RESULT_TOO_LARGE: 'ask for fewer rows (LIMIT), or stream them',
  SHUTTING_DOWN: 'the node is stopping: try another one',
};

/** The same, where what the error says itself is meant for programs. */
const OWN_HINTS: { readonly [code in ErrorCode]?: string } = {
  UNAUTHENTICATED: 'give the API secret or a token: --token TEXT, or QUORLITE_TOKEN',
};

/** The exit code of an error: 2 wrong usage, 3 no quorum or leader, 4 outcome unknown, else 1. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return ExitCode.usage;
  if (!(error instanceof QuorliteError)) return ExitCode.failed;
  switch (error.code) {
    case 'CONFIG_INVALID':
      return ExitCode.usage;
    case 'NO_QUORUM':
    case 'NOT_LEADER':
    case 'LEADER_CHANGED':
    case 'NOT_READY':
      return error.outcome === 'unknown' ? ExitCode.unknown : ExitCode.noQuorum;
    default:
      return error.outcome === 'unknown' && error.code !== 'CORRUPT'
        ? ExitCode.unknown
        : ExitCode.failed;
  }
}

/** Prints an error on stderr: code, sentence, what to do. A stack trace only with `--debug`. */
export function printError(error: unknown, output: Output): void {
  if (output.json) {
    output.note(JSON.stringify({ error: describe(error) }));
  } else {
    for (const line of explain(error, output)) output.note(line);
  }
  if (output.debug && error instanceof Error) {
    for (let e: unknown = error; e instanceof Error; e = e.cause) output.note(e.stack ?? String(e));
  }
}

/** An error as JSON. */
export function describe(error: unknown): { readonly [name: string]: unknown } {
  if (error instanceof QuorliteError) {
    const { code, message, outcome, retryable, sqliteCode, statement, offset, leader } = error;
    return {
      code,
      message,
      outcome,
      retryable,
      sqliteCode,
      statement,
      offset,
      leader,
      hint: hintOf(error),
    };
  }
  if (error instanceof UsageError) {
    return { code: 'BAD_REQUEST', message: error.message, hint: error.hint };
  }
  return { code: 'CORRUPT', message: messageOf(error) };
}

function explain(error: unknown, output: Output): string[] {
  const label = output.paintNote('bad', 'error');
  if (error instanceof UsageError) {
    return [`${label} ${error.message}`, ...indent(error.hint)];
  }
  if (!(error instanceof QuorliteError)) {
    return [`${label} ${messageOf(error)}`, ...indent('run again with --debug for more')];
  }
  const sqlite = error.sqliteCode === undefined ? '' : ` (${error.sqliteCode})`;
  const lines = [`${label} ${error.code}: ${error.message}${sqlite}`];
  if (error.outcome === 'unknown' && error.code !== 'CORRUPT') {
    lines.push(...indent('it is not known whether the write happened'));
  }
  if (error.outcome === 'applied') lines.push(...indent('the write did happen'));
  lines.push(...indent(hintOf(error)));
  return lines;
}

function hintOf({ code, hint }: QuorliteError): string | undefined {
  return OWN_HINTS[code] ?? hint ?? HINTS[code];
}

function indent(text: string | undefined): string[] {
  return text === undefined ? [] : [`  ${text}`];
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
