/**
 * Transcripts: a readable file of commands and of what they printed.
 *
 *     # Comments stay where they are.
 *     > propose 1 hello
 *     1>2 append t2 prev=1/1 [2/2] commit=1
 *
 * Lines that begin with `> ` are commands; the lines behind a command, up to the next command, comment or empty line,
 * are its output. Running a transcript gives the same file with fresh outputs.
 */

/** Runs every command of `text` and returns the transcript as it should read. */
export function replay(text: string, run: (command: string) => readonly string[]): string {
  const out: string[] = [];
  for (const line of text.trimEnd().split('\n')) {
    if (line.startsWith('> ')) {
      out.push(line, ...run(line.slice(2).trim()));
    } else if (line === '' || line.startsWith('#')) {
      if (line !== '' || out.at(-1) !== '') out.push(line);
    }
  }
  return out.join('\n') + '\n';
}
