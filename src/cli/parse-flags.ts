/** Reads the arguments of one command. Strict: an unknown flag is an error that names the nearest known one. */
import { didYouMean } from '../wire/nearest.ts';
import type { FlagSpec, FlagSpecs, Flags } from './command.ts';
import { UsageError } from './usage.ts';

/** Flags and words of a command line. */
export interface ParsedArguments {
  readonly flags: Flags;
  readonly words: readonly string[];
}

/**
 * Parses `--name value`, `--name=value`, `--flag`, `--no-flag`, `-n value`, `-nvalue`; `--` ends the flags. Throws
 * `UsageError`.
 */
export function parseFlags(args: readonly string[], specs: FlagSpecs): ParsedArguments {
  const values = new Map<string, string | boolean>();
  const words: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === '--') {
      words.push(...args.slice(i + 1));
      break;
    }
    if (!arg.startsWith('-') || arg === '-') {
      words.push(arg);
      continue;
    }
    const given = splitFlag(arg, specs);
    if (values.has(given.name)) throw new UsageError(`${given.written} is given twice`);
    if (given.spec.type === 'boolean') {
      values.set(given.name, readSwitch(given));
      continue;
    }
    const value = given.value ?? args[++i];
    // A following flag is no value: `--id --nodes …` misses one.
    if (value === undefined || (given.value === undefined && /^--?[a-z]/i.test(value))) {
      throw new UsageError(
        `${given.written} needs a value: ${given.written} ${shapeOf(given.spec)}`,
      );
    }
    values.set(given.name, checkValue(given.written, given.spec, value));
  }
  return { words, flags: accessors(values, specs) };
}

/** How the value of a flag is written. */
export function shapeOf(spec: FlagSpec): string {
  return spec.choices?.join('|') ?? spec.shape ?? (spec.type === 'integer' ? 'N' : 'TEXT');
}

interface GivenFlag {
  readonly name: string;
  readonly spec: FlagSpec;
  /** As it was typed, without its value. */
  readonly written: string;
  readonly value: string | undefined;
  readonly negated: boolean;
}

function splitFlag(arg: string, specs: FlagSpecs): GivenFlag {
  if (!arg.startsWith('--')) {
    const written = arg.slice(0, 2);
    const found = Object.entries(specs).find(([, spec]) => spec.short === arg[1]);
    if (found === undefined) throw new UsageError(`unknown flag ${written}`);
    const value = arg.length > 2 ? arg.slice(2) : undefined;
    return { name: found[0], spec: found[1], written, value, negated: false };
  }
  const cut = arg.indexOf('=');
  const written = cut < 0 ? arg : arg.slice(0, cut);
  const value = cut < 0 ? undefined : arg.slice(cut + 1);
  const name = written.slice(2);
  const spec = Object.hasOwn(specs, name) ? specs[name] : undefined;
  if (spec !== undefined) return { name, spec, written, value, negated: false };
  const positive = name.startsWith('no-') ? specs[name.slice(3)] : undefined;
  if (positive?.type === 'boolean') {
    return { name: name.slice(3), spec: positive, written, value, negated: true };
  }
  const known = Object.keys(specs).filter((key) => specs[key]!.hidden !== true);
  const near = didYouMean(
    written,
    known.map((key) => `--${key}`),
  );
  throw new UsageError(`unknown flag ${written}${near}`);
}

function readSwitch(given: GivenFlag): boolean {
  if (given.value === undefined) return !given.negated;
  if (given.value === 'true' || given.value === 'false') {
    return (given.value === 'true') !== given.negated;
  }
  throw new UsageError(`${given.written} is a switch: it takes no value`);
}

function checkValue(written: string, spec: FlagSpec, value: string): string {
  if (spec.type === 'integer' && !/^\d{1,15}$/.test(value)) {
    throw new UsageError(`${written} must be a whole number, not "${value}"`);
  }
  if (spec.choices !== undefined && !spec.choices.includes(value)) {
    const near = didYouMean(value, spec.choices);
    throw new UsageError(
      `${written} must be one of ${spec.choices.join(', ')}, not "${value}"${near}`,
    );
  }
  return value;
}

function accessors(values: ReadonlyMap<string, string | boolean>, specs: FlagSpecs): Flags {
  function value(name: string): string | boolean | undefined {
    if (!Object.hasOwn(specs, name)) throw new Error(`flag ${name} is not declared`);
    return values.get(name);
  }
  return {
    text: (name) => {
      const found = value(name);
      return found === undefined ? undefined : String(found);
    },
    integer: (name) => {
      const found = value(name);
      return found === undefined ? undefined : Number(found);
    },
    on: (name) => value(name) === true,
  };
}
