/** The command line against a real cluster: `dev` starts it, everything else talks to it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isFree } from '../../src/cli/dev/ports.ts';
import { freePorts } from '../kit/process-cluster.ts';
import { ensureBuilt } from '../support/build.ts';
import { COMMAND, ended, lineOf, run, start } from '../support/cli.ts';

let folder = '';

beforeAll(() => {
  ensureBuilt();
  folder = mkdtempSync(join(tmpdir(), 'quorlite-cluster-cli-'));
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The first of `count` ports in a row that are free. */
async function portsInARow(count: number): Promise<number> {
  for (;;) {
    const [port] = await freePorts(1);
    if (port! + count < 65_535 && (await freeRow(port!, count))) return port!;
  }
}

async function freeRow(port: number, count: number): Promise<boolean> {
  for (let i = 0; i < count; i++) if (!(await isFree(port + i))) return false;
  return true;
}

/** The process that has `text` among its arguments (Linux). */
function processOf(text: string): number {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const found = pids.find((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(text);
    } catch {
      return false; // It has ended meanwhile.
    }
  });
  if (found === undefined) throw new Error(`no process has the argument ${text}`);
  return Number(found);
}

/** Whether a process exists. */
function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const python = spawnSync('python3', ['-c', 'import pty']).status === 0;

/** Runs a command at a terminal, types a line's keys whenever it prompts, and gives what the terminal showed. */
async function atTerminal(args: readonly string[], keys: string, history: string): Promise<string> {
  const lines = keys.split(/(?<=\r)/);
  const script = `import pty, os, sys, json
argv, lines = json.loads(sys.argv[1])
pid, fd = pty.fork()
if pid == 0: os.execvp(argv[0], argv)
seen, shown = b'', b''
while True:
    try: data = os.read(fd, 65536)
    except OSError: break
    if not data: break
    seen += data; shown += data
    if b'quorlite> ' in seen and lines:
        seen = b''
        os.write(fd, lines.pop(0).encode())
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`;
  const argv = [process.execPath, COMMAND, ...args];
  const child = spawn('python3', ['-c', script, JSON.stringify([argv, lines])], {
    env: { ...process.env, QUORLITE_HISTORY: history, NO_COLOR: '1', TERM: 'xterm' },
  });
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
  });
  expect(await ended(child)).toBe(0);
  return shown;
}

