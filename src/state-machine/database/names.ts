/** Names of tables, as SQL text. */

/** Everything of a table or view; prepared, it tells whether there is one and which tables it stands for. */
export function selectAllOf(table: string): string {
  return `SELECT * FROM "${table.replaceAll('"', '""')}"`;
}
