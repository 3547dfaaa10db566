/** The command line as a process: help, wrong use, exit codes, configuration, doctor. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureBuilt } from '../support/build.ts';
import { run } from '../support/cli.ts';
import { ROOT } from '../tidy/source.ts';

let folder = '';
beforeAll(() => {
  ensureBuilt();
  folder = mkdtempSync(join(tmpdir(), 'quorlite-cli-'));
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('help', () => {
  test('--version is that of the package', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      version: string;
    };
    expect(await run(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  test('without a command: help, and exit code 2', async () => {
    const { code, stdout } = await run([]);
    expect(code).toBe(2);
    expect(stdout).toMatch(/Commands\n {2}serve/);
  });

  test.each([
    ['serve'],
    ['dev'],
    ['sql'],
    ['cluster'],
    ['cluster', 'status'],
    ['cluster', 'add'],
    ['cluster', 'remove'],
    ['cluster', 'promote'],
    ['cluster', 'transfer'],
    ['cluster', 'recover'],
    ['settings'],
    ['config'],
    ['config', 'init'],
    ['config', 'check'],
    ['config', 'show'],
    ['doctor'],
    ['bench'],
  ])('%s %s --help', async (...words) => {
    const { code, stdout, stderr } = await run([...words, '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^quorlite ${words.join(' ')}: `));
    expect(stdout).toMatch(/--json/);
  });

  test.each([
    [['help'], /^quorlite: [\s\S]*Commands\n {2}serve/],
    [['help', 'serve'], /^quorlite serve: /],
    [['help', 'cluster', 'add'], /^quorlite cluster add: /],
    [['cluster', 'help'], /^quorlite cluster: /],
    [['cluster', 'help', 'add'], /^quorlite cluster add: /],
    [['help', 'help'], /^quorlite: /],
    [['help', 'sql', '--help'], /^quorlite sql: /],
  ])('%j', async (args, text) => {
    const { code, stdout, stderr } = await run(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(text);
  });

  test('colours come when asked for, and NO_COLOR wins', async () => {
    const colour = '\u001b[';
    expect((await run(['--help'], { env: { FORCE_COLOR: '1' } })).stdout).toContain(colour);
    const both = { FORCE_COLOR: '1', NO_COLOR: '1' };
    expect((await run(['--help'], { env: both })).stdout).not.toContain(colour);
    expect((await run(['--help'])).stdout).not.toContain(colour);
  });
});

describe('wrong use is exit code 2 and says what would be right', () => {
  test.each([
    [['sevre'], /unknown command "sevre"; did you mean serve\?/],
    [['help', 'sevre'], /unknown command "sevre"; did you mean serve\?/],
    [['cluster', 'transfre'], /unknown command "transfre"; did you mean transfer\?/],
    [['serve', '--data-dri', 'x'], /unknown flag --data-dri; did you mean --data-dir\?/],
    [['serve', '--id'], /--id needs a value/],
    [['serve', '--id', '--nodes', 'x'], /--id needs a value/],
    [['serve', '--id', 'one'], /CONFIG_INVALID: id must be a number.*\(from flag --id\)/],
    [['serve', '--sync', 'sometimes'], /sync must be durable, interval:200ms/],
    [['serve', '--id', '1', '--id', '2'], /--id is given twice/],
    [['serve', '--listen', '0.0.0.0:4001'], /secretRaft and secretApi are not set/],
    [['serve', '--nodes', '1=http://a:1,2=http://b:1'], /id is missing: which of the nodes 1, 2/],
    [['serve', 'now'], /unexpected argument "now"/],
    [['dev', '--nodes', '0'], /--nodes must be a whole number from 1/],
    [['cluster', 'add', 'four'], /cluster add N=URL/],
    [['cluster', 'remove'], /which member/],
    [['sql', '--format', 'tabel'], /did you mean table\?/],
    [['sql', '--consistency', 'stael', '-c', 'SELECT 1'], /did you mean stale\?/],
    [['sql', 'localhost'], /is not a URL/],
    [['settings', 'resultRow=5'], /unknown setting "resultRow"; did you mean resultRows\?/],
    [['bench', '--workloads', 'inserts'], /did you mean insert\?/],
    [['bench', '-c', '0'], /--concurrency must be numbers/],
    [['bench', '--embedded', '--http'], /--embedded starts a cluster of its own/],
    [['bench', '--embedded', '--sync', 'never'], /--sync must be durable/],
    [['bench', '--sync', 'os'], /are for --embedded/],
    [['bench', '--seconds', '0'], /--seconds must be a number, at least 0\.1, not 0/],
    [['bench', '--seconds', 'ten'], /--seconds must be a number, at least 0\.1, not ten/],
  ])('%j', async (args, message) => {
    const { code, stdout, stderr } = await run(args);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  test('--json makes errors JSON', async () => {
    const { code, stderr } = await run(['config', 'check', '--role', 'voter ', '--json']);
    expect(code).toBe(2);
    const { error } = JSON.parse(stderr) as { error: { code: string; message: string } };
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message).toMatch(/did you mean voter/);
  });

  test('--debug adds the stack', async () => {
    expect((await run(['config', 'check', '--sync', 'x', '--debug'])).stderr).toMatch(/\n\s+at /);
  });

  test('an unknown variable is refused', async () => {
    const { code, stderr } = await run(['serve'], { env: { QUORLITE_DATADIR: 'x' } });
    expect(code).toBe(2);
    expect(stderr).toMatch(/did you mean QUORLITE_DATA_DIR/);
  });

  test('cluster recover needs the folder of a member', async () => {
    const dataDir = join(folder, 'no-member');
    const { code, stderr } = await run(['cluster', 'recover', '--data-dir', dataDir, '--yes']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/CONFIG_INVALID: there is no data folder/);
    expect(existsSync(dataDir)).toBe(false);
  });
});

describe('nobody there', () => {
  test('is exit code 3', async () => {
    const url = 'http://127.0.0.1:9';
    const { code, stderr } = await run(['sql', url, '-c', 'SELECT 1', '--timeout', '500']);
    expect(stderr).toMatch(/^error [A-Z_]+: /);
    expect(code).toBe(3);
  });
});

describe('config', () => {
  test('init writes secrets that check accepts and show hides', async () => {
    const file = join(folder, 'a.toml');
    const made = await run([
      'config',
      'init',
      file,
      '--id',
      '2',
      '--nodes',
      '1=http://127.0.0.1:4001,2=http://127.0.0.1:4002,3=http://127.0.0.1:4003',
    ]);
    expect(made).toMatchObject({ code: 0, stderr: '' });
    expect(statSync(file).mode & 0o077).toBe(0);
    const text = readFileSync(file, 'utf8');
    const secrets = [...text.matchAll(/^secret\w+ = "(.*)"$/gm)].map((match) => match[1]!);
    expect(secrets).toHaveLength(2);
    expect(new Set(secrets).size).toBe(2);

    expect((await run(['config', 'check', file])).stdout).toBe('ok node 2 of 3\n');
    const shown = await run(['config', 'show', file, '--json'], { env: { QUORLITE_SYNC: 'os' } });
    for (const secret of secrets) expect(shown.stdout).not.toContain(secret);
    const json = JSON.parse(shown.stdout) as { [key: string]: { value: unknown; origin: string } };
    expect(json['listen']).toEqual({ value: '127.0.0.1:4002', origin: 'default' });
    expect(json['sync']).toEqual({ value: 'os', origin: 'environment QUORLITE_SYNC' });
    expect(json['id']!.origin).toMatch(/a\.toml:\d+$/);
    expect(json['secretApi']!.value).toMatch(/^\(set/);
    for (const secret of secrets) {
      const { stdout } = await run(['config', 'show', file]);
      expect(stdout).not.toContain(secret);
      expect(stdout).toMatch(/^limits\.maxBodyBytes +33554432 /m);
    }
  });

  test('every line that init comments out is accepted with its default', async () => {
    const { stdout } = await run(['config', 'init', '--stdout']);
    const text = stdout
      .replace(/^# (\w+ = )/gm, '$1')
      .replace(/^(foundWith|listenRaft|expectExisting).*$/gm, '');
    const file = join(folder, 'all.toml');
    writeFileSync(file, text);
    expect(await run(['config', 'check', file])).toMatchObject({ code: 0, stderr: '' });
  });

  test('init does not replace a file', async () => {
    const file = join(folder, 'b.toml');
    await run(['config', 'init', file]);
    const before = readFileSync(file, 'utf8');
    const again = await run(['config', 'init', file]);
    expect(again.stderr).toMatch(/exists\n {2}--force replaces it/);
    expect(readFileSync(file, 'utf8')).toBe(before);
    expect((await run(['config', 'init', file, '--force'])).code).toBe(0);
    expect(readFileSync(file, 'utf8')).not.toBe(before);
  });

  test('secrets come from files and variables', async () => {
    const secret = join(folder, 'secret');
    writeFileSync(secret, `${'s'.repeat(20)}\n`);
    const args = ['config', 'check', '--listen', '0.0.0.0:4001'];
    const flags = ['--secret-raft', `file:${secret}`, '--secret-api', 'env:MY_SECRET'];
    const good = await run([...args, ...flags], { env: { MY_SECRET: 'a'.repeat(16) } });
    expect(good).toMatchObject({ code: 0, stderr: '' });
    expect((await run([...args, ...flags])).stderr).toMatch(/variable is not set/);
    const short = await run([...args, ...flags], { env: { MY_SECRET: 'hush' } });
    expect(short.stderr).toMatch(/at least 16 characters/);
    expect(short.stderr).not.toMatch(/hush/);
  });

  test('a mistyped key names its line', async () => {
    const file = join(folder, 'c.toml');
    writeFileSync(file, 'id = 1\nheartbeatMS = 100\n');
    const { code, stderr } = await run(['serve', '--config', file]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/unknown key "heartbeatMS" in .*c\.toml:2; did you mean heartbeatMs\?/);
  });
});

describe('doctor', () => {
  interface Report {
    readonly ok: boolean;
    readonly checks: readonly { readonly name: string; readonly status: string }[];
  }

  test('checks everything and finds this machine fit', async () => {
    const flags = ['--data-dir', join(folder, 'fit'), '--listen', '127.0.0.1:0'];
    const { code, stdout } = await run(['doctor', '--json', ...flags]);
    const report = JSON.parse(stdout) as Report;
    const names = report.checks.map(({ name }) => name);
    for (const name of [
      'runtime',
      'clock',
      'configuration',
      'engine',
      'data folder',
      'disk sync',
    ]) {
      expect(names).toContain(name);
    }
    expect(report.checks.filter(({ status }) => status === 'fail')).toEqual([]);
    expect(code).toBe(0);
  });

  test('finds a wrong configuration, a busy port and peers that are not there', async () => {
    const wrong = await run(['doctor', '--sync', 'never', '--listen', '127.0.0.1:0']);
    expect(wrong.code).toBe(1);
    expect(wrong.stdout).toMatch(/fail {2}configuration +sync must be/);

    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const nodes = `1=http://127.0.0.1:${port},2=http://127.0.0.1:9`;
    const data = join(folder, 'busy');
    const busy = await run(['doctor', '--id', '1', '--nodes', nodes, '--data-dir', data]);
    await new Promise((resolve) => server.close(resolve));
    expect(busy.stdout).toMatch(/fail {2}port +127\.0\.0\.1:\d+ is in use by something else/);
    expect(busy.stdout).toMatch(/warn {2}node 2 +http:\/\/127\.0\.0\.1:9: /);
    expect(busy.code).toBe(1);
  });

  test('finds a data folder that cannot be', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    const flags = ['--data-dir', join(file, 'data'), '--listen', '127.0.0.1:0'];
    const { code, stdout } = await run(['doctor', ...flags]);
    expect(stdout).toMatch(/fail {2}data folder/);
    expect(code).toBe(1);
  });
});

test('dev refuses ports that are in use', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const { code, stderr } = await run(['dev', '--port', String(port), '--nodes', '1']);
  await new Promise((resolve) => server.close(resolve));
  expect(stderr).toMatch(new RegExp(`port ${port} is in use\\n {2}stop what listens there`));
  expect(code).toBe(2);
});