describe('dev', () => {
  let cluster: ChildProcess;
  let urls: string[] = [];
  let curl = '';

  beforeAll(async () => {
    const port = await portsInARow(3);
    const dataDir = join(folder, 'dev');
    cluster = start(['dev', '--port', String(port), '--data-dir', dataDir]);
    urls = [0, 1, 2].map((i) => `http://127.0.0.1:${port + i}`);
    const ready = Promise.all(urls.map((url) => lineOf(cluster, new RegExp(`node \\d +${url} `))));
    const line = lineOf(cluster, /^ {2}(curl .*)$/);
    await ready;
    curl = (await line)[1]!;
    expect(existsSync(join(dataDir, 'node-3'))).toBe(true);
  }, 60_000);

  afterAll(async () => {
    cluster.kill('SIGINT');
    expect(await ended(cluster)).toBe(0);
  }, 60_000);

  test('the curl line that it prints works', async () => {
    const match = /^curl -s (\S+) -H '([^:]+): ([^']+)' -d '(.*)'$/.exec(curl)!;
    const [, url, name, value, body] = match;
    const answer = await fetch(url!, { method: 'POST', headers: { [name!]: value! }, body: body! });
    expect(answer.status).toBe(200);
    const { columns, rows } = (await answer.json()) as { columns: unknown; rows: string[][] };
    expect(columns).toMatchObject([{ name: 'version' }]);
    expect(rows[0]![0]).toMatch(/^3\.\d+\.\d+$/);
  });

  test('sql -c: writes and reads, at any node, in every format', async () => {
    const script =
      "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO users (name) VALUES ('ada'), ('bob')";
    const wrote = await run(['sql', urls[1]!, '-c', script]);
    expect(wrote.code).toBe(0);
    expect(wrote.stderr).toMatch(/^2 rows changed, log index \d+$/m);
    const formats: readonly (readonly [string, string])[] = [
      ['table', 'id  name\n──  ────\n 1  ada\n 2  bob\n'],
      ['json', '[{"id":1,"name":"ada"},{"id":2,"name":"bob"}]\n'],
      ['csv', 'id,name\n1,ada\n2,bob\n'],
      ['line', '  id = 1\nname = ada\n\n  id = 2\nname = bob\n'],
    ];
    for (const [format, stdout] of formats) {
      const args = ['sql', urls[2]!, '--format', format, '-c', 'SELECT * FROM users'];
      expect(await run(args)).toEqual({ code: 0, stdout, stderr: '' });
    }
    const stale = ['sql', ...urls, '--consistency', 'maxLagMs=60000', '--json', '-c'];
    expect((await run([...stale, 'SELECT count(*) AS n FROM users'])).stdout).toBe('[{"n":2}]\n');
    const written = await run([
      'sql',
      urls[0]!,
      '--json',
      '-c',
      "INSERT INTO users VALUES (9, 'eve')",
    ]);
    expect(JSON.parse(written.stdout)).toMatchObject({ rowsAffected: 1, lastInsertRowid: 9 });
  });

  test('an SQL error names its place, ends the script, and is exit code 1', async () => {
    const { code, stdout, stderr } = await run([
      'sql',
      urls[0]!,
      '-c',
      'SELECT 1 AS a;\nSELECT *\n  FORM users;\nSELECT 2',
    ]);
    expect(stdout).toBe('a\n─\n1\n');
    expect(stderr).toMatch(/^error SQL_ERROR: near "FORM": syntax error/);
    expect(stderr).toMatch(/^ {4}FORM users;\n {4}\^$/m);
    expect(code).toBe(1);
    const constraint = ['sql', urls[0]!, '--json', '-c', "INSERT INTO users VALUES (1, 'again')"];
    const refused = await run(constraint);
    expect(JSON.parse(refused.stderr)).toMatchObject({
      error: { code: 'SQL_CONSTRAINT', outcome: 'not-applied' },
    });
    expect(refused.code).toBe(1);
  });

  test('sql from a pipe: statements over lines, dot commands, triggers', async () => {
    const file = join(folder, 'more.sql');
    writeFileSync(file, "INSERT INTO log VALUES ('from a file');\nSELECT count(*) AS n FROM log");
    const input = [
      'CREATE TABLE log (text TEXT);',
      'CREATE TRIGGER logged AFTER INSERT ON users BEGIN',
      "  INSERT INTO log VALUES (new.name || ';');",
      'END;',
      "INSERT INTO users (name) VALUES ('cy');",
      '.mode csv',
      '-- a comment; of no effect',
      'SELECT text',
      '  FROM log;',
      `.read ${file}`,
      '.tables',
      '.schema log',
      '.consistency stale',
      '.consistency',
      '.quit',
      'SELECT never;',
    ].join('\n');
    const { code, stdout, stderr } = await run(['sql', urls[0]!], { input });
    expect(stdout).toBe('text\ncy;\nn\n2\nlog\nusers\nCREATE TABLE log (text TEXT);\nstale\n');
    expect(stderr).not.toMatch(/error/);
    expect(code).toBe(0);
    const wrong = await run(['sql', urls[0]!], { input: '.tabels\n' });
    expect(wrong.stderr).toMatch(/did you mean \.tables\?/);
    expect(wrong.code).toBe(2);
    const missing = await run(['sql', urls[0]!], { input: '.read mor.sql\n', cwd: folder });
    expect(missing.stderr).toBe(`error .read mor.sql: there is no such file in ${folder}\n`);
    expect(missing.code).toBe(2);
    const directory = await run(['sql', urls[0]!], { input: `.read ${folder}\n` });
    expect(directory.stderr).toMatch(/^error \.read .*: this is a folder, not a file$/m);
  });

  test.skipIf(!python)(
    'the shell at a terminal: its history comes back with the arrow keys',
    async () => {
      const history = join(folder, 'history');
      const session = (keys: string) => atTerminal(['sql', urls[0]!], keys, history);
      await session("SELECT 'typed' || ' before' AS x;\r.auth hidden-token\r.quit\r");
      expect(readFileSync(history, 'utf8')).toBe("SELECT 'typed' || ' before' AS x;\n.quit\n");
      expect(statSync(history).mode & 0o777).toBe(0o600);
      // Up twice: `.quit`, then the statement.
      const again = await session('\u001b[A\u001b[A\r.quit\r');
      expect(again).toMatch(/\btyped before\b/);
      expect(again).not.toContain('hidden');
    },
  );

  test('cluster status and transfer', async () => {
    const before = await run(['cluster', 'status', urls[0]!, '--json']);
    const status = JSON.parse(before.stdout) as {
      leader: number;
      members: { id: number; voter: boolean }[];
    };
    expect(status.members.map(({ id }) => id)).toEqual([1, 2, 3]);
    expect(status.members.every(({ voter }) => voter)).toBe(true);
    const to = (status.leader % 3) + 1;
    const moved = await run(['cluster', 'transfer', String(to), ...urls, '--json']);
    expect(moved).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(moved.stdout)).toMatchObject({ leader: to });
    expect((await run(['cluster', 'status', urls[1]!])).stdout).toMatch(
      new RegExp(`leader node ${to} `),
    );
  });

  test('settings are shown, changed everywhere, and checked', async () => {
    const changed = await run([
      'settings',
      'resultRows=5000',
      'valueBytes=1MiB',
      urls[0]!,
      '--json',
    ]);
    expect(JSON.parse(changed.stdout)).toMatchObject({ resultRows: 5000, valueBytes: 1_048_576 });
    const other = await run(['cluster', 'settings', urls[2]!, '--json']);
    expect(other.code).toBe(0);
    expect((await run(['settings', 'resultRows=0', urls[0]!])).code).toBe(2);
  });

  test('bench runs every workload over every transport', async () => {
    const flags = ['--seconds', '0.2', '--rows', '500', '-c', '2', '--json'];
    for (const transport of [[urls[0]!], [urls[0]!, '--http'], ['--embedded', '--sync', 'os']]) {
      const { code, stdout, stderr } = await run(['bench', ...flags, ...transport]);
      // The nodes of --embedded may say there that the machine is slow.
      expect(stderr).not.toMatch(/^\{"error"|^error/m);
      const { results } = JSON.parse(stdout) as {
        results: {
          workload: string;
          operations: number;
          errors: number;
          cpuUs: number;
          p50Ms: number;
          p99Ms: number;
          maxMs: number;
          bytesSent: number;
          bytesReceived: number;
        }[];
      };
      expect(results.map(({ workload }) => workload)).toEqual([
        'insert',
        'txn',
        'select-stale',
        'select-linearizable',
      ]);
      for (const { operations, errors, ...row } of results) {
        expect(errors).toBe(0);
        expect(operations).toBeGreaterThan(0);
        expect(row.cpuUs).toBeGreaterThan(0);
        expect(row.p50Ms).toBeLessThanOrEqual(row.p99Ms);
        expect(row.p99Ms).toBeLessThanOrEqual(row.maxMs);
      }
      // An INSERT takes its text and values there and a result back, be it to the cluster or between its nodes.
      const [insert, txn] = results;
      expect(insert!.bytesSent).toBeGreaterThan(20);
      expect(insert!.bytesReceived).toBeGreaterThan(5);
      expect(txn!.bytesSent).toBeGreaterThan(500 * 10);
      expect(code).toBe(0);
    }
    const tables = await run(['sql', urls[0]!], { input: '.tables\n' });
    expect(tables.stdout).not.toMatch(/_bench/);
  }, 60_000);

  test('doctor of a running node says that it runs', async () => {
    const nodes = urls.map((url, i) => `${i + 1}=${url}`).join(',');
    const dataDir = join(folder, 'dev', 'node-1');
    const flags = ['--id', '1', '--nodes', nodes, '--data-dir', dataDir];
    const { code, stdout } = await run(['doctor', ...flags]);
    expect(stdout).toMatch(/warn {2}lock/);
    expect(stdout).toMatch(/warn {2}port .*by a running node/);
    expect(stdout).toMatch(/ok {4}node 2 /);
    expect(code).toBe(0);
  });
});

