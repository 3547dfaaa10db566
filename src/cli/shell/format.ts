/** Result rows as text. */
import type { Column } from '../../wire/result.ts';
import type { SqlValue } from '../../wire/value.ts';
import { renderTable } from '../table.ts';

/** How rows are shown. */
export type RowFormat = 'table' | 'json' | 'csv' | 'line';

/** All formats. */
export const ROW_FORMATS: readonly RowFormat[] = ['table', 'json', 'csv', 'line'];

/** Columns and rows of one result. */
export interface ResultRows {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly SqlValue[])[];
}

/** Text styles that a table may use. */
export interface RowPainter {
  heading(text: string): string;
  nothing(text: string): string;
}

/** Bytes of a blob shown in a table. */
const TABLE_BLOB_BYTES = 32;

const PLAIN: RowPainter = { heading: (text) => text, nothing: (text) => text };

/** The result as lines, without their ends. */
export function formatRows(
  format: RowFormat,
  result: ResultRows,
  painter: RowPainter = PLAIN,
): string[] {
  switch (format) {
    case 'json':
      return [JSON.stringify(objects(result))];
    case 'csv':
      return [
        result.columns.map((column) => csvField(column.name)).join(','),
        ...result.rows.map((row) => row.map((value) => csvField(csvText(value))).join(',')),
      ];
    case 'line':
      return lines(result);
    case 'table':
      return table(result, painter);
  }
}

/** A value as the HTTP API writes it: `{"$int"}` and `{"$blob"}` for what JSON has no word for. */
export function jsonValue(value: SqlValue): unknown {
  if (typeof value === 'bigint') return { $int: String(value) };
  if (value instanceof Uint8Array) return { $blob: Buffer.from(value).toString('base64') };
  if (typeof value === 'number' && !Number.isFinite(value)) return { $real: String(value) };
  return value;
}

/** A value for a person: one line, no control characters. */
export function displayValue(value: SqlValue): string {
  if (value === null) return 'NULL';
  if (value instanceof Uint8Array) {
    const hex = Buffer.from(value.subarray(0, TABLE_BLOB_BYTES)).toString('hex');
    const more = value.length > TABLE_BLOB_BYTES ? `… (${value.length} bytes)` : '';
    return `x'${hex}'${more}`;
  }
  return visible(String(value));
}

/** Control characters would move the cursor or change colours: they are shown, not sent. */
function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not get through
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (char) => {
    if (char === '\n') return '↵';
    if (char === '\t') return ' ';
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

function objects({ columns, rows }: ResultRows): unknown[] {
  return rows.map((row) =>
    Object.fromEntries(columns.map((column, i) => [column.name, jsonValue(row[i]!)])),
  );
}

function csvText(value: SqlValue): string {
  if (value === null) return '';
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return String(value);
}

/** RFC 4180. */
function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function lines({ columns, rows }: ResultRows): string[] {
  const width = Math.max(0, ...columns.map((column) => column.name.length));
  return rows.flatMap((row, i) => [
    ...(i === 0 ? [] : ['']),
    ...columns.map((column, c) => `${column.name.padStart(width)} = ${displayValue(row[c]!)}`),
  ]);
}

function table({ columns, rows }: ResultRows, painter: RowPainter): string[] {
  if (columns.length === 0) return [];
  const numeric = columns.map(
    (_, c) =>
      rows.length > 0 &&
      rows.every((row) => ['number', 'bigint'].includes(typeof row[c]) || row[c] === null),
  );
  return renderTable(
    columns.map((column, c) => ({ title: column.name, align: numeric[c] ? 'right' : 'left' })),
    rows.map((row) =>
      row.map((value) =>
        value === null ? painter.nothing(displayValue(value)) : displayValue(value),
      ),
    ),
    painter.heading,
  );
}
