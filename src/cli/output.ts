/** Where a command writes: results on stdout, everything else on stderr; colours only where they are wanted. */

/** Text styles by meaning. */
export type Tone = 'strong' | 'dim' | 'good' | 'warn' | 'bad' | 'accent';

/** The two streams of a command. */
export interface Output {
  /** Whether results are JSON. */
  readonly json: boolean;
  /** Whether stack traces are wanted. */
  readonly debug: boolean;
  /** Whether a person watches stdout. */
  readonly terminal: boolean;
  /** Columns of the terminal; 0 when unknown. */
  readonly columns: number;
  /** A result line. */
  line(text?: string): void;
  /** Result text without a line end; resolves when the stream takes more. */
  write(text: string): Promise<void>;
  /** A message line on stderr. */
  note(text: string): void;
  /** `value` as JSON when that is wanted, else what `human` prints. */
  result(value: unknown, human: () => void): void;
  /** `text` in a tone, when stdout shows colours. */
  paint(tone: Tone, text: string): string;
  /** `text` in a tone, when stderr shows colours. */
  paintNote(tone: Tone, text: string): string;
}

const CODES: { readonly [T in Tone]: string } = {
  strong: '1',
  dim: '2',
  good: '32',
  warn: '33',
  bad: '31',
  accent: '36',
};

/** The output of this process. `NO_COLOR` (any value) wins over `FORCE_COLOR`, that over what the stream is. */
export function processOutput(options: { json: boolean; debug: boolean }): Output {
  const { stdout, stderr, env } = process;
  const outColour = wantsColour(stdout.isTTY === true, env);
  const errColour = wantsColour(stderr.isTTY === true, env);
  return {
    json: options.json,
    debug: options.debug,
    terminal: stdout.isTTY === true,
    columns: stdout.columns ?? 0,
    line: (text = '') => void stdout.write(`${text}\n`),
    write: (text) =>
      new Promise((resolve) => {
        if (stdout.write(text)) resolve();
        else stdout.once('drain', resolve);
      }),
    note: (text) => void stderr.write(`${text}\n`),
    result: (value, human) => {
      if (options.json) stdout.write(`${JSON.stringify(value, null, 2)}\n`);
      else human();
    },
    paint: (tone, text) => paint(outColour, tone, text),
    paintNote: (tone, text) => paint(errColour, tone, text),
  };
}

function wantsColour(
  terminal: boolean,
  env: { readonly [name: string]: string | undefined },
): boolean {
  if (env['NO_COLOR'] !== undefined && env['NO_COLOR'] !== '') return false;
  if (env['FORCE_COLOR'] !== undefined && env['FORCE_COLOR'] !== '0') return true;
  return terminal && env['TERM'] !== 'dumb';
}

function paint(colour: boolean, tone: Tone, text: string): string {
  return colour ? `\u001b[${CODES[tone]}m${text}\u001b[0m` : text;
}
