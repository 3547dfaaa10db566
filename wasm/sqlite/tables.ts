/** Which tables a statement touches, as the authorizer hears of them while it is compiled. */

/** Result of `Statement.tables`, and the schema generation for which it holds. */
export interface StatementTables {
  readonly generation: number;
  readonly read: readonly string[];
  readonly written: readonly string[];
}

const ACTION_DELETE = 9;
const ACTION_INSERT = 18;
const ACTION_READ = 20;
const ACTION_UPDATE = 23;

/** Gathers names, lower-case, each once, in the order of their first appearance. */
export class TableCollector {
  readonly #read = new Set<string>();
  readonly #written = new Set<string>();

  /** Takes note of one authorizer action. */
  note(action: number, table: string): void {
    if (action === ACTION_READ) this.#read.add(table.toLowerCase());
    else if (action === ACTION_INSERT || action === ACTION_UPDATE || action === ACTION_DELETE) {
      this.#written.add(table.toLowerCase());
    }
  }

  result(generation: number): StatementTables {
    return { generation, read: [...this.#read], written: [...this.#written] };
  }
}
