/** `quorlite cluster recover`: from the data folder of one survivor to a new cluster. */
import type { Survivor, SurvivorReport } from '../node/survivor.ts';
import { type Command, ExitCode, type Invocation } from './command.ts';
import { loadConfig, NODE_FLAGS } from './node-flags.ts';
import type { Output } from './output.ts';
import { pad } from './table.ts';
import { UsageError } from './usage.ts';

/** `quorlite cluster recover`. */
export const recoverCommand: Command = {
  name: 'recover',
  summary: 'go on from one data folder after the majority is lost for good',
  flags: {
    yes: { type: 'boolean', help: 'do it: without this the folder is only read' },
    before: { type: 'integer', shape: 'INDEX', help: 'cut off this log index and all behind it' },
    ...NODE_FLAGS,
  },
  details: `For the day on which a majority of the voters is gone and will not come back. Offline: the node must be stopped.
Takes the flags with which quorlite serve starts it, and makes it the only voter of a NEW cluster, with what its folder
holds.

First run it without --yes on each folder that is left: it says how far each log goes. Take the one with the
highest term and index, copy it, then run it there with --yes. Start that node. Wipe the data folders of all others
before they start again: they join the new cluster as new members.

What is lost: writes that were acknowledged without this node. What may appear: writes that nobody acknowledged, for
which clients were told that the outcome is unknown. Members of the old cluster are refused by the new one, and
applications see that its history is another one (CLUSTER_MISMATCH for a minIndex of before).

--before INDEX is for a log that holds an entry which no node gets through.`,
  examples: [
    'quorlite cluster recover --id 2 --nodes 1=http://10.0.0.1:4001,2=http://10.0.0.2:4001,3=http://10.0.0.3:4001',
    'quorlite cluster recover --config quorlite.toml --yes',
  ],
  run: recover,
};

async function recover({ flags, env, output }: Invocation): Promise<number> {
  const { resolved } = loadConfig(flags, env);
  const before = flags.integer('before') ?? null;
  const { openSurvivorFolder } = await import('../runtime/node/open-survivor.ts');
  const survivor = await openSurvivorFolder(resolved, before);
  try {
    if (!output.json) printReport(survivor.report, resolved.dataDir, output);
    if (flags.on('yes')) await restart(survivor, resolved.dataDir, output);
    else onlyLooked(survivor.report, output);
  } finally {
    await survivor.close();
  }
  return ExitCode.ok;
}

function printReport(report: SurvivorReport, dataDir: string, output: Output): void {
  const { node, clusterId, checkpointIndex, lastIndex, lastTerm, keptIndex, lostBoot } = report;
  const facts: readonly (readonly [string, string])[] = [
    ['folder', dataDir],
    ['cluster', `${clusterId}, node ${node}`],
    ['checkpoint', `index ${checkpointIndex}`],
    ['log', `to index ${lastIndex}, term ${lastTerm}`],
    ['keeps', keptIndex === lastIndex ? 'all of it' : `up to index ${keptIndex}`],
  ];
  for (const [name, fact] of facts) output.line(`${pad(name, 10)}  ${fact}`);
  if (!lostBoot) return;
  const warning = 'the end of this log may be missing: it was not synced when the system went down';
  output.note(output.paintNote('warn', `warning: ${warning}`));
}

function onlyLooked(report: SurvivorReport, output: Output): void {
  output.result({ ...report, recovered: false }, () => {});
  throw new UsageError(
    'nothing was changed: this starts a NEW cluster, and writes that this folder does not hold are lost for good',
    'compare the logs of all folders that are left, copy this one, then add --yes',
  );
}

async function restart(survivor: Survivor, dataDir: string, output: Output): Promise<void> {
  const newClusterId = await survivor.restart();
  output.result({ ...survivor.report, recovered: true, newClusterId }, () => {
    output.line(`${pad('recovered', 10)}  ${output.paint('good', `as cluster ${newClusterId}`)}`);
    output.line();
    output.line(
      `Start node ${survivor.report.node} on ${dataDir} as before. It is the only voter now.`,
    );
    output.line('Wipe the data folders of all other nodes before you start them: they join anew.');
  });
}
