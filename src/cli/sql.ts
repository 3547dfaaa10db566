/** `quorlite sql`: an SQL shell. */
import type { Command, Invocation } from './command.ts';
import { CONNECTION_FLAGS, targetOf, URL_DETAILS, withClient } from './connection.ts';
import type { Output } from './output.ts';
import { CONSISTENCY_SHAPE, parseConsistency } from './shell/consistency.ts';
import { ROW_FORMATS, type RowFormat } from './shell/format.ts';
import { runInteractive } from './shell/interactive.ts';
import type { Shell } from './shell/runner.ts';
import { runInput, runText } from './shell/script.ts';

/** `quorlite sql`. */
export const sqlCommand: Command = {
  name: 'sql',
  summary: 'an SQL shell, or statements with -c or from a pipe',
  words: '[URL…]',
  maxWords: 100,
  flags: {
    command: { type: 'text', short: 'c', shape: 'SQL', help: 'run these statements and end' },
    consistency: {
      type: 'text',
      shape: CONSISTENCY_SHAPE,
      help: 'how fresh reads are',
      fallback: 'linearizable',
    },
    format: { type: 'text', choices: ROW_FORMATS, help: 'how rows are shown', fallback: 'table' },
    slow: { type: 'boolean', help: 'let writes run long (an index on a big table)' },
    ...CONNECTION_FLAGS,
  },
  details: `${URL_DETAILS} --json is --format json. In the shell .help lists its commands.
Statements from -c or a pipe stop at the first error.`,
  examples: [
    'quorlite sql',
    'quorlite sql -c "SELECT count(*) FROM users" --format csv',
    'quorlite sql http://10.0.0.1:4001 --token env:TOKEN < schema.sql',
  ],
  run: sql,
};

async function sql(invocation: Invocation): Promise<number> {
  const { flags, output, env, words } = invocation;
  const target = targetOf(invocation, words);
  const settings = {
    format: output.json ? 'json' : ((flags.text('format') ?? 'table') as RowFormat),
    consistency: parseConsistency(flags.text('consistency') ?? 'linearizable'),
    timer: false,
    slow: flags.on('slow'),
  };
  return withClient(target, async (client) => {
    const shell: Shell = { client, output, settings, timeoutMs: target.timeoutMs };
    const text = flags.text('command');
    if (text !== undefined) return runText(shell, text);
    if (process.stdin.isTTY !== true) return runInput(shell, process.stdin);
    await greet(shell, target.urls, output);
    return runInteractive(shell, env);
  });
}

/** Also finds out at once whether anybody answers. */
async function greet(shell: Shell, urls: readonly string[], output: Output): Promise<void> {
  const { leader, members } = await shell.client.cluster.status({ timeoutMs: shell.timeoutMs });
  const who = leader === null ? 'no leader yet' : `node ${leader} leads`;
  const size = members.length === 1 ? '1 member' : `${members.length} members`;
  output.line(`quorlite at ${urls.join(', ')}: ${size}, ${who}. .help helps.`);
}
