/** Help texts. */
import { COMMON_FLAGS, type Command, type FlagSpec, type FlagSpecs } from './command.ts';
import type { Output } from './output.ts';
import { shapeOf } from './parse-flags.ts';
import { pad } from './table.ts';

/** Prints the help of a command; `path` is how it was reached, such as `quorlite cluster`. */
export function printHelp(command: Command, path: string, output: Output): void {
  const heading = (text: string): void => output.line(`\n${output.paint('strong', text)}`);
  output.line(`${output.paint('strong', path)}: ${command.summary}`);
  heading('Usage');
  output.line(`  ${usageLine(command, path)}`);
  if (command.details !== undefined) {
    output.line();
    for (const line of wrap(command.details, Math.min(output.columns || 100, 100))) {
      output.line(line);
    }
  }
  if (command.commands !== undefined) {
    heading('Commands');
    const width = Math.max(...command.commands.map((entry) => entry.name.length));
    for (const entry of command.commands) {
      output.line(`  ${output.paint('accent', pad(entry.name, width))}  ${entry.summary}`);
    }
  }
  heading('Flags');
  printFlags({ ...command.flags, ...COMMON_FLAGS }, output);
  if (command.examples !== undefined) {
    heading('Examples');
    for (const example of command.examples) output.line(`  ${example}`);
  }
}

/** `quorlite sql [flags] [URL…]`. */
export function usageLine(command: Command, path: string): string {
  const parts = [path];
  if (command.commands !== undefined) parts.push('COMMAND');
  parts.push('[flags]');
  if (command.words !== undefined) parts.push(command.words);
  return parts.join(' ');
}

/** Lines of at most `width` columns; an empty line separates paragraphs. */
export function wrap(text: string, width: number): string[] {
  return text
    .trim()
    .split(/\n\s*\n/)
    .flatMap((paragraph, i) => {
      const lines: string[] = i === 0 ? [] : [''];
      let line = '';
      for (const word of paragraph.split(/\s+/)) {
        if (line !== '' && line.length + 1 + word.length > width) {
          lines.push(line);
          line = '';
        }
        line = line === '' ? word : `${line} ${word}`;
      }
      return [...lines, line];
    });
}

function printFlags(specs: FlagSpecs, output: Output): void {
  const shown = Object.entries(specs).filter(([, spec]) => spec.hidden !== true);
  const titles = shown.map(([name, spec]) => flagTitle(name, spec));
  const width = Math.min(38, Math.max(...titles.map((title) => title.length)));
  for (const [i, [, spec]] of shown.entries()) {
    const fallback = spec.fallback === undefined ? '' : ` (default ${spec.fallback})`;
    const title = titles[i]!;
    const text = `${spec.help}${fallback}`;
    if (title.length > width) {
      output.line(`  ${output.paint('accent', title)}`);
      output.line(`  ${' '.repeat(width)}  ${text}`);
    } else {
      output.line(`  ${output.paint('accent', pad(title, width))}  ${text}`);
    }
  }
}

function flagTitle(name: string, spec: FlagSpec): string {
  const short = spec.short === undefined ? '    ' : `-${spec.short}, `;
  const value = spec.type === 'boolean' ? '' : ` ${shapeOf(spec)}`;
  return `${short}--${name}${value}`;
}
