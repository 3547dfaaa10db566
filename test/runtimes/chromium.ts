/** A real Chromium and a static file server for what is tested in browsers. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from '../tidy/source.ts';

const FOLDER = join(ROOT, 'test', 'runtimes');

/** Why browsers cannot be tested here; null when they can. */
export const NO_CHROMIUM: string | null = existsSync(
  join(FOLDER, 'node_modules', '@sparticuz', 'chromium'),
)
  ? null
  : 'the runtimes under test are not installed: npm ci in test/runtimes';

/** As much of playwright's page as is used here. */
export interface BrowserPage {
  goto(url: string): Promise<unknown>;
  reload(): Promise<unknown>;
  close(): Promise<void>;
  evaluate<R>(script: string): Promise<R>;
  waitForFunction(
    script: string,
    argument?: unknown,
    options?: { timeout: number },
  ): Promise<unknown>;
  on(event: string, listener: (value: { text(): string }) => void): void;
}

/** Pages that share their storage. */
export interface BrowserProfile {
  newPage(): Promise<BrowserPage>;
  close(): Promise<void>;
}

/** A running browser. */
export interface RunningBrowser {
  newContext(): Promise<BrowserProfile>;
  close(): Promise<void>;
}

interface Playwright {
  readonly chromium: {
    launch(options: { executablePath: string; args: string[] }): Promise<RunningBrowser>;
  };
}

/** Starts the browser that the test runtimes bring, with none of its own flags. */
export async function launchChromium(): Promise<RunningBrowser> {
  const require = createRequire(join(FOLDER, 'package.json'));
  const load = (name: string): Promise<unknown> =>
    import(/* @vite-ignore */ pathToFileURL(require.resolve(name)).href);
  const { default: binary } = (await load('@sparticuz/chromium')) as {
    readonly default: { executablePath(): Promise<string> };
  };
  const { chromium } = (await load('playwright-core')) as Playwright;
  return chromium.launch({
    executablePath: await binary.executablePath(),
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
}

const TYPES: { readonly [extension: string]: string } = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.wasm': 'application/wasm',
};

/** Serves the files of `folder`, and an empty page for everything else. */
export async function serveFiles(folder: string): Promise<{ url: string; close(): void }> {
  const server: Server = createServer((request, response) => {
    const path = join(folder, normalize(new URL(request.url ?? '/', 'http://x').pathname));
    const found = path.startsWith(folder) && statSync(path, { throwIfNoEntry: false })?.isFile();
    response.setHeader(
      'content-type',
      found ? (TYPES[extname(path)] ?? 'text/plain') : 'text/html',
    );
    response.end(found ? readFileSync(path) : '<!doctype html><title>test</title>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() };
}
