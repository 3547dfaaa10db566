/** The logger contract: an event name in plain words, and fields. Secrets are never passed to it. */

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Values that a log line may carry. */
export type LogFields = { readonly [name: string]: string | number | boolean | null | undefined };

/** Where a node tells what happens. */
export interface Logger {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];

/**
 * A logger that gives each line to `write`, as JSON or for people.
 *
 * @example
 * const logger = createLogger({ level: 'info', format: 'json', wallMs: () => 0, write: (line) => lines.push(line) });
 */
export function createLogger(options: {
  readonly level: LogLevel;
  readonly format: 'json' | 'pretty';
  wallMs(): number;
  write(line: string): void;
  readonly fields?: LogFields;
}): Logger {
  const threshold = LEVELS.indexOf(options.level);
  function log(level: LogLevel, event: string, fields: LogFields = {}): void {
    if (LEVELS.indexOf(level) < threshold) return;
    const time = new Date(options.wallMs()).toISOString();
    const all = { ...options.fields, ...fields };
    if (options.format === 'json') {
      options.write(JSON.stringify({ time, level, event, ...all }));
      return;
    }
    const words = Object.entries(all)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}=${typeof value === 'string' ? quote(value) : value}`);
    options.write(`${time.slice(11, 23)} ${level.padEnd(5)} ${event} ${words.join(' ')}`.trimEnd());
  }
  return {
    debug: (event, fields) => log('debug', event, fields),
    info: (event, fields) => log('info', event, fields),
    warn: (event, fields) => log('warn', event, fields),
    error: (event, fields) => log('error', event, fields),
  };
}

function quote(value: string): string {
  return /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value);
}

/** Tells nobody. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
};
