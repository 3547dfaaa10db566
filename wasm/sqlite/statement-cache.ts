/** Compiled statements by their text, least recently used first out. */
import type { CompiledStatement } from './statement.ts';

/** Bounds of a cache. */
export interface CacheBounds {
  readonly statements: number;
  /** Bytes of heap that compiling them took, together. */
  readonly bytes: number;
}

/**
 * An LRU over a Map's insertion order, bounded by number and by the memory that compiling took. What leaves it is
 * finalized, at once or when its run has ended.
 */
export class StatementCache {
  readonly #bounds: CacheBounds;
  readonly #statements = new Map<string, CompiledStatement>();
  #newest: CompiledStatement | null = null;
  #bytes = 0;

  constructor(bounds: CacheBounds) {
    this.#bounds = bounds;
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

  /** Keeps `statement`; the one that had its text leaves, and the oldest beyond the bounds. */
  put(statement: CompiledStatement): void {
    const before = this.#statements.get(statement.sql);
    if (before === statement) return;
    if (before !== undefined) this.#drop(before);
    this.#statements.set(statement.sql, statement);
    this.#bytes += statement.compileBytes;
    this.#newest = statement;
    for (const oldest of this.#statements.values()) {
      if (this.#isWithinBounds() || oldest === statement) return;
      this.#drop(oldest);
    }
  }

  /** Lets go of statements that took more than `bytes` to compile. */
  dropLarge(bytes: number): void {
    if (this.#bytes <= bytes) return;
    for (const statement of this.#statements.values()) {
      if (statement.compileBytes > bytes) this.#drop(statement);
    }
  }

  /** Empties the cache. */
  clear(): void {
    if (this.#statements.size === 0) return;
    for (const statement of this.#statements.values()) statement.retire();
    this.#statements.clear();
    this.#newest = null;
    this.#bytes = 0;
  }

  #isWithinBounds(): boolean {
    return this.#statements.size <= this.#bounds.statements && this.#bytes <= this.#bounds.bytes;
  }

  #drop(statement: CompiledStatement): void {
    this.#statements.delete(statement.sql);
    this.#bytes -= statement.compileBytes;
    if (this.#newest === statement) this.#newest = null;
    statement.retire();
  }
}
