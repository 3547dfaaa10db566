/** `quorlite cluster`: show and change the members. */
import type { CallOptions, Client } from '../client/contract.ts';
import { nodesValue } from '../config/values.ts';
import type { ClusterStatus, MemberStatus } from '../node/contract.ts';
import { QuorliteError } from '../wire/error.ts';
import { type Command, type CommandEntry, ExitCode, type Invocation } from './command.ts';
import { CONNECTION_FLAGS, type Target, targetOf, URL_DETAILS, withClient } from './connection.ts';
import type { Output, Tone } from './output.ts';
import { settingsCommand } from './settings.ts';
import { renderTable } from './table.ts';
import { UsageError } from './usage.ts';

const MANY = 100;

/** Pause before a change that was refused as busy is asked for again, milliseconds. */
const BUSY_PAUSE_MS = 100;

const COMMANDS: readonly Command[] = [
  {
    name: 'status',
    summary: 'who leads, who follows, who is missing',
    words: '[URL…]',
    maxWords: MANY,
    flags: CONNECTION_FLAGS,
    details: `${URL_DETAILS}\nExit code 3 when no leader is known.`,
    examples: ['quorlite cluster status', 'quorlite cluster status http://10.0.0.1:4001 --json'],
    run: status,
  },
  {
    name: 'add',
    summary: 'add a member; it catches up before it votes',
    words: 'N=URL [URL…]',
    maxWords: MANY,
    flags: {
      ...CONNECTION_FLAGS,
      learner: { type: 'boolean', help: 'follow without voting' },
    },
    details: `Start the new node first: quorlite serve --id N --nodes …,N=URL. ${URL_DETAILS}`,
    examples: ['quorlite cluster add 4=http://10.0.0.4:4001 http://10.0.0.1:4001'],
    run: add,
  },
  memberCommand('remove', 'take a member out for good', (client, id, options) =>
    client.cluster.remove(id, options),
  ),
  memberCommand('promote', 'make a learner vote', (client, id, options) =>
    client.cluster.promote(id, options),
  ),
  {
    name: 'transfer',
    summary: 'hand leadership over, to the member N or to the best one',
    words: '[N] [URL…]',
    maxWords: MANY,
    flags: CONNECTION_FLAGS,
    details: URL_DETAILS,
    examples: ['quorlite cluster transfer', 'quorlite cluster transfer 2 http://10.0.0.1:4001'],
    run: transfer,
  },
];

/** `quorlite cluster status|add|remove|promote|transfer|recover|settings`. */
export const clusterCommand: Command = {
  name: 'cluster',
  summary: 'show and change the members of a cluster',
  commands: [
    ...COMMANDS.map(entryOf),
    {
      name: 'recover',
      summary: 'go on from one data folder after the majority is lost for good',
      load: async () => (await import('./recover.ts')).recoverCommand,
    },
    {
      name: 'settings',
      summary: 'show and change the settings that all nodes share',
      load: () => Promise.resolve(settingsCommand),
    },
  ],
};

function entryOf(command: Command): CommandEntry {
  return {
    name: command.name,
    summary: command.summary,
    load: () => Promise.resolve(command),
  };
}

function memberCommand(
  name: string,
  summary: string,
  change: (client: Client, id: number, options: CallOptions) => Promise<ClusterStatus>,
): Command {
  return {
    name,
    summary,
    words: 'N [URL…]',
    maxWords: MANY,
    flags: CONNECTION_FLAGS,
    details: `N is the member's number, as quorlite cluster status shows it. ${URL_DETAILS}`,
    examples: [`quorlite cluster ${name} 3 http://10.0.0.1:4001`],
    run: async (invocation) => {
      const [word, ...urls] = invocation.words;
      const id = memberNumber(word);
      if (id === null) throw new UsageError(`which member? quorlite cluster ${name} N`);
      const target = targetOf(invocation, urls);
      const after = await changeCluster(target, (client) => change(client, id, options(target)));
      printStatus(after, invocation.output);
      return ExitCode.ok;
    },
  };
}

