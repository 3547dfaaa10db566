/** A node in a real browser: one page on each storage, several tabs that share it, three tabs as a cluster. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { bundleForBrowsers } from '../../scripts/bundle-browser.mjs';
import { startNode } from '../../src/index.ts';
import { freePorts } from '../kit/process-cluster.ts';
import {
  type BrowserPage,
  type BrowserProfile,
  launchChromium,
  NO_CHROMIUM,
  type RunningBrowser,
  serveFiles,
} from './chromium.ts';

const COMMANDS = [
  'CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL, size REAL, raw BLOB)',
  "INSERT INTO notes (text, size, raw) VALUES ('one', 1.5, x'00ff'), ('zwölf', 1e300, NULL)",
  'CREATE INDEX notes_text ON notes (text)',
  'CREATE VIRTUAL TABLE words USING fts5(text)',
  'INSERT INTO words SELECT text FROM notes',
  'UPDATE notes SET size = size * 2 WHERE id = 1',
  'DELETE FROM notes WHERE id = 2',
];

describe.skipIf(NO_CHROMIUM !== null)(`a node in Chromium ${NO_CHROMIUM ?? ''}`, () => {
  let browser: RunningBrowser;
  let files: { url: string; close(): void };
  let profile: BrowserProfile;
  const folder = mkdtempSync(join(tmpdir(), 'quorlite-bundle-'));

  beforeAll(async () => {
    await bundleForBrowsers(folder);
    files = await serveFiles(folder);
    browser = await launchChromium();
  }, 120_000);

  afterEach(() => profile.close());

  afterAll(async () => {
    await browser?.close();
    files?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A tab with the module loaded as `Q`; `start` keeps its node as `node`. */
  async function openTab(): Promise<BrowserPage> {
    const page = await profile.newPage();
    page.on('console', (message) => {
      if (process.env['QUORLITE_TEST_LOG']) process.stderr.write(`${message.text()}\n`);
    });
    await page.goto(`${files.url}/index.html`);
    await load(page);
    return page;
  }

  function load(page: BrowserPage): Promise<unknown> {
    return page.evaluate("import('/quorlite.js').then((module) => { globalThis.Q = module; })");
  }

  function start(page: BrowserPage, config: string): Promise<unknown> {
    return page.evaluate(
      `Q.startNode(${config}).then((node) => { globalThis.node = node; return node.runsHere; })`,
    );
  }

  async function newProfile(): Promise<void> {
    profile = await browser.newContext();
  }

  async function runCommands(page: BrowserPage): Promise<void> {
    for (const sql of COMMANDS) {
      await page.evaluate(`node.client.execute(${JSON.stringify(sql)})`);
    }
  }

  for (const storage of ["Q.opfs('a')", "Q.indexedDb('a')"]) {
    test(`writes, is loaded again, still has it: ${storage}`, async () => {
      await newProfile();
      const page = await openTab();
      expect(await start(page, `{ storage: ${storage}, log: 'warn' }`)).toBe(true);
      await runCommands(page);
      const before = await page.evaluate('node.databaseHash()');
      await page.evaluate('node.client.snapshot()');
      await page.evaluate('node.client.execute("INSERT INTO notes (text) VALUES (\'behind\')")');
      await page.reload();
      await load(page);
      expect(await start(page, `{ storage: ${storage}, log: 'warn' }`)).toBe(true);
      const rows = await page.evaluate("node.client.query('SELECT text FROM notes ORDER BY id')");
      expect(rows).toEqual([{ text: 'one' }, { text: 'behind' }]);
      expect(await page.evaluate('node.databaseHash()')).not.toEqual(before);
      await page.evaluate('node.shutdown()');
    }, 60_000);
  }

  test('has the database hash of Node for the same commands', async () => {
    await newProfile();
    const page = await openTab();
    await start(page, "{ storage: Q.memory('a'), log: 'warn' }");
    await runCommands(page);
    const node = await startNode({ storage: 'memory', log: 'silent' });
    for (const sql of COMMANDS) await node.client.execute(sql);
    const { hash } = node.service.databaseHash();
    await node.shutdown();
    expect(await page.evaluate('node.databaseHash()')).toMatchObject({ hash });
  }, 60_000);

  test('tabs share one node; another takes over when its tab goes', async () => {
    await newProfile();
    const first = await openTab();
    const second = await openTab();
    const config = "{ storage: Q.opfs('shared'), log: 'warn' }";
    expect(await start(first, config)).toBe(true);
    expect(await start(second, config)).toBe(false);
    await first.evaluate("node.client.execute('CREATE TABLE t (x INTEGER)')");
    await second.evaluate("node.client.execute('INSERT INTO t VALUES (1)')");
    await first.close();
    await second.evaluate("node.client.execute('INSERT INTO t VALUES (2)')");
    const rows = await second.evaluate("node.client.query('SELECT x FROM t ORDER BY x')");
    expect(rows).toEqual([{ x: 1 }, { x: 2 }]);
    expect(await second.evaluate('node.runsHere')).toBe(true);
  }, 60_000);

  test('three tabs are a cluster, which survives the loss of its leader', async () => {
    await newProfile();
    const tabs = await Promise.all([openTab(), openTab(), openTab()]);
    const nodes = "{ 1: 'http://1.tab', 2: 'http://2.tab', 3: 'http://3.tab' }";
    const storages = ["Q.opfs('n1')", "Q.indexedDb('n2')", "Q.indexedDb('n3')"];
    await Promise.all(
      tabs.map((tab, i) =>
        start(tab, `{ id: ${i + 1}, nodes: ${nodes}, storage: ${storages[i]}, log: 'warn' }`),
      ),
    );
    await runCommands(tabs[0]!);
    const leader = await tabs[0]!.evaluate<number>('node.client.status().then((s) => s.leader)');
    await tabs[leader - 1]!.close();
    const rest = tabs.filter((_, i) => i !== leader - 1);
    await rest[0]!.evaluate('node.client.execute("INSERT INTO notes (text) VALUES (\'after\')")');
    for (const tab of rest) {
      const rows = await tab.evaluate("node.client.query('SELECT text FROM notes ORDER BY id')");
      expect(rows).toEqual([{ text: 'one' }, { text: 'after' }]);
    }
    const hashes = await Promise.all(rest.map((tab) => tab.evaluate('node.databaseHash()')));
    expect(hashes[0]).toEqual(hashes[1]);
  }, 90_000);

  test('a server and a tab are a cluster, over the WebSocket that the tab opens', async () => {
    await newProfile();
    const page = await openTab();
    const [port] = await freePorts(1);
    const secretRaft = 'the Raft secret of this suite';
    const nodes = { 1: `http://127.0.0.1:${port}`, 2: 'http://2.tab' };
    const server = await startNode({
      id: 1,
      nodes,
      storage: 'memory',
      secretRaft,
      origins: [files.url],
      log: 'silent',
    });
    const config = JSON.stringify({ id: 2, nodes, secretRaft, log: 'warn' });
    await start(page, `{ ...${config}, storage: Q.opfs('mixed') }`);
    await runCommands(page);
    const count = 'SELECT count(*) AS n FROM notes';
    expect(await server.client.queryOne(count)).toEqual({ n: 1 });
    await server.client.execute("INSERT INTO notes (text) VALUES ('from the server')");
    expect(await page.evaluate(`node.client.queryOne('${count}')`)).toEqual({ n: 2 });
    expect(await page.evaluate('node.databaseHash()')).toEqual(server.service.databaseHash());
    await server.shutdown();
  }, 60_000);

  test('plain scripts have it too, and a page can run the node itself', async () => {
    await newProfile();
    const page = await profile.newPage();
    await page.goto(`${files.url}/index.html`);
    await page.evaluate(
      `new Promise((resolve, reject) => {
        const script = document.createElement('script');
        script.src = '/quorlite.iife.js';
        script.onload = () => resolve();
        script.onerror = reject;
        document.head.append(script);
      })`,
    );
    for (const inWorker of [true, false]) {
      await page.evaluate(
        `Quorlite.startNode({ inWorker: ${inWorker}, log: 'warn' })
          .then((node) => { globalThis.node = node; })`,
      );
      await page.evaluate("node.client.execute('CREATE TABLE t (x)')");
      expect(await page.evaluate('node.runsHere')).toBe(true);
      await page.evaluate('node.shutdown()');
    }
  }, 60_000);

  test('says what is wrong', async () => {
    await newProfile();
    const page = await openTab();
    const failure = (config: string): Promise<unknown> =>
      page.evaluate(`Q.startNode(${config}).then(() => '', (error) => error.code)`);
    expect(await failure('{ storag: 1 }')).toBe('CONFIG_INVALID');
    expect(await failure("{ storage: Q.opfs('a/b') }")).toBe('CONFIG_INVALID');
    expect(await failure("{ storage: Q.opfs('a'), inWorker: false }")).toBe('NOT_SUPPORTED');
    expect(await failure("{ storage: Q.memory('a'), wasm: '/nowhere/' }")).not.toBe('');
  }, 60_000);
});