describe('serve', () => {
  test('says when it is ready, stops at SIGTERM with exit code 0, keeps its data', async () => {
    const flags = ['serve', '--data-dir', join(folder, 'one'), '--listen', '127.0.0.1:0'];
    for (const statement of ['CREATE TABLE t (a); INSERT INTO t VALUES (7)', 'SELECT a FROM t']) {
      const node = start(flags);
      const ready = await lineOf(
        node,
        /^ready (http:\/\/127\.0\.0\.1:\d+) node=1 role=leader term=\d+$/,
      );
      const { code, stdout } = await run(['sql', ready[1]!, '--format', 'csv', '-c', statement]);
      expect(code).toBe(0);
      if (statement.startsWith('SELECT')) expect(stdout).toBe('a\n7\n');
      node.kill('SIGTERM');
      expect(await ended(node)).toBe(0);
    }
  }, 60_000);

  test('with a secret: a token is needed, and logs are JSON', async () => {
    const secret = 'a secret of the tests';
    const node = start(
      ['serve', '--data-dir', join(folder, 'secret'), '--listen', '127.0.0.1:0', '--log', 'json'],
      { env: { QUORLITE_SECRET_API: secret, QUORLITE_SECRET_RAFT: `${secret} too` } },
    );
    const logs: string[] = [];
    createInterface({ input: node.stderr! }).on('line', (line) => logs.push(line));
    const url = (await lineOf(node, /^ready (\S+)/))[1]!;
    const args = ['sql', url, '-c', 'SELECT 1', '--timeout', '5000'];
    const refused = await run(args);
    expect(refused.stderr).toMatch(/UNAUTHENTICATED.*\n.*--token/);
    expect(refused.code).toBe(1);
    expect((await run([...args, '--token', 'env:SECRET'], { env: { SECRET: secret } })).code).toBe(
      0,
    );
    expect((await run(args, { env: { QUORLITE_TOKEN: secret } })).code).toBe(0);
    node.kill('SIGTERM');
    expect(await ended(node)).toBe(0);
    for (const line of logs) {
      expect(JSON.parse(line)).toMatchObject({ node: 1 });
      expect(line).not.toContain(secret);
    }
  }, 60_000);

  test('two nodes on one folder: the second one refuses', async () => {
    const flags = ['serve', '--data-dir', join(folder, 'shared'), '--listen', '127.0.0.1:0'];
    const first = start(flags);
    await lineOf(first, /^ready /);
    const second = await run(flags);
    expect(second.code).not.toBe(0);
    expect(second.stderr).toMatch(/in use|another|locked/i);
    expect(second.stderr).not.toMatch(/\n\s+at /);
    first.kill('SIGTERM');
    expect(await ended(first)).toBe(0);
  }, 60_000);

  test('alone of three it says what it waits for, and stops when asked to', async () => {
    const [own, ...others] = await freePorts(3);
    const nodes = [own, ...others].map((port, i) => `${i + 1}=http://127.0.0.1:${port}`).join(',');
    const dataDir = join(folder, 'alone');
    const node = start(['serve', '--id', '1', '--nodes', nodes, '--data-dir', dataDir]);
    const waiting = new Promise<void>((resolve) => {
      createInterface({ input: node.stderr! }).on('line', (line) => {
        if (/found-with/i.test(line)) resolve();
      });
    });
    await waiting;
    const status = await run(['cluster', 'status', `http://127.0.0.1:${own}`, '--timeout', '2000']);
    expect(status.code).toBe(3);
    node.kill('SIGTERM');
    expect(await ended(node)).toBe(0);
  }, 60_000);
});

