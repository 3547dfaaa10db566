/** Finds the command that a line of arguments names, and runs it. */
import { didYouMean } from '../wire/nearest.ts';
import { COMMON_FLAGS, type Command, ExitCode } from './command.ts';
import { exitCodeOf, printError } from './failure.ts';
import { printHelp, usageLine } from './help.ts';
import { type Output, processOutput } from './output.ts';
import { parseFlags } from './parse-flags.ts';
import { UsageError } from './usage.ts';

/** Runs `args` (without program and script) below `root`; resolves to the exit code. Never rejects. */
export async function runCommandLine(root: Command, args: readonly string[]): Promise<number> {
  // Errors come in the wanted form even when the flags themselves are wrong.
  const output = processOutput({ json: args.includes('--json'), debug: args.includes('--debug') });
  let path = root.name;
  let command = root;
  try {
    let rest = args;
    while (command.commands !== undefined) {
      const name = rest.find((arg) => !arg.startsWith('-'));
      if (name === undefined) return runGroup(command, path, rest, output);
      const at = rest.indexOf(name);
      rest = [...rest.slice(0, at), ...rest.slice(at + 1)];
      if (name === 'help') {
        // `help cluster add` is `cluster add --help`.
        if (!rest.includes('--help') && !rest.includes('-h')) rest = [...rest, '--help'];
        continue;
      }
      const entry = command.commands.find((candidate) => candidate.name === name);
      if (entry === undefined) {
        const names = command.commands.map((candidate) => candidate.name);
        throw new UsageError(`unknown command "${name}"${didYouMean(name, names)}`);
      }
      command = await entry.load();
      path = `${path} ${name}`;
    }
    return await runLeaf(command, path, rest, output);
  } catch (error) {
    printError(error, output);
    if (error instanceof UsageError && !output.json) {
      output.note(`  usage: ${usageLine(command, path)}\n  help:  ${path} --help`);
    }
    return exitCodeOf(error);
  }
}

function runGroup(command: Command, path: string, args: readonly string[], output: Output): number {
  const { flags } = parseFlags(args, { ...command.flags, ...COMMON_FLAGS });
  printHelp(command, path, output);
  return flags.on('help') ? ExitCode.ok : ExitCode.usage;
}

async function runLeaf(
  command: Command,
  path: string,
  args: readonly string[],
  output: Output,
): Promise<number> {
  const { flags, words } = parseFlags(args, { ...command.flags, ...COMMON_FLAGS });
  if (flags.on('help')) {
    printHelp(command, path, output);
    return ExitCode.ok;
  }
  const surplus = words[command.maxWords ?? 0];
  if (surplus !== undefined) throw new UsageError(`unexpected argument "${surplus}"`);
  return (await command.run?.({ flags, words, output, env: process.env })) ?? ExitCode.ok;
}
