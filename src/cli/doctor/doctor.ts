/** `quorlite doctor`: what is wrong with this machine or configuration. */
import type { ResolvedConfig } from '../../config/resolve.ts';
import { resolveNodeConfig } from '../../runtime/node/config.ts';
import { QuorliteError } from '../../wire/error.ts';
import { type Command, ExitCode, type Invocation } from '../command.ts';
import { loadConfig, NODE_FLAGS } from '../node-flags.ts';
import type { Tone } from '../output.ts';
import { pad } from '../table.ts';
import { type CheckStatus, type Finding, finding } from './check.ts';
import { checkDisk } from './disk.ts';
import { checkClock, checkEngine, checkMemory, checkRuntime } from './machine.ts';
import { checkPeers, checkPorts } from './network.ts';

/** `quorlite doctor`. */
export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'check runtime, disk, clock, configuration, ports, engine and peers',
  flags: NODE_FLAGS,
  details: `Takes the flags of quorlite serve and checks what that node would meet. It changes nothing. Exit code 1 when
something keeps a node from running.`,
  examples: ['quorlite doctor', 'quorlite doctor --config quorlite.toml --json'],
  run: doctor,
};

const TONES: { readonly [S in CheckStatus]: Tone } = { ok: 'good', warn: 'warn', fail: 'bad' };

async function doctor({ flags, env, output }: Invocation): Promise<number> {
  const findings: Finding[] = [checkRuntime(), checkMemory(), await checkClock()];
  const config = readConfig(() => loadConfig(flags, env).resolved, findings);
  findings.push(await checkEngine(config.engine));
  findings.push(...checkDisk(config.dataDir, config.sync.mode));
  findings.push(...(await checkPorts(config)), ...(await checkPeers(config)));
  const worst = findings.some(({ status }) => status === 'fail') ? 'fail' : 'ok';
  output.result({ ok: worst === 'ok', checks: findings }, () => {
    const width = Math.max(...findings.map(({ name }) => name.length));
    for (const { name, status, detail, fix } of findings) {
      output.line(`${output.paint(TONES[status], pad(status, 4))}  ${pad(name, width)}  ${detail}`);
      if (fix !== undefined) output.line(`      ${' '.repeat(width)}  → ${fix}`);
    }
  });
  return worst === 'ok' ? ExitCode.ok : ExitCode.failed;
}

/** A configuration that is wrong is a finding, not the end: the machine is checked nevertheless. */
function readConfig(load: () => ResolvedConfig, findings: Finding[]): ResolvedConfig {
  try {
    const config = load();
    const status = config.warnings.length > 0 ? 'warn' : 'ok';
    const detail = `node ${config.id} of ${config.nodes.length}`;
    findings.push(finding('configuration', status, [detail, ...config.warnings].join('; ')));
    return config;
  } catch (error) {
    if (!(error instanceof QuorliteError)) throw error;
    findings.push(finding('configuration', 'fail', error.message, error.hint));
    return resolveNodeConfig({}, { server: true });
  }
}
