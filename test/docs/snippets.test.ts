/**
 * What the documents show works: blocks marked with `<!-- run -->` are run as they stand, in a folder where the package
 * is installed and beside a running cluster, whose addresses take the place of 127.0.0.1:4001 to 4003. All other code
 * must at least be code, and import what there is.
 */
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { transform } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as entry from '../../src/index.ts';
import { ProcessCluster } from '../kit/process-cluster.ts';
import { COMMAND } from '../support/cli.ts';
import { listFiles, ROOT } from '../tidy/source.ts';
import { type Block, commentExamples, documents, fencedBlocks } from './blocks.ts';

const FIRST_PORT = 4001;
const SCRIPTS = ['ts', 'js'];
const SHELLS = ['sh', 'bash'];

const blocks = documents().flatMap(fencedBlocks);
const runnable = blocks.filter((block) => block.run);
const scripts = blocks.filter(({ language }) => SCRIPTS.includes(language));
const examples = listFiles(['src', 'wasm']).flatMap(commentExamples);

function nameOf({ file, line, language }: Block): string {
  return `${file}:${line} (${language})`;
}

describe('blocks that are run', () => {
  let cluster: ProcessCluster;
  let folder = '';

  beforeAll(async () => {
    cluster = await ProcessCluster.create(3);
    folder = mkdtempSync(join(tmpdir(), 'quorlite-docs-'));
    const bin = join(folder, 'node_modules', '.bin');
    mkdirSync(bin, { recursive: true });
    symlinkSync(ROOT, join(folder, 'node_modules', 'quorlite'));
    writeFileSync(join(folder, 'package.json'), '{"private": true, "type": "module"}');
    const command = join(bin, 'quorlite');
    writeFileSync(command, `#!/bin/sh\nexec "${process.execPath}" "${COMMAND}" "$@"\n`);
    chmodSync(command, 0o755);
    await cluster.start();
  }, 60_000);
  afterAll(async () => {
    await cluster?.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The cluster's own addresses in place of those that the documents use. */
  function addressed(code: string): string {
    return cluster.urls.reduce(
      (text, url, i) => text.replaceAll(`127.0.0.1:${FIRST_PORT + i}`, new URL(url).host),
      code,
    );
  }

  async function program(block: Block): Promise<readonly [string, readonly string[]]> {
    const code = addressed(block.code);
    if (SHELLS.includes(block.language)) return ['sh', ['-e', '-c', code]];
    const loader = block.language as 'ts' | 'js';
    const file = join(folder, `block-${block.line}.mjs`);
    writeFileSync(file, (await transform(code, { loader, format: 'esm' })).code);
    return [process.execPath, [file]];
  }

  test.each(runnable.map((block) => [nameOf(block), block] as const))(
    '%s',
    async (_name, block) => {
      const [command, args] = await program(block);
      const path = [join(folder, 'node_modules', '.bin'), process.env['PATH']].join(delimiter);
      const env = { ...process.env, PATH: path, NO_COLOR: '1' };
      const failed = await new Promise<string | null>((resolve) => {
        execFile(command, args, { cwd: folder, env, timeout: 25_000 }, (error, stdout, stderr) => {
          resolve(error === null ? null : `${error.message}\n${stdout}${stderr}`);
        });
      });
      expect(failed).toBe(null);
    },
  );

  test('the README has some to run', () => {
    const languages = runnable.filter(({ file }) => file === 'README.md');
    expect(languages.some(({ language }) => SCRIPTS.includes(language))).toBe(true);
  });
});

/** Parses as TypeScript with `await` at the top; null, or what is wrong. */
async function defect(code: string): Promise<string | null> {
  // What a document leaves out stands for any expression or statement.
  const whole = code.replaceAll('…', '_');
  try {
    await transform(whole, { loader: 'ts', format: 'esm', logLevel: 'silent' });
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

describe('other code', () => {
  test('of documents is code', async () => {
    const wrong = [];
    for (const block of scripts) {
      const problem = await defect(block.code);
      if (problem !== null) wrong.push(`${nameOf(block)}: ${problem}`);
    }
    expect(wrong).toEqual([]);
    expect(scripts.length).toBeGreaterThan(0);
  });

  test('of documents imports what the package has', () => {
    const wrong = scripts.flatMap((block) => {
      const imports = [...block.code.matchAll(/import \{([^}]*)\} from 'quorlite'/g)];
      const names = imports.flatMap(([, list]) => list!.split(','));
      return names
        .map((name) => name.trim().split(' ')[0]!)
        .filter((name) => name !== '' && name !== 'type' && !Object.hasOwn(entry, name))
        .map((name) => `${nameOf(block)}: ${name}`);
    });
    expect(wrong).toEqual([]);
  });

  test('of doc comments is code', async () => {
    const wrong = [];
    for (const example of examples) {
      const problem = await defect(example.code);
      if (problem !== null) wrong.push(`${nameOf(example)}: ${problem}`);
    }
    expect(wrong).toEqual([]);
    expect(examples.length).toBeGreaterThan(20);
  });
});
