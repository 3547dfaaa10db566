/**
 * A page backing in rows of somebody else's SQL storage: `place → BLOB`, through a synchronous call such as a Durable
 * Object's `ctx.storage.sql.exec`. User SQL never comes here. The table is emptied when it is opened and when it is closed.
 *
 * A statement there takes at most 100 variables and a value at most 2 MB: pages are values of their own, 50 to a statement.
 */
import { PAGE_SIZE, type PageBacking } from '../../../wasm/page-store.ts';
import { type Outcome, QuorliteError } from '../../wire/error.ts';

/** A value as it goes into such a storage. */
export type RowParam = number | string | Uint8Array;

/** The one call that is needed: runs a statement and gives its rows as objects by column. */
export interface RowStorage {
  exec(sql: string, ...params: RowParam[]): Iterable<{ readonly [column: string]: unknown }>;
}

/** Pages that one statement takes. */
const PAGES_PER_STATEMENT = 50;
const TABLE = 'scratch_pages';

/**
 * Opens the backing in `storage`. Throws `STORAGE_FAILED`.
 *
 * @example
 * const backing = openRowBacking(ctx.storage.sql);
 */
export function openRowBacking(storage: RowStorage): PageBacking {
  const backing = new RowBacking(storage);
  backing.clear();
  return backing;
}

class RowBacking implements PageBacking {
  readonly #storage: RowStorage;

  constructor(storage: RowStorage) {
    this.#storage = storage;
  }

  /** Dropping a table is cheaper than deleting its rows. */
  clear(): void {
    this.#exec(`DROP TABLE IF EXISTS ${TABLE}`);
    this.#exec(`CREATE TABLE ${TABLE} (place INTEGER PRIMARY KEY, page BLOB NOT NULL)`);
  }

  read(place: number, out: Uint8Array): void {
    const [row] = this.#exec(`SELECT page FROM ${TABLE} WHERE place = ?`, place);
    const bytes = bytesOf(row?.['page']);
    if (bytes?.length !== PAGE_SIZE) throw failed(`there is no page at place ${place}`, 'unknown');
    out.set(bytes);
  }

  write(places: Int32Array, pages: readonly Uint8Array[], count: number): void {
    for (let from = 0; from < count; from += PAGES_PER_STATEMENT) {
      const to = Math.min(count, from + PAGES_PER_STATEMENT);
      const params: RowParam[] = [];
      for (let i = from; i < to; i++) params.push(places[i]!, pages[i]!);
      this.#exec(insertSql(to - from), ...params);
    }
  }

  truncate(places: number): void {
    if (places === 0) this.clear();
    else this.#exec(`DELETE FROM ${TABLE} WHERE place >= ?`, places);
  }

  close(): void {
    try {
      this.#exec(`DROP TABLE IF EXISTS ${TABLE}`);
    } catch (error) {
      // It costs space only, and not for long: the next opening clears it.
      if (!(error instanceof QuorliteError)) throw error;
    }
  }

  #exec(sql: string, ...params: RowParam[]): { readonly [column: string]: unknown }[] {
    try {
      return [...this.#storage.exec(sql, ...params)];
    } catch (error) {
      throw failed(error instanceof Error ? error.message : String(error), 'unknown', error);
    }
  }
}

/** A page that was freed leaves its row: the place's next page replaces it. */
function insertSql(rows: number): string {
  return `INSERT OR REPLACE INTO ${TABLE} (place, page) VALUES ${'(?, ?), '.repeat(rows - 1)}(?, ?)`;
}

function bytesOf(value: unknown): Uint8Array | null {
  if (value instanceof Uint8Array) return value;
  return value instanceof ArrayBuffer ? new Uint8Array(value) : null;
}

function failed(message: string, outcome: Outcome, cause?: unknown): QuorliteError {
  return new QuorliteError('STORAGE_FAILED', `page rows: ${message}`, { outcome, cause });
}