test.skipIf(process.platform !== 'linux')(
  'dev says how many nodes it stops: those that run',
  async () => {
    const port = await portsInARow(2);
    const dataDir = join(folder, 'fewer');
    const cluster = start(['dev', '--nodes', '2', '--port', String(port), '--data-dir', dataDir]);
    let notes = '';
    cluster.stderr!.on('data', (text) => {
      notes += text;
    });
    await lineOf(cluster, /node 2 +http/);
    process.kill(processOf(join(dataDir, 'node-2')), 'SIGKILL');
    await expect.poll(() => notes, { timeout: 20_000 }).toMatch(/node 2 ended .*; 1 of 2 run/);
    cluster.kill('SIGTERM');
    expect(await ended(cluster)).toBe(1);
    expect(notes).toMatch(/^SIGTERM: stopping 1 of 2 nodes$/m);
  },
  60_000,
);

test.skipIf(process.platform !== 'linux')(
  'when dev is killed, its nodes end too',
  async () => {
    const port = await portsInARow(1);
    const dataDir = join(folder, 'killed');
    const cluster = start(['dev', '--nodes', '1', '--port', String(port), '--data-dir', dataDir]);
    await lineOf(cluster, /node 1 +http/);
    const child = processOf(join(dataDir, 'node-1'));
    expect(exists(child)).toBe(true);
    cluster.kill('SIGKILL');
    // It has no parent left to tell: its lock and its port are what others see.
    await expect.poll(() => exists(child), { timeout: 20_000 }).toBe(false);
    expect(await isFree(port)).toBe(true);
  },
  60_000,
);
