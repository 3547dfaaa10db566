/** Tables for a terminal. */

/** One column: its heading and on which side its cells stand. */
export interface TableColumn {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/** Lines of a table with a rule under its headings. */
export function renderTable(
  columns: readonly TableColumn[],
  rows: readonly (readonly string[])[],
  emphasis: (text: string) => string = (text) => text,
): string[] {
  const widths = columns.map((column, i) =>
    rows.reduce(
      (width, row) => Math.max(width, displayWidth(row[i] ?? '')),
      displayWidth(column.title),
    ),
  );
  function line(cells: readonly string[]): string {
    return columns
      .map((column, i) => pad(cells[i] ?? '', widths[i]!, column.align ?? 'left'))
      .join('  ')
      .trimEnd();
  }
  return [
    emphasis(line(columns.map((column) => column.title))),
    widths.map((width) => '─'.repeat(width)).join('  '),
    ...rows.map(line),
  ];
}

/** Fills `text` with spaces to `width` columns of a terminal. */
export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const space = ' '.repeat(Math.max(0, width - displayWidth(text)));
  return align === 'right' ? space + text : text + space;
}

/** Columns that `text` takes on a terminal: colours none, combining marks none, wide characters two. */
export function displayWidth(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colour sequences begin with one
  const bare = text.replace(/\u001b\[[0-9;]*m/g, '');
  let width = 0;
  for (const char of bare) width += charWidth(char);
  return width;
}

function charWidth(char: string): number {
  const code = char.codePointAt(0)!;
  if (code < 0x300) return 1;
  if (/\p{Mark}|\u200d|\ufe0f/u.test(char)) return 0;
  return /\p{Emoji_Presentation}/u.test(char) || isWide(code) ? 2 : 1;
}

/** East Asian wide and full-width ranges. */
function isWide(code: number): boolean {
  return (
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0xffe0 && code <= 0xffe6) ||
    (code >= 0x20000 && code <= 0x3fffd)
  );
}
