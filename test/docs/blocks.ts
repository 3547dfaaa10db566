/** Takes code out of documents and out of doc comments. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { listFiles, ROOT } from '../tidy/source.ts';

/** One fenced block of code. */
export interface Block {
  /** Relative to the package. */
  readonly file: string;
  readonly line: number;
  /** What stands behind the opening fence: `ts`, `js`, `sh` … */
  readonly language: string;
  readonly code: string;
  /** Marked to be run, by `<!-- run -->` on the line before it. */
  readonly run: boolean;
}

/** The README and everything below `docs` that people read. */
export function documents(): string[] {
  const isDocument = (path: string): boolean => path.endsWith('.md');
  return ['README.md', ...listFiles(['docs'], isDocument)];
}

/** The fenced blocks of a document. */
export function fencedBlocks(file: string): Block[] {
  const lines = readFileSync(join(ROOT, file), 'utf8').split('\n');
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; at++) {
    const fence = /^(\s*)```(\w+)\s*$/.exec(lines[at]!);
    if (fence === null) continue;
    const [, indent, language] = fence;
    const end = lines.indexOf(`${indent}\`\`\``, at + 1);
    if (end < 0) throw new Error(`${file}:${at + 1}: the block does not end`);
    const code = lines.slice(at + 1, end).map((line) => line.slice(indent!.length));
    const run = lines[at - 1]?.trim() === '<!-- run -->';
    blocks.push({ file, line: at + 1, language: language!, code: code.join('\n'), run });
    at = end;
  }
  return blocks;
}

/** The code behind `@example` in the doc comments of a source file. */
export function commentExamples(file: string): Block[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  const blocks: Block[] = [];
  for (const comment of text.matchAll(/\/\*\*[\s\S]*?\*\//g)) {
    const lines = comment[0].split('\n').map((line) => line.replace(/^\s*(\/\*\*|\*\/|\*) ?/, ''));
    for (let at = 0; at < lines.length; at++) {
      if (!/^@example\b/.test(lines[at]!)) continue;
      const next = lines.findIndex((line, i) => i > at && /^@\w+/.test(line));
      const code = lines.slice(at + 1, next < 0 ? lines.length : next).join('\n');
      const line = text.slice(0, comment.index).split('\n').length + at;
      blocks.push({ file, line, language: 'ts', code, run: false });
    }
  }
  return blocks;
}