async function status(invocation: Invocation): Promise<number> {
  const target = targetOf(invocation, invocation.words);
  const found = await withClient(target, (client) => client.cluster.status(options(target)));
  printStatus(found, invocation.output);
  return found.leader === null ? ExitCode.noQuorum : ExitCode.ok;
}

async function add(invocation: Invocation): Promise<number> {
  const [word, ...urls] = invocation.words;
  const member = word === undefined ? undefined : nodesValue.read(word);
  if (nodesValue.check(member) !== null || Object.keys(member as object).length !== 1) {
    throw new UsageError(
      'which member? quorlite cluster add N=URL, such as 4=http://10.0.0.4:4001',
    );
  }
  const [id, url] = Object.entries(member as { [id: string]: string })[0]!;
  const voter = !invocation.flags.on('learner');
  const target = targetOf(invocation, urls);
  const after = await changeCluster(target, (client) =>
    client.cluster.add({ id: Number(id), url, voter }, options(target)),
  );
  printStatus(after, invocation.output);
  return ExitCode.ok;
}

async function transfer(invocation: Invocation): Promise<number> {
  const to = memberNumber(invocation.words[0]);
  const urls = to === null ? invocation.words : invocation.words.slice(1);
  const target = targetOf(invocation, urls);
  const after = await changeCluster(target, (client) =>
    client.cluster.transfer(to ?? undefined, options(target)),
  );
  printStatus(after, invocation.output);
  return ExitCode.ok;
}

/** Makes a change; one that must wait for another, or for a member to catch up, is asked for again until the timeout. */
function changeCluster(
  target: Target,
  change: (client: Client) => Promise<ClusterStatus>,
): Promise<ClusterStatus> {
  const deadline = performance.now() + target.timeoutMs;
  return withClient(target, async (client) => {
    for (;;) {
      try {
        return await change(client);
      } catch (error) {
        const busy = error instanceof QuorliteError && error.code === 'MEMBERSHIP_BUSY';
        if (!busy || performance.now() + BUSY_PAUSE_MS > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, BUSY_PAUSE_MS));
      }
    }
  });
}

function options({ timeoutMs }: Target): CallOptions {
  return { timeoutMs };
}

function memberNumber(word: string | undefined): number | null {
  return word !== undefined && /^[1-9]\d{0,8}$/.test(word) ? Number(word) : null;
}

function printStatus(found: ClusterStatus, output: Output): void {
  output.result(found, () => {
    const leader = found.leader === null ? output.paint('bad', 'none') : `node ${found.leader}`;
    output.line(
      `cluster ${found.clusterId || '(not founded)'}  leader ${leader}  term ${found.term}  index ${found.index}  seen by node ${found.node}`,
    );
    if (found.waiting !== '') output.line(output.paint('warn', found.waiting));
    const rows = found.members.map((member) => memberRow(member, output));
    const columns = [
      { title: 'id', align: 'right' as const },
      { title: 'url' },
      { title: 'role' },
      { title: 'votes' },
      { title: 'match', align: 'right' as const },
      { title: 'lag', align: 'right' as const },
      { title: 'reachable' },
      { title: 'replica' },
    ];
    for (const line of renderTable(columns, rows, (text) => output.paint('strong', text))) {
      output.line(line);
    }
  });
}

function memberRow(member: MemberStatus, output: Output): string[] {
  const tone: Tone = member.role === 'leader' ? 'good' : 'dim';
  return [
    String(member.id),
    member.url,
    output.paint(tone, member.role),
    member.voter ? 'yes' : 'no',
    member.matchIndex === null ? '-' : String(member.matchIndex),
    member.lagMs === null ? '-' : `${Math.round(member.lagMs)} ms`,
    member.reachable ? 'yes' : output.paint('bad', 'no'),
    member.replica,
  ];
}
