/** SQL storage with a Durable Object's limits and values: a real SQLite, in memory. */
import { expect } from 'vitest';
import type { RowParam, RowStorage } from '../../src/storage/page-backing/rows.ts';
import { loadSqliteEngine } from '../../wasm/load/node.ts';
import { createMemoryPageStore } from '../../wasm/page-store/memory.ts';
import { CommandHost, limits } from '../conformance/engine-support.ts';

/** Most bytes of one value there. */
const VALUE_BYTES_MAX = 2_000_000;

/** The rows of one object: they outlive whatever is opened over them. */
export class RowDatabase implements RowStorage {
  /** Called before each statement; throws to inject a fault. */
  before: (sql: string) => void = () => {};
  readonly #writer = loadSqliteEngine().openWriter(
    createMemoryPageStore({ maxBytes: 1024 * 1024 * 1024 }),
    new CommandHost(),
    limits(),
  );

  exec(sql: string, ...params: RowParam[]): Iterable<{ readonly [column: string]: unknown }> {
    this.before(sql);
    expect(params.length).toBeLessThanOrEqual(100);
    expect(sql.length).toBeLessThanOrEqual(100_000);
    for (const param of params) {
      if (param instanceof Uint8Array) expect(param.length).toBeLessThanOrEqual(VALUE_BYTES_MAX);
    }
    return this.#rows(sql, params);
  }

  #rows(sql: string, params: readonly RowParam[]): { readonly [column: string]: unknown }[] {
    const statement = this.#writer.prepare(sql);
    if (statement === null) return [];
    statement.clearBindings();
    for (const [i, value] of params.entries()) statement.bind(i + 1, value);
    const rows: { readonly [column: string]: unknown }[] = [];
    try {
      while (statement.step()) {
        const names = statement.columnNames();
        rows.push(Object.fromEntries(statement.row().map((v, i) => [names[i], plain(v)])));
      }
    } finally {
      statement.reset();
    }
    return rows;
  }
}

/** Bytes come as buffers there. */
function plain(value: unknown): unknown {
  return value instanceof Uint8Array ? value.slice().buffer : value;
}
