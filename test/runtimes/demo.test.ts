/** The demo as a visitor uses it, in a real browser. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = join(HERE, '..', '..');
const installed = existsSync(join(HERE, 'node_modules', 'playwright-core'));
const WAIT_MS = 60_000;

/** As much of Playwright as is used here; its own types are not installed with the package. */
interface Locator {
  click(): Promise<void>;
  fill(text: string): Promise<void>;
  selectOption(value: string): Promise<unknown>;
  textContent(): Promise<string | null>;
  inputValue(): Promise<string>;
  count(): Promise<number>;
  waitFor(): Promise<void>;
  first(): Locator;
  getAttribute(name: string): Promise<string | null>;
}
interface Page {
  goto(url: string): Promise<unknown>;
  reload(): Promise<unknown>;
  locator(selector: string): Locator;
  evaluate<T>(script: string): Promise<T>;
  waitForFunction(script: string, argument?: unknown): Promise<unknown>;
  on(event: 'pageerror', listener: (error: Error) => void): void;
  close(): Promise<void>;
  readonly keyboard: { press(key: string): Promise<void> };
}
interface Browser {
  newPage(options: object): Promise<Page>;
  close(): Promise<void>;
}

describe.skipIf(!installed)('the demo (needs the packages of test/runtimes)', () => {
  let server: ChildProcess;
  let browser: Browser;
  let url = '';

  beforeAll(async () => {
    [server, url] = await serve();
    browser = await launch();
  }, WAIT_MS);

  afterAll(async () => {
    await browser?.close();
    server?.kill();
  });

  // Playwright's `waitForFunction` evaluates text, which the page's own policy forbids.
  async function open(options: object = {}, hash = ''): Promise<Page> {
    const page = await browser.newPage({
      bypassCSP: true,
      viewport: { width: 1440, height: 900 },
      ...options,
    });
    page.on('pageerror', (error) => {
      throw error;
    });
    await page.goto(url + hash);
    await page.locator('.node.leader').waitFor();
    return page;
  }

  test(
    'a leader is elected, a row is written, the leader dies, the row survives',
    async () => {
      const page = await open();
      await runSql(page, "INSERT INTO notes (text) VALUES ('a visitor')");
      const leader = await leaderName(page);
      await page.locator('.node.leader').click();
      await page.locator('.node-menu >> text="Kill"').click();
      await page.waitForFunction(
        `[...document.querySelectorAll('.node.leader.running .node-name')].some((e) => e.textContent !== '${leader}')`,
      );
      expect(await leaderName(page)).not.toBe(leader);
      const answer = await runSql(page, 'SELECT text FROM notes', await leaderName(page));
      expect(answer).toContain('a visitor');
      await page.close();
    },
    WAIT_MS,
  );

  test(
    'the smaller side of a split refuses, and what was recorded can be looked at again',
    async () => {
      const page = await open();
      const leader = await leaderName(page);
      await page.locator('.node.leader').click();
      await page.locator('text="Cut off"').click();
      await page.locator('.event >> text=the network splits').first().waitFor();
      const answer = await runSql(page, 'SELECT count(*) FROM notes', leader);
      expect(answer).toMatch(/NO_QUORUM|LEADER_CHANGED|TIMEOUT|NOT_LEADER/);
      await page.locator('text="Heal the network"').count();
      const range = page.locator('.timeline-range');
      await range.fill('900');
      expect(await page.locator('.timeline-time').textContent()).toBe('0.90 s');
      expect(await page.locator('.timeline >> text="Back to now"').count()).toBe(1);
      const broken = await page.locator('.checks .broken').count();
      expect(broken).toBe(0);
      await page.close();
    },
    WAIT_MS,
  );

  test(
    'who acts in the past goes on from there, and a link shows the same run',
    async () => {
      const page = await open();
      await runSql(page, "INSERT INTO notes (text) VALUES ('first')");
      await page.locator('.timeline-range').fill('900');
      await page.locator('text="Kill the leader"').click();
      await page.locator('.notice >> text=The run goes on from').waitFor();
      await page.locator('.event >> text=was killed').first().waitFor();
      expect(await page.locator('.event >> text=INSERT').count()).toBe(0);
      await page.locator('[aria-label="Pause"]').first().click();
      await page.locator('text="Link"').first().click();
      await page.waitForFunction("location.hash.startsWith('#run=')");
      const shown = await picture(page);
      const hash = await page.evaluate<string>('location.hash');
      await page.close();
      const again = await browser.newPage({
        bypassCSP: true,
        viewport: { width: 1440, height: 900 },
      });
      await again.goto(url + hash);
      await again.waitForFunction('document.querySelectorAll(".event").length > 0');
      expect(await picture(again)).toBe(shown);
      await again.close();
    },
    WAIT_MS,
  );

  test.each(['dark', 'light'])(
    'axe finds nothing, %s',
    async (colorScheme) => {
      const page = await open({ colorScheme, bypassCSP: false });
      await page.keyboard.press('2');
      await page.locator('text="Tour"').first().click();
      const source = createRequire(join(HERE, 'package.json')).resolve('axe-core/axe.min.js');
      // The page's own policy forbids strange scripts; evaluating is not one.
      await page.evaluate(readFileSync(source, 'utf8'));
      const found = await page.evaluate<{ id: string; nodes: { html: string }[] }[]>(
        'axe.run().then((result) => result.violations)',
      );
      expect(found.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
      await page.close();
    },
    WAIT_MS,
  );
});

async function serve(): Promise<[ChildProcess, string]> {
  const child = spawn(process.execPath, [join(ROOT, 'browser-demo', 'build.mjs'), '--serve', '0'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (part) => {
      text += part;
      const found = /http:\/\/\S+/.exec(text);
      if (found) resolve([child, found[0]]);
    });
    child.on('exit', (code) => reject(new Error(`the server ended with ${code}: ${text}`)));
  });
}

async function launch(): Promise<Browser> {
  const require = createRequire(join(HERE, 'package.json'));
  const { chromium } = require('playwright-core') as {
    chromium: { launch(options: object): Promise<Browser> };
  };
  const module = (await import(require.resolve('@sparticuz/chromium'))) as {
    default: { executablePath(): Promise<string> };
  };
  const executablePath = await module.default.executablePath();
  return chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
}

async function leaderName(page: Page): Promise<string> {
  return (await page.locator('.node.leader.running .node-name').first().textContent()) ?? '';
}

/** Runs a statement and waits for its answer. */
async function runSql(page: Page, sql: string, node?: string): Promise<string> {
  if (node !== undefined) await page.locator('.sql select').first().selectOption(node.slice(1));
  const before = await page.locator('.event.sql').count();
  await page.locator('#sql-text').fill(sql);
  await page.locator('.sql >> text="Run"').click();
  await page.waitForFunction(`document.querySelectorAll('.event.sql').length > ${before}`);
  return (await page.locator('.answer').textContent()) ?? '';
}

/** Everything that the page says of the moment shown. */
function picture(page: Page): Promise<string> {
  return page.evaluate(
    `[...document.querySelectorAll('.node')].map((e) => e.getAttribute('aria-label')).join('; ') +
     document.querySelector('.timeline-time').textContent`,
  );
}
