/** References to what an earlier statement of the same transaction returned. */
import { QuorliteError } from '../wire/error.ts';
import type { Ref } from '../wire/value.ts';

/**
 * A parameter that takes its value from row `row` of statement `statement` (from 0) of the same `txn`. The statement
 * must return rows: a SELECT, or a write with RETURNING.
 *
 * People who come from hiqlite know it as `StmtIndex(i).column(n)`.
 *
 * @example
 * await db.txn([
 *   { sql: 'INSERT INTO orders (customer) VALUES (?) RETURNING id', params: ['ada'] },
 *   { sql: 'INSERT INTO items (order_id, sku) VALUES (?, ?)', params: [ref(0, 'id'), 'A-1'] },
 * ]);
 */
export function ref(statement: number, column: string | number, row: number = 0): Ref {
  const counts = typeof column === 'number' ? [statement, row, column] : [statement, row];
  if (counts.some((value) => !Number.isSafeInteger(value) || value < 0)) {
    throw new QuorliteError('BAD_REQUEST', 'ref() takes positions from 0');
  }
  return { $ref: { statement, column, row } };
}
