/** What a command of the command line is made of. */
import type { Output } from './output.ts';

/** One flag. */
export interface FlagSpec {
  readonly type: 'text' | 'boolean' | 'integer';
  /** One letter. */
  readonly short?: string;
  /** How the value is written, for the help text. */
  readonly shape?: string;
  readonly help: string;
  /** What holds when it is not given, for the help text only. */
  readonly fallback?: string;
  /** Accepted values of a text flag. */
  readonly choices?: readonly string[];
  readonly hidden?: boolean;
}

/** Flags by name, without dashes. */
export type FlagSpecs = { readonly [name: string]: FlagSpec };

/** Flags that every command has. */
export const COMMON_FLAGS: FlagSpecs = {
  json: { type: 'boolean', help: 'print JSON, also errors' },
  debug: { type: 'boolean', help: 'print stack traces with errors' },
  help: { type: 'boolean', short: 'h', help: 'show this help' },
};

/** The flags that were given. */
export interface Flags {
  text(name: string): string | undefined;
  integer(name: string): number | undefined;
  on(name: string): boolean;
}

/** What a command gets. */
export interface Invocation {
  readonly flags: Flags;
  /** Words that are no flags. */
  readonly words: readonly string[];
  readonly output: Output;
  readonly env: { readonly [name: string]: string | undefined };
}

/** A command, or a group of them. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** How its words are written, such as `[URL…]`. */
  readonly words?: string;
  /** Most words that it takes; default 0. */
  readonly maxWords?: number;
  readonly flags?: FlagSpecs;
  /** Further paragraphs of the help text. */
  readonly details?: string;
  /** Lines that work as they stand. */
  readonly examples?: readonly string[];
  readonly commands?: readonly CommandEntry[];
  /** Resolves to the exit code; nothing means 0. */
  run?(invocation: Invocation): Promise<number | undefined>;
}

/** A command in a list; loaded when it is needed, so that help is instant. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  load(): Promise<Command>;
}

/** Exit codes, part of the public surface. */
export const ExitCode = {
  ok: 0,
  failed: 1,
  usage: 2,
  noQuorum: 3,
  unknown: 4,
} as const;
