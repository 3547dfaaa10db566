/** Completion in the shell: commands, keywords, tables, columns. */
import { DOT_COMMAND_NAMES } from './dot-commands.ts';
import { ROW_FORMATS } from './format.ts';
import type { Shell } from './runner.ts';

const KEYWORDS = [
  ...'ALTER ANALYZE AND AS ASC BEGIN BETWEEN BY CASE CAST CHECK COLLATE COLUMN CONFLICT CONSTRAINT'.split(
    ' ',
  ),
  ...'CREATE CROSS DEFAULT DELETE DESC DISTINCT DO DROP ELSE END ESCAPE EXCEPT EXISTS EXPLAIN'.split(
    ' ',
  ),
  ...'FILTER FOREIGN FROM FULL GENERATED GLOB GROUP HAVING IF IN INDEX INNER INSERT INTERSECT'.split(
    ' ',
  ),
  ...'INTO IS JOIN KEY LEFT LIKE LIMIT NOT NOTHING NULL OFFSET ON OR ORDER OUTER OVER PARTITION'.split(
    ' ',
  ),
  ...'PLAN PRAGMA PRIMARY QUERY RECURSIVE REFERENCES RENAME REPLACE RETURNING RIGHT SELECT SET'.split(
    ' ',
  ),
  ...'STRICT TABLE THEN TO TRIGGER UNION UNIQUE UPDATE USING VALUES VIEW VIRTUAL WHEN WHERE'.split(
    ' ',
  ),
  ...'WINDOW WITH WITHOUT'.split(' '),
];

/** Names of the database, refreshed when asked to. */
export class Completer {
  #names: readonly string[] = [];
  readonly #shell: Shell;

  constructor(shell: Shell) {
    this.#shell = shell;
  }

  /** Reads tables and columns from the node at hand. Completion is no reason to report an error. */
  async refresh(): Promise<void> {
    try {
      const { rows } = await this.#shell.client.queryRaw(
        `SELECT name FROM sqlite_schema WHERE type IN ('table', 'view', 'index') UNION
         SELECT c.name FROM sqlite_schema AS s, pragma_table_info(s.name) AS c WHERE s.type IN ('table', 'view')`,
        [],
        { consistency: 'stale' },
      );
      this.#names = rows.map(([name]) => String(name));
    } catch {
      // The list stays as it was.
    }
  }

  /** Readline's contract: the words that fit, and the part of the line that they replace. */
  complete(line: string): [string[], string] {
    const word = /[\w.$]*$/.exec(line)![0];
    if (line.startsWith('.')) {
      if (line === word) return [DOT_COMMAND_NAMES.filter((name) => name.startsWith(word)), word];
      if (/^\.mode\s/.test(line)) {
        return [ROW_FORMATS.filter((name) => name.startsWith(word)), word];
      }
    }
    const wanted = word.toLowerCase();
    if (wanted === '') return [[], word];
    const keywords = KEYWORDS.map((keyword) =>
      word === word.toUpperCase() ? keyword : keyword.toLowerCase(),
    );
    const hits = [...this.#names, ...keywords].filter((name) =>
      name.toLowerCase().startsWith(wanted),
    );
    return [[...new Set(hits)], word];
  }
}
