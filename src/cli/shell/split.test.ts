import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { splitStatements } from './split.ts';

describe('splitStatements', () => {
  const cases: readonly (readonly [string, readonly string[], string])[] = [
    ['SELECT 1', [], 'SELECT 1'],
    ['SELECT 1; SELECT 2;', ['SELECT 1;', 'SELECT 2;'], ''],
    ["SELECT ';'; x", ["SELECT ';';"], 'x'],
    ['SELECT "a;b", `c;d`, [e;f];', ['SELECT "a;b", `c;d`, [e;f];'], ''],
    ["SELECT 'it''s;';", ["SELECT 'it''s;';"], ''],
    ["SELECT 'open; ", [], "SELECT 'open;"],
    ['-- no; statement\nSELECT 1;', ['-- no; statement\nSELECT 1;'], ''],
    ['SELECT 1 /* ; */ ;', ['SELECT 1 /* ; */ ;'], ''],
    ['/* open ;', [], '/* open ;'],
    ['/* closed; */', [], ''],
    ['-- only a comment', [], ''],
    [' ; ;; ', [], ''],
    [
      'CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE b SET c = 1; DELETE FROM d; END; SELECT 1;',
      [
        'CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE b SET c = 1; DELETE FROM d; END;',
        'SELECT 1;',
      ],
      '',
    ],
    [
      'create temp trigger t before delete on a begin select 1;',
      [],
      'create temp trigger t before delete on a begin select 1;',
    ],
    ['EXPLAIN CREATE TRIGGER x BEGIN y; END;', ['EXPLAIN CREATE TRIGGER x BEGIN y; END;'], ''],
    ['CREATE TABLE trigger_log (end);', ['CREATE TABLE trigger_log (end);'], ''],
    ['BEGIN; COMMIT;', ['BEGIN;', 'COMMIT;'], ''],
    ['SELECT 4/2; SELECT 1-1;', ['SELECT 4/2;', 'SELECT 1-1;'], ''],
  ];
  test.each(cases)('%s', (text, statements, rest) => {
    expect(splitStatements(text)).toEqual({ statements, rest });
  });

  test('line by line gives what the whole text gives', () => {
    const piece = fc.constantFrom(
      'SELECT 1',
      ';',
      '\n',
      "'a;b'",
      '/* c; */',
      '-- d;\n',
      'CREATE TRIGGER t AFTER INSERT ON a BEGIN',
      ' x; ',
      'END',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        const text = pieces.join(' ');
        const whole = splitStatements(text);
        const statements: string[] = [];
        let rest = '';
        for (const line of text.split('\n')) {
          const split = splitStatements(rest === '' ? line : `${rest}\n${line}`);
          statements.push(...split.statements);
          rest = split.rest;
        }
        // Comments in front of a statement may be dropped with the line that they stand on.
        const bare = (list: readonly string[]): string[] =>
          list.map((sql) =>
            sql
              .replace(/\/\* c; \*\/|-- d;\n?/g, '')
              .replace(/\s+/g, ' ')
              .trim(),
          );
        expect(bare(statements)).toEqual(bare(whole.statements));
        expect(bare([rest])).toEqual(bare([whole.rest]));
      }),
    );
  });
});
