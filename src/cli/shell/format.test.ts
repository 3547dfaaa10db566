import { describe, expect, test } from 'vitest';
import type { SqlValue } from '../../wire/value.ts';
import { displayWidth } from '../table.ts';
import { displayValue, formatRows, type RowFormat } from './format.ts';
import { pointAt } from './report.ts';

const columns = ['id', 'name', 'data'].map((name) => ({ name, decltype: null }));
const rows: SqlValue[][] = [
  [1, 'ada', null],
  [9007199254740993n, 'a "quoted", line\nbreak', new Uint8Array([0, 255])],
];

function format(kind: RowFormat): string {
  return formatRows(kind, { columns, rows }).join('\n');
}

describe('formats', () => {
  test('table: numbers to the right, control characters visible', () => {
    expect(formatRows('table', { columns, rows })).toEqual([
      '              id  name                    data',
      '────────────────  ──────────────────────  ───────',
      '               1  ada                     NULL',
      `9007199254740993  a "quoted", line↵break  x'00ff'`,
    ]);
  });

  test('json: what JSON has no word for is tagged as in the HTTP API', () => {
    expect(JSON.parse(format('json'))).toEqual([
      { id: 1, name: 'ada', data: null },
      {
        id: { $int: '9007199254740993' },
        name: 'a "quoted", line\nbreak',
        data: { $blob: 'AP8=' },
      },
    ]);
  });

  test('csv: RFC 4180', () => {
    expect(format('csv')).toBe(
      'id,name,data\n1,ada,\n9007199254740993,"a ""quoted"", line\nbreak",00ff',
    );
  });

  test('line', () => {
    expect(formatRows('line', { columns, rows: [rows[0]!, rows[0]!] }).join('\n')).toBe(
      '  id = 1\nname = ada\ndata = NULL\n\n  id = 1\nname = ada\ndata = NULL',
    );
  });

  test('nothing: a heading still says which columns there are', () => {
    expect(formatRows('table', { columns, rows: [] })[0]).toBe('id  name  data');
    expect(formatRows('json', { columns, rows: [] })).toEqual(['[]']);
    expect(formatRows('line', { columns, rows: [] })).toEqual([]);
  });
});

test('a value cannot move the cursor', () => {
  expect(displayValue('\u001b[31mred\u0007')).toBe('\\u001b[31mred\\u0007');
  expect(displayValue(new Uint8Array(100))).toMatch(/^x'(00){32}'… \(100 bytes\)$/);
});

test('widths on a terminal', () => {
  expect(displayWidth('abc')).toBe(3);
  expect(displayWidth('\u001b[1mabc\u001b[0m')).toBe(3);
  expect(displayWidth('日本')).toBe(4);
  expect(displayWidth('e\u0301')).toBe(1);
  expect(displayWidth('🦀')).toBe(2);
});

test('the place of an error', () => {
  expect(pointAt('SELECT *\nFORM t', 9)).toEqual(['FORM t', '^']);
  expect(pointAt('SELECT x', 7)).toEqual(['SELECT x', '       ^']);
  expect(pointAt('SELECT x', undefined)).toEqual([]);
});
