import { describe, expect, test } from 'vitest';
import type { FlagSpecs } from './command.ts';
import { parseFlags } from './parse-flags.ts';

const SPECS: FlagSpecs = {
  id: { type: 'integer', help: '' },
  'data-dir': { type: 'text', short: 'd', help: '' },
  json: { type: 'boolean', short: 'j', help: '' },
  format: { type: 'text', choices: ['table', 'csv'], help: '' },
};

describe('parseFlags', () => {
  test('all ways to write a flag', () => {
    const { flags, words } = parseFlags(
      ['a', '--id', '3', '--data-dir=x=y', '--no-json', '-', '--', '--id'],
      SPECS,
    );
    expect(words).toEqual(['a', '-', '--id']);
    expect(flags.integer('id')).toBe(3);
    expect(flags.text('data-dir')).toBe('x=y');
    expect(flags.on('json')).toBe(false);
    expect(flags.text('json')).toBe('false');
    expect(flags.text('format')).toBeUndefined();
    const short = parseFlags(['-j', '-dx', '--format', 'csv'], SPECS).flags;
    expect([short.on('json'), short.text('data-dir'), short.text('format')]).toEqual([
      true,
      'x',
      'csv',
    ]);
    expect(parseFlags(['--json=false'], SPECS).flags.on('json')).toBe(false);
    expect(parseFlags(['-d', '-5'], SPECS).flags.text('data-dir')).toBe('-5');
  });

  test.each([
    [['--ids', '3'], '--ids; did you mean --id?'],
    [['--id', 'x'], 'whole number'],
    [['--id', '-1'], 'whole number'],
    [['--id'], 'needs a value'],
    [['--data-dir', '--json'], 'needs a value'],
    [['--json=maybe'], 'takes no value'],
    [['--no-id'], 'unknown flag --no-id'],
    [['-x'], 'unknown flag -x'],
    [['--format', 'tabel'], 'did you mean table?'],
    [['--__proto__', 'x'], 'unknown flag'],
  ])('%j is refused', (args, message) => {
    expect(() => parseFlags(args, SPECS)).toThrow(message);
  });
});
