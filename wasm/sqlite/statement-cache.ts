/** Compiled statements by their text, least recently used first out. */
import type { CompiledStatement } from './statement.ts';

/** An LRU over a Map's insertion order. What leaves it is finalized, at once or when its run has ended. */
export class StatementCache {
  readonly #capacity: number;
  readonly #statements = new Map<string, CompiledStatement>();
  #newest: CompiledStatement | null = null;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The statement for `sql` unless it is running; it becomes the most recently used. */
  take(sql: string): CompiledStatement | undefined {
    const newest = this.#newest;
    if (newest !== null && newest.sql === sql) return newest.running ? undefined : newest;
    const statement = this.#statements.get(sql);
    if (statement === undefined || statement.running) return undefined;
    this.#statements.delete(sql);
    this.#statements.set(sql, statement);
    this.#newest = statement;
    return statement;
  }

  /** Keeps `statement`; the one that had its text, or the oldest beyond the capacity, leaves. */
  put(statement: CompiledStatement): void {
    const before = this.#statements.get(statement.sql);
    if (before === statement) return;
    this.#drop(before);
    this.#statements.set(statement.sql, statement);
    this.#newest = statement;
    if (this.#statements.size <= this.#capacity) return;
    const oldest = this.#statements.values().next().value;
    this.#drop(oldest);
  }

  /** Empties the cache. */
  clear(): void {
    for (const statement of this.#statements.values()) statement.retire();
    this.#statements.clear();
    this.#newest = null;
  }

  #drop(statement: CompiledStatement | undefined): void {
    if (statement === undefined) return;
    this.#statements.delete(statement.sql);
    statement.retire();
  }
}
