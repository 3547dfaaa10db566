/** `quorlite config`: write, check and show the configuration of a node. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { CONFIG_KEYS } from '../config/keys.ts';
import { flagLayer } from '../config/layers.ts';
import { showConfig } from '../config/show.ts';
import { configTemplate } from '../config/template.ts';
import { QuorliteError } from '../wire/error.ts';
import type { Command, Invocation } from './command.ts';
import { loadConfig, NODE_FLAGS } from './node-flags.ts';
import { renderTable } from './table.ts';

const DEFAULT_FILE = 'quorlite.toml';

const initCommand: Command = {
  name: 'init',
  summary: 'write a commented configuration with fresh random secrets',
  words: `[FILE]`,
  maxWords: 1,
  flags: {
    id: { type: 'integer', help: 'number of this node', fallback: '1' },
    nodes: { type: 'text', shape: CONFIG_KEYS.nodes.shape, help: CONFIG_KEYS.nodes.help },
    stdout: { type: 'boolean', help: 'print it instead of writing a file' },
    force: { type: 'boolean', help: 'replace an existing file' },
  },
  details: `FILE is ${DEFAULT_FILE} unless given, readable by its owner only. All nodes of one cluster need the same secrets:
copy the file, change id.`,
  examples: [
    'quorlite config init',
    'quorlite config init node.toml --id 1 --nodes 1=http://10.0.0.1:4001,2=http://10.0.0.2:4001,3=http://10.0.0.3:4001',
  ],
  run: init,
};

const checkCommand: Command = {
  name: 'check',
  summary: 'check a configuration, environment and flags included',
  words: '[FILE]',
  maxWords: 1,
  flags: NODE_FLAGS,
  examples: ['quorlite config check quorlite.toml'],
  run: check,
};

const showCommand: Command = {
  name: 'show',
  summary: 'show what holds and where it came from, secrets redacted',
  words: '[FILE]',
  maxWords: 1,
  flags: NODE_FLAGS,
  examples: ['quorlite config show quorlite.toml', 'QUORLITE_SYNC=os quorlite config show --json'],
  run: show,
};

/** `quorlite config init|check|show`. */
export const configCommand: Command = {
  name: 'config',
  summary: 'write, check and show the configuration of a node',
  commands: [initCommand, checkCommand, showCommand].map((command) => ({
    name: command.name,
    summary: command.summary,
    load: () => Promise.resolve(command),
  })),
};

async function init({ flags, words, output }: Invocation): Promise<undefined> {
  const given = flagLayer({ nodes: flags.text('nodes') }).values['nodes'];
  const text = configTemplate({
    id: flags.integer('id') ?? 1,
    nodes: (given as { [id: number]: string } | undefined) ?? { 1: 'http://127.0.0.1:4001' },
    secretRaft: randomBytes(24).toString('base64url'),
    secretApi: randomBytes(24).toString('base64url'),
  });
  if (flags.on('stdout')) {
    await output.write(text);
    return;
  }
  const file = words[0] ?? DEFAULT_FILE;
  writeNew(file, text, flags.on('force'));
  output.result({ file }, () => {
    output.line(`wrote ${file}, with new secrets`);
    output.line(`next: quorlite config check ${file} && quorlite serve --config ${file}`);
  });
}

function writeNew(file: string, text: string, force: boolean): void {
  try {
    writeFileSync(file, text, { mode: 0o600, flag: force ? 'w' : 'wx' });
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === 'EEXIST';
    const message = error instanceof Error ? error.message : String(error);
    throw exists
      ? new QuorliteError('CONFIG_INVALID', `${file} exists`, { hint: '--force replaces it' })
      : new QuorliteError('CONFIG_INVALID', `${file} cannot be written: ${message}`, {
          cause: error,
        });
  }
}

async function check(invocation: Invocation): Promise<undefined> {
  const { resolved, file } = load(invocation);
  const { output } = invocation;
  output.result({ ok: true, file, warnings: resolved.warnings }, () => {
    for (const warning of resolved.warnings) {
      output.line(`${output.paint('warn', 'warning')} ${warning}`);
    }
    const members = resolved.nodes.length === 1 ? 'alone' : `of ${resolved.nodes.length}`;
    output.line(`${output.paint('good', 'ok')} node ${resolved.id} ${members}`);
  });
}

async function show(invocation: Invocation): Promise<undefined> {
  const { resolved, origins } = load(invocation);
  const { output } = invocation;
  const shown = showConfig(resolved, origins);
  const json = Object.fromEntries(shown.map(({ key, value, origin }) => [key, { value, origin }]));
  output.result(json, () => {
    const rows = shown
      .filter(({ key, origin }) => key !== 'limits' || origin !== 'default')
      .flatMap(({ key, value, origin }) =>
        key === 'limits'
          ? Object.entries(value as object).map(([name, limit]) => [
              `limits.${name}`,
              plain(limit),
              origin,
            ])
          : [[key, plain(value), origin]],
      );
    const columns = [{ title: 'key' }, { title: 'value' }, { title: 'from' }];
    for (const line of renderTable(columns, rows, (text) => output.paint('strong', text))) {
      output.line(line);
    }
  });
}

/** The file may be named as a word too. */
function load({ flags, words, env }: Invocation): ReturnType<typeof loadConfig> {
  const file = words[0];
  if (file === undefined) return loadConfig(flags, env);
  return loadConfig(
    { ...flags, text: (name) => (name === 'config' ? file : flags.text(name)) },
    env,
  );
}

function plain(value: unknown): string {
  if (value === null) return '-';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
