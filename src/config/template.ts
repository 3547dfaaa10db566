/** The commented TOML file of `quorlite config init`. */
import {
  CONFIG_KEY_NAMES,
  CONFIG_KEYS,
  type ConfigKey,
  environmentName,
  flagName,
} from './keys.ts';
import { type LimitName, NODE_LIMITS } from './limits.ts';

/** What goes into the file. */
export interface TemplateValues {
  readonly id: number;
  readonly nodes: { readonly [id: number]: string };
  readonly secretRaft: string;
  readonly secretApi: string;
}

/** Values shown, commented out, for keys that the file leaves at their defaults. */
const EXAMPLES: { readonly [K in ConfigKey]?: string } = {
  listen: '"127.0.0.1:4001"',
  listenRaft: '"127.0.0.1:5001"',
  advertise: '"http://127.0.0.1:4001"',
  storage: '"file"',
  sync: '"durable"',
  engine: '"sqlite"',
  role: '"voter"',
  origins: '["https://app.example.com"]',
  expectExisting: 'false',
  foundWith: '[1, 2]',
  heartbeatMs: '150',
  electionMs: '1000',
  log: '"info"',
  logFormat: '"json"',
  logStatements: 'false',
  slowQueryMs: '1000',
};

/** The file's text: what must be decided is set, everything else is there as a comment with its default. */
export function configTemplate(values: TemplateValues): string {
  const lines = [
    '# Configuration of one Quorlite node.',
    '# Flags go over environment variables, these over this file, this file over the defaults.',
    '# The same file serves all nodes of a cluster when id comes from the environment.',
  ];
  for (const key of CONFIG_KEY_NAMES) {
    if (key === 'nodes' || key === 'checkpoint' || key === 'limits') continue;
    lines.push('', `# ${sentence(CONFIG_KEYS[key].help)}`);
    lines.push(`# Flag --${flagName(key)}, environment ${environmentName(key)}.`);
    if (key === 'secretRaft' || key === 'secretApi') {
      lines.push('# Also "file:PATH" or "env:NAME". Equal on all nodes.');
    }
    lines.push(keyLine(key, values));
  }
  lines.push('', `# ${sentence(CONFIG_KEYS.nodes.help)}`, '[nodes]');
  for (const [id, url] of Object.entries(values.nodes)) lines.push(`${id} = "${url}"`);
  lines.push('', `# ${sentence(CONFIG_KEYS.checkpoint.help)}`, '[checkpoint]');
  lines.push('# bytes = "8MiB"', '# ms = "60s"');
  lines.push('', `# ${sentence(CONFIG_KEYS.limits.help)}`, '[limits]');
  for (const name of Object.keys(NODE_LIMITS) as LimitName[]) {
    const spec = NODE_LIMITS[name];
    lines.push(`# ${name} = ${spec.default}  # ${spec.unit}: ${spec.help}`);
  }
  return `${lines.join('\n')}\n`;
}

function keyLine(key: ConfigKey, values: TemplateValues): string {
  switch (key) {
    case 'id':
      return `id = ${values.id}`;
    case 'dataDir':
      return `# dataDir = "./data/node-${values.id}"`;
    case 'secretRaft':
    case 'secretApi':
      return `${key} = "${values[key]}"`;
    default:
      return `# ${key} = ${EXAMPLES[key] ?? '""'}`;
  }
}

function sentence(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}.`;
}
